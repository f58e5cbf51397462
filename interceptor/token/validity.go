package token

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// `iat` may be ahead of the clock by the leeway, but by at least minAhead and at most maxAhead.
	minAhead = 10 * time.Second
	maxAhead = 60 * time.Second
)

// validity is the time in which a token is accepted, including the leeway.
type validity struct {
	from, issued time.Time // by nbf and by iat
	until        time.Time // by exp
}

// readValidity reads `exp`, `nbf` and `iat`. It rounds fractions of a second against the token. Without `exp`, which
// only an answer may lack, until is zero, so that the token has expired.
func (r *reader) readValidity(p payload, leeway time.Duration) (v validity, err error) {
	expires, ok, err := readDate("exp", p[slotExp])
	switch {
	case err != nil:
		return validity{}, err
	case ok:
		v.until = expires.floor().Add(leeway)
	case r.form == formJWT:
		return validity{}, invalid("exp is missing")
	case r.MaxLifetime > 0:
		return validity{}, invalid("exp is missing: Issuer.MaxLifetime bounds how long a token lives, and needs exp")
	}
	notBefore, _, err := readDate("nbf", p[slotNbf])
	if err != nil {
		return validity{}, err
	}
	v.from = notBefore.ceil().Add(-leeway) // 1970 without nbf
	issued, ok, err := readDate("iat", p[slotIat])
	switch {
	case err != nil:
		return validity{}, err
	case ok:
		v.issued = issued.ceil().Add(-aheadOf(leeway))
	case r.MaxLifetime > 0:
		return validity{}, invalid("iat is missing: Issuer.MaxLifetime bounds how long a token lives, and needs iat")
	}
	if r.MaxLifetime > 0 && expires.exceeds(issued, r.MaxLifetime) {
		return validity{}, invalid("exp is later than iat by more than Issuer.MaxLifetime, %v", r.MaxLifetime)
	}
	return v, nil
}

// aheadOf returns how far `iat` may be ahead of the clock.
func aheadOf(leeway time.Duration) time.Duration { return min(max(leeway, minAhead), maxAhead) }

// check refuses a token that has expired (RFC 7519 section 4.1.4), is not valid yet (section 4.1.5), or is issued
// in the future (section 4.1.6). The error reveals a claim by telling its distance, so it does that only for a
// verified signature.
func (v validity) check(now time.Time, leeway time.Duration, verified bool) error {
	refuse := func(claim string, late, leeway time.Duration) error { // late by more than the leeway
		err := &dateError{claim: claim, leeway: leeway}
		if verified {
			err.off, err.verified = min(late, forever)+leeway, true // without an overflow
		}
		return err
	}
	switch {
	case !now.Before(v.until):
		return refuse("exp", now.Sub(v.until), leeway)
	case now.Before(v.from):
		return refuse("nbf", v.from.Sub(now), leeway)
	case now.Before(v.issued):
		return refuse("iat", v.issued.Sub(now), aheadOf(leeway))
	}
	return nil
}

// A dateError refuses a token by one of its dates. Most such errors are never read, so Error makes the text.
type dateError struct {
	claim       string        // exp, nbf or iat
	off, leeway time.Duration // off is how far the date is off, if verified is true
	verified    bool
}

// Unwrap returns [ErrExpired] or [ErrNotYetValid].
func (e *dateError) Unwrap() error {
	if e.claim == "exp" {
		return ErrExpired
	}
	return ErrNotYetValid
}

// Error tells how far the date is off, and what to do.
func (e *dateError) Error() string {
	const clocks = "compare the clocks of this server and of the issuer with a third one, and set the wrong one right; for a small difference, see token.WithLeeway"
	switch {
	case e.claim == "exp" && e.verified:
		return fmt.Sprintf("%v: its exp passed %s ago, and the leeway is %v: the client needs a new token; if this one is new, %s", ErrExpired, spoken(e.off.Truncate(time.Second)), e.leeway, clocks)
	case e.claim == "exp":
		return fmt.Sprintf("%v: its exp and the leeway of %v have passed: the client needs a new token; if this one is new, %s", ErrExpired, e.leeway, clocks)
	}
	ahead := ""
	if e.verified {
		ahead = spoken((e.off + time.Second - 1).Truncate(time.Second)) + " "
	}
	allowed := "the leeway is"
	if e.claim == "iat" { // see aheadOf
		allowed = "iat may be ahead by"
	}
	return fmt.Sprintf("%v: its %s is %sahead of this server's clock, and %s %v: %s", ErrNotYetValid, e.claim, ahead, allowed, e.leeway, clocks)
}

const (
	day     = 24 * time.Hour
	forever = 1000 * day // the longest distance in an error
)

