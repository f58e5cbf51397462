package token

import (
	"math"
	"time"
)

// validity is the time in which a token is good, in seconds since the epoch.
type validity struct{ expires, notBefore int64 }

// readValidity reads `exp`, which must be there, `nbf` and `iat`. Fractions are
// rounded against the token.
func readValidity(members object) (validity, error) {
	var v validity
	var ok bool
	var err error
	if v.expires, ok, err = members.date("exp", math.Floor); err != nil {
		return v, err
	} else if !ok {
		return v, invalid("exp is missing")
	}
	if v.notBefore, _, err = members.date("nbf", math.Ceil); err != nil {
		return v, err
	}
	_, _, err = members.date("iat", math.Ceil)
	return v, err
}

// check enforces RFC 7519 sections 4.1.4 and 4.1.5.
func (v validity) check(now time.Time, leeway time.Duration) error {
	switch {
	case !now.Before(time.Unix(v.expires, 0).Add(leeway)):
		return ErrExpired
	case now.Add(leeway).Before(time.Unix(v.notBefore, 0)):
		return ErrNotYetValid
	}
	return nil
}
