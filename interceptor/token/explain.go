package token

import (
	"fmt"
	"sync"
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
	}
	ahead := ""
	if e.verified {
		ahead = spoken((e.off + time.Second - 1).Truncate(time.Second)) + " "
	}
	allowed := "the leeway is"
	if e.claim == "iat" { // which is bounded by another amount
		allowed = "iat may be ahead by"
	}
	return fmt.Sprintf("%v: its %s is %sahead of this server's clock, and %s %v: %s", ErrNotYetValid, e.claim, ahead, allowed, e.leeway, clocks)
}

const (
	day     = 24 * time.Hour
	forever = 1000 * day // the longest distance that an error tells
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

// explain returns a refusal that says by how much a date is off, if the signature is good. Otherwise explain
// returns the refusal as it is. No call waits here: the keys that are there must do.
func (v *Verifier) explain(token *unverified, name keyName, now time.Time, refusal error) error {
	if !v.explained.allow(now) {
		return refusal
	}
	// A server whose clock is wrong sees no other tokens, so the fetch begins here.
	set, _, _ := token.issuer.keys.refresh(now, keyName{})
	keys, err := token.issuer.keys.stillGood(set, now)
	if err != nil || !v.limit.try() {
		return refusal
	}
	defer v.limit.release(0)
	for _, key := range keys.find(name) {
		if token.SignedBy(key.Public) {
			return token.validity.check(now, v.leeway, true)
		}
	}
	return refusal
}

// explanations limit how often refusals are explained. The zero value allows [explainBurst] at once.
type explanations struct {
	mu      sync.Mutex
	wholeAt time.Time // when all are allowed again: a time with a monotonic part, which no setting of a clock moves
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
