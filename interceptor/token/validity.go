package token

import (
	"math"
	"time"
)

// validity is the time in which a token is accepted: that in which it is good, and the
// leeway on both sides.
type validity struct{ from, until time.Time }

// readValidity reads `exp`, which must be there, `nbf` and `iat`. Fractions are
// rounded against the token.
func readValidity(members *object, leeway time.Duration) (validity, error) {
	expires, ok, err := members.date("exp", math.Floor)
	if err != nil {
		return validity{}, err
	} else if !ok {
		return validity{}, invalid("exp is missing")
	}
	notBefore, _, err := members.date("nbf", math.Ceil)
	if err != nil {
		return validity{}, err
	}
	if _, _, err := members.date("iat", math.Ceil); err != nil {
		return validity{}, err
	}
	return validity{time.Unix(notBefore, 0).Add(-leeway), time.Unix(expires, 0).Add(leeway)}, nil
}

// check enforces RFC 7519 sections 4.1.4 and 4.1.5.
func (v validity) check(now time.Time) error {
	switch {
	case !now.Before(v.until):
		return ErrExpired
	case now.Before(v.from):
		return ErrNotYetValid
	}
	return nil
}