// spoken returns a duration in seconds, or in days if it is long.
func spoken(d time.Duration) string {
	switch {
	case d < 2*day:
		return d.String()
	case d < forever:
		return fmt.Sprintf("%d days", d/day)
	default:
		return fmt.Sprintf("at least %d days", forever/day)
	}
}

// How many refusals are explained, each at the cost of a signature: too few for a flood of expired tokens to gain
// from.
const (
	explainEvery = 1 * time.Second
	explainBurst = 10 // at once
)

// explain returns a refusal that tells how far a date is off, if the signature is good. Otherwise explain returns
// the refusal as it is. It waits for nothing, and uses the keys at hand.
func (v *Verifier) explain(token *unverifiedToken, now time.Time, refusal error) error {
	if !v.explained.allow(now) {
		return refusal
	}
	// A server with a wrong clock sees no other tokens, so nothing else would fetch the keys.
	set, _, _ := token.issuer.keys.refresh(now, keyName{})
	keys, err := token.issuer.keys.stillGood(set, now)
	if err != nil || !v.limit.try() {
		return refusal
	}
	defer v.limit.release(0, nil)
	for _, key := range keys.find(token.key) {
		if key.isOf(token.issuedBy) && token.SignedBy(key.Public) {
			return token.validity.check(now, v.leeway, true)
		}
	}
	return refusal
}

// explanations limit how often refusals are explained. The zero value allows [explainBurst] at once.
type explanations struct {
	mu      sync.Mutex
	wholeAt time.Time // when all are allowed again, with a monotonic part, so that setting the clock changes nothing
}

// allow reports whether a refusal may be explained now, and counts the explanation.
func (e *explanations) allow(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	wholeAt := e.wholeAt
	if wholeAt.Before(now) {
		wholeAt = now
	}
	if wholeAt = wholeAt.Add(explainEvery); wholeAt.Sub(now) > explainBurst*explainEvery {
		return false
	}
	e.wholeAt = wholeAt
	return true
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// A date is an exact NumericDate (RFC 7519 section 2). A float64 would lose fractions of a microsecond.
type date struct {
	seconds, nanoseconds int64
	rest                 bool // the date is later by less than a nanosecond
}

// floor returns the second in which the date is.
func (d date) floor() time.Time { return time.Unix(d.seconds, 0) }

// ceil returns the first second that is not before the date.
func (d date) ceil() time.Time {
	if d.nanoseconds > 0 || d.rest {
		return time.Unix(d.seconds+1, 0)
	}
	return time.Unix(d.seconds, 0)
}

// exceeds reports whether the date is later than another by more than a duration.
func (d date) exceeds(other date, by time.Duration) bool {
	apart := time.Unix(d.seconds, d.nanoseconds).Sub(time.Unix(other.seconds, other.nanoseconds))
	return apart > by || apart == by && d.rest
}

// readDate returns a NumericDate, and whether there is one.
func readDate(name, raw string) (d date, ok bool, err error) {
	if raw == "" {
		return date{}, false, nil
	}
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return date{}, true, invalid("%s is not a number", name)
	}
	if d, ok = parseDate(raw); !ok {
		return date{}, true, invalid("%s is out of range", name)
	}
	return d, true, nil
}

// parseDate reads a JSON number from 0 to maxDate.
func parseDate(number string) (d date, ok bool) {
	number, exponent := cutExponent(number)
	number, negative := strings.CutPrefix(number, "-")
	if strings.Trim(number, "0.") == "" {
		return date{}, true
	} else if negative {
		return date{}, false
	}
	integer, fraction, _ := strings.Cut(number, ".")
	digit := func(n int) int64 {
		switch behind := n - len(integer); {
		case n >= 0 && behind < 0:
			return int64(integer[n] - '0')
		case behind >= 0 && behind < len(fraction):
			return int64(fraction[behind] - '0')
		}
		return 0
	}
	point := len(integer) + exponent
	for n := 0; n < point && d.seconds <= maxDate; n++ {
		d.seconds = 10*d.seconds + digit(n)
	}
	const places = 9 // decimal places of nanoseconds
	for n := point; n < point+places; n++ {
		d.nanoseconds = 10*d.nanoseconds + digit(n)
	}
	for n := max(0, point+places); n < len(number) && !d.rest; n++ {
		d.rest = digit(n) > 0
	}
	return d, d.seconds < maxDate || d == date{seconds: maxDate}
}

// cutExponent returns the mantissa and the exponent of a number. It bounds the exponent, by more than the
// digits of any token could make up for.
func cutExponent(number string) (mantissa string, exponent int) {
	n := max(strings.IndexByte(number, 'e'), strings.IndexByte(number, 'E'))
	if n < 0 {
		return number, 0
	}
	const large = 1 << 26
	exponent, _ = strconv.Atoi(number[n+1:]) // the nearest int if the exponent is out of range
	return number[:n], min(max(exponent, -large), large)
}
