package token

import (
	"cmp"
	"slices"
	"time"
)

// Precheck judges what can be judged of an Authorization without verifying a signature,
// waiting, or fetching anything. It returns the error that Authenticate would return, the
// claims if the token is cached and would be accepted, or neither if only Authenticate can
// tell. What Authenticate has to do anyway need not be asked here first: Precheck is for
// whoever must not wait, and can refuse early what will be refused.
func (v *Verifier) Precheck(authorization []string) (*Claims, error) {
	raw, err := Bearer(authorization)
	if err != nil {
		return nil, err
	}
	if token := v.cached(raw); token != nil {
		now := time.Now()
		if err := token.validity.check(now); err != nil {
			return nil, err
		}
		if keys := token.issuer.keys.current.Load(); token.issuer.keys.fresh(keys, now) && token.signedBy(keys) {
			return token.claims, nil
		}
		return nil, nil //nolint:nilnil // neither: the keys may have changed
	}
	_, err = v.read(raw)
	return nil, err
}

// An unverified token is one whose signature is still to be verified.
type unverified struct {
	jws

	members  object
	issuer   *issuerKeys
	validity validity
}

// read makes all the checks that stand before the signature's.
func (v *Verifier) read(raw string) (unverified, error) {
	token, err := parseJWS(raw)
	if err != nil {
		return unverified{}, err
	}
	members, err := parsePayload(token.payload)
	if err != nil {
		return unverified{}, err
	}
	name, _, err := members.text("iss")
	if err != nil {
		return unverified{}, err
	}
	issuer, ok := v.issuers[name]
	switch {
	case !ok:
		return unverified{}, cmp.Or(v.errIssuer, ErrInvalid)
	case !slices.Contains(issuer.Types, canonicalType(token.typ)):
		return unverified{}, issuer.errType
	case !slices.Contains(issuer.Algorithms, token.algorithm):
		return unverified{}, issuer.errAlgorithm
	}
	validity, err := readValidity(&members, v.leeway)
	if err != nil {
		return unverified{}, err
	}
	return unverified{token, members, issuer, validity}, validity.check(time.Now())
}
