package token

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// An unverified token is one whose signature is still to be verified.
type unverified struct {
	jose.JWS

	members  payload
	issuer   *issuerKeys
	validity validity
}

// read makes every check before the signature except the dates.
func (v *Verifier) read(raw string) (unverified, error) {
	if len(raw) > maxBytes {
		return unverified{}, malformed("token has %d bytes", len(raw))
	}
	token, err := jose.ParseJWS(raw)
	if err != nil { // two tokens in one field look like a token with more segments
		return unverified{}, cmp.Or(checkB64Token(raw), refused(err))
	}
	members, err := parsePayload(token.Payload, v.claims)
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
	case token.TypeFault != "" || !slices.Contains(issuer.Types, canonicalType(token.Type)):
		return unverified{}, &typeError{token.TypeFault, issuer.Types}
	case !slices.Contains(issuer.algorithms, token.Algorithm):
		return unverified{}, issuer.errAlgorithm
	}
	validity, err := issuer.readValidity(&members, v.leeway)
	if err != nil {
		return unverified{}, err
	}
	return unverified{token, members, issuer, validity}, nil
}

// Unverified reads a token, as [Bearer] returns it, and makes every check of
// [Verifier.Verify] but that of the signature: nobody has to have signed the
// token, and no key is fetched. It is for tools that explain a token; for claims
// without one there is [UnverifiedClaims]. Never decide anything by its result.
// The issuer and the options are those of [NewVerifier].
//
// The error is the one with which Verify would end if the signature were the
// issuer's ([ErrMalformed], [ErrInvalid], [ErrExpired] or [ErrNotYetValid]), or
// that of NewVerifier if the issuer or an option is faulty.
func Unverified(issuer Issuer, raw string, opts ...Option) (*Claims, error) {
	v, err := NewVerifier(issuer, opts...)
	if err != nil {
		return nil, err
	}
	token, err := v.read(raw)
	if err != nil {
		return nil, err
	}
	// The caller holds the token, so its dates are no secret.
	if err := token.validity.check(time.Now(), v.leeway, true); err != nil {
		return nil, err
	}
	_, payload, _ := strings.Cut(strings.Clone(token.Signed), ".")
	return token.issuer.claims(payload, &token.members, token.validity.until, v.leeway)
}
