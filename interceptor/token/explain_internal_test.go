package token

import (
	"testing"
	"time"
	"unsafe"
)

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

// TestOutsideClock makes sure that a clock which is set back does not end the explanations.
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
