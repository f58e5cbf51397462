package token

import (
	"math/big"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// dateOf reads a number by exact arithmetic.
func dateOf(number string) (d date, ok bool) {
	r, ok := new(big.Rat).SetString(number)
	if !ok || r.Sign() < 0 || r.Cmp(big.NewRat(maxDate, 1)) > 0 {
		return date{}, false
	}
	scaled := new(big.Int).Mul(r.Num(), big.NewInt(1e9))
	nanoseconds, rest := new(big.Int).QuoRem(scaled, r.Denom(), new(big.Int))
	seconds, nanoseconds := new(big.Int).QuoRem(nanoseconds, big.NewInt(1e9), new(big.Int))
	return date{seconds.Int64(), nanoseconds.Int64(), rest.Sign() > 0}, true
}

func FuzzParseDate(f *testing.F) {
	for _, number := range []string{
		"0", "-0", "-0.0", "0e999", "0.000e-999", "-1", "-0.0000001", "1", "1700000000", "1.7e9", "1.7E+9", "17e8", "170000000000e-2", "0.0000000017e18",
		"1700000000.5", "1700000000.000000001", "1700000000.0000000001", "1700000000.9999999999", "1e-9", "1e-10", "123456789e-9", "99e-10",
		"253402300799", "253402300799.0", "253402300799.00000000000000001", "253402300800", "2534023007990", "2534023007990e-1", "25340230079.9e1", "25340230079.99e1",
		"9223372036854775808", "18446744073709551616", "1e12", "1e400", "1e-400", "12e-401", "100000000000000000000e-20",
		"0." + strings.Repeat("0", 50) + "1e60", "1" + strings.Repeat("0", 50) + "e-45", strings.Repeat("9", 50), "0." + strings.Repeat("9", 50), "1." + strings.Repeat("0", 50) + "1",
	} {
		f.Add(number)
	}
	f.Fuzz(func(t *testing.T, number string) {
		// What a scanner lets pass, and big.Rat can hold.
		if _, err := jose.ParseObject([]byte(`{"x":` + number + `}`)); err != nil || strings.Trim(number, "0123456789.eE+-") != "" {
			return
		}
		if _, exponent := cutExponent(number); len(number) > 200 || exponent > 1000 || exponent < -1000 {
			return
		}
		got, ok := parseDate(number)
		if want, accepted := dateOf(number); ok != accepted || ok && got != want {
			t.Errorf("%s is %+v, %t, want %+v, %t", number, got, ok, want, accepted)
		}
	})
}

// reading returns what time.Now returns on a machine that has been up for a while, when its clock shows a time
// since 1885: package time lays out a time with a monotonic part so.
func reading(clock, up time.Duration) time.Time {
	t := struct {
		wall     uint64 // seconds above 30 bits of nanoseconds
		ext      int64
		location *time.Location
	}{1<<63 | uint64(clock/time.Second)<<30, int64(up), nil}
	return *(*time.Time)(unsafe.Pointer(&t)) // there is no other way to set a clock back
}

// TestOutsideClock makes sure that refusals are still explained after the clock is set back.
func TestOutsideClock(t *testing.T) {
	t.Parallel()
	const clock, up = 100 * 365 * day, time.Hour
	if before, after := reading(clock, up), reading(clock-time.Hour, up+time.Second); after.Sub(before) != time.Second || before.Unix()-after.Unix() != 3600 {
		t.Fatalf("%v is not one second behind %v", after, before)
	}
	var e explanations
	for _, step := range []struct {
		now  time.Time
		want int
	}{
		{reading(clock, up), explainBurst},
		{reading(clock-time.Hour, up), 0},
		{reading(clock-time.Hour, up+explainEvery), 1},
		{reading(clock-2*time.Hour, up+4*explainEvery), 3},
		{reading(clock-3*time.Hour, up+time.Hour), explainBurst},
		{reading(clock+time.Hour, up+time.Hour), 0}, // set forward
	} {
		got := 0
		for range 100 {
			if e.allow(step.now) {
				got++
			}
		}
		if got != step.want {
			t.Errorf("at %v: %d explanations, want %d", step.now, got, step.want)
		}
	}
}
