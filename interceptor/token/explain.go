package token

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// A dateError refuses a token by one of its dates. Its text is made when somebody reads it: most
// refusals nobody reads.
type dateError struct {
	claim       string        // exp, nbf or iat
	off, leeway time.Duration // off is told only if the signature is verified
	verified    bool
}

// Unwrap returns [ErrExpired] or [ErrNotYetValid].
func (e *dateError) Unwrap() error {
	if e.claim == "exp" {
		return ErrExpired
	}
	return ErrNotYetValid
}

// Error says by how much the date is off, and what to do.
func (e *dateError) Error() string {
	const clocks = "set the clocks of the issuer and of this server right"
	switch {
	case e.claim == "exp" && e.verified:
		return fmt.Sprintf("%v: its exp passed %s ago, and the leeway is %v: the client needs a new token; if this one is new, %s", ErrExpired, spoken(e.off.Truncate(time.Second)), e.leeway, clocks)
	case e.claim == "exp":
		return fmt.Sprintf("%v: its exp and the leeway of %v have passed: the client needs a new token; if this one is new, %s", ErrExpired, e.leeway, clocks)
	case e.verified:
		return fmt.Sprintf("%v: its %s is %s ahead of this server's clock, and the leeway is %v: %s", ErrNotYetValid, e.claim, spoken((e.off + time.Second - 1).Truncate(time.Second)), e.leeway, clocks)
	default:
		return fmt.Sprintf("%v: its %s is ahead of this server's clock by more than the leeway of %v: %s", ErrNotYetValid, e.claim, e.leeway, clocks)
	}
}

const (
	day     = 24 * time.Hour
	forever = 1000 * day // more than this is as bad
)

// spoken returns a duration of whole seconds, or of days if it is long.
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

// How many refusals are explained by a signature: so few that strangers gain nothing from tokens that
// have expired.
const (
	explainEvery = 1 * time.Second
	explainBurst = 10 // at once
)

// explain adds to the refusal of a token by its dates by how much they are off, if the signature is good:
// nobody else is believed. Dates come before the signature, so that a flood of old tokens costs next to
// nothing. So the signature is verified only for a few, and if nobody waits for it: a server whose clock
// is wrong has few other calls.
func (v *Verifier) explain(ctx context.Context, token *unverified, name keyName, now time.Time, refusal error) error {
	if !v.explained.allows(now) {
		return refusal
	}
	keys, err := token.issuer.keys.usable(ctx, now, name)
	if err != nil || !v.limit.try() {
		return refusal
	}
	defer v.limit.release(0)
	for _, key := range keys.find(name) {
		if token.verify(key) == nil {
			return token.validity.check(now, v.leeway, true)
		}
	}
	return refusal
}

// An allowance is for what is done rarely. The zero allowance is whole.
type allowance struct{ wholeAt atomic.Int64 } // when it is whole again, in nanoseconds

// allows reports whether it may be done now, and counts it.
func (a *allowance) allows(now time.Time) bool {
	for {
		wholeAt := a.wholeAt.Load()
		next := max(wholeAt, now.UnixNano()) + int64(explainEvery)
		if next > now.UnixNano()+explainBurst*int64(explainEvery) {
			return false
		}
		if a.wholeAt.CompareAndSwap(wholeAt, next) {
			return true
		}
	}
}
