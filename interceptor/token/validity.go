package token

import (
	"fmt"
	"time"
)

const (
	// `iat` may be ahead of the clock by the leeway, but by at least minAhead and at most maxAhead.
	minAhead = 10 * time.Second
	maxAhead = 60 * time.Second
)

// validity is the time in which a token is accepted, leeway included.
type validity struct {
	from, issued time.Time // by nbf and by iat
	until        time.Time
}

// readValidity reads `exp`, which must be there, `nbf` and `iat`. Fractions are
// rounded against the token.
func (i *Issuer) readValidity(members *object, leeway time.Duration) (v validity, err error) {
	expires, ok, err := members.date("exp")
	if err != nil {
		return validity{}, err
	} else if !ok {
		return validity{}, invalid("exp is missing")
	}
	v.until = expires.floor().Add(leeway)
	notBefore, ok, err := members.date("nbf")
	if err != nil {
		return validity{}, err
	} else if ok {
		v.from = notBefore.ceil().Add(-leeway)
	}
	issued, ok, err := members.date("iat")
	switch {
	case err != nil:
		return validity{}, err
	case ok:
		v.issued = issued.ceil().Add(-min(max(leeway, minAhead), maxAhead))
	case i.MaxLifetime > 0:
		return validity{}, invalid("iat is missing: nobody knows how long the token lives, and Issuer.MaxLifetime bounds that")
	}
	if i.MaxLifetime > 0 && expires.exceeds(issued, i.MaxLifetime) {
		return validity{}, invalid("exp is later than iat by more than Issuer.MaxLifetime, %v", i.MaxLifetime)
	}
	return v, nil
}

var (
	errNotBefore = fmt.Errorf("%w: nbf has not been reached", ErrNotYetValid)
	errIssued    = fmt.Errorf("%w: iat is ahead of the clock", ErrNotYetValid)
)

// check enforces RFC 7519 sections 4.1.4 and 4.1.5, and that the token has been issued (section 4.1.6).
func (v validity) check(now time.Time) error {
	switch {
	case !now.Before(v.until):
		return ErrExpired
	case now.Before(v.from):
		return errNotBefore
	case now.Before(v.issued):
		return errIssued
	}
	return nil
}
