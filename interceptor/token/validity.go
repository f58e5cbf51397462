package token

import "time"

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
func (i *Issuer) readValidity(members *payload, leeway time.Duration) (v validity, err error) {
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
		v.issued = issued.ceil().Add(-aheadOf(leeway))
	case i.MaxLifetime > 0:
		return validity{}, invalid("iat is missing: nobody knows how long the token lives, and Issuer.MaxLifetime bounds that")
	}
	if i.MaxLifetime > 0 && expires.exceeds(issued, i.MaxLifetime) {
		return validity{}, invalid("exp is later than iat by more than Issuer.MaxLifetime, %v", i.MaxLifetime)
	}
	return v, nil
}

// aheadOf returns how far `iat` may be ahead of the clock.
func aheadOf(leeway time.Duration) time.Duration { return min(max(leeway, minAhead), maxAhead) }

// check enforces RFC 7519 sections 4.1.4 and 4.1.5, and that the token has been issued (section 4.1.6).
// The error tells the distance only if the signature is verified: the distance reveals the claim.
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
