package token

import (
	"sync"
	"time"
)

// How many refusals are explained by a signature: so few that strangers gain nothing from tokens that
// have expired.
const (
	explainEvery = 1 * time.Second
	explainBurst = 10 // at once
)

// explain returns a refusal that says by how much a date is off, if the signature is good. Otherwise explain
// returns the refusal as it is. No call waits here: the keys that are there must do.
func (v *Verifier) explain(token *unverified, now time.Time, refusal error) error {
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
	for _, key := range keys.find(token.key) {
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
