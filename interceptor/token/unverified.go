package token

import (
	"cmp"
	"slices"
	"time"
)

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
