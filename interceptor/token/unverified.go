package token

import (
	"encoding/base64"
	"strings"
	"time"
)

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
	return token.issuer.claims(payload, &token.payload, token.validity.until, v.leeway)
}

// UnverifiedClaims reads the payload of a token as the issuer's, without looking
// at any signature or clock: for tests of handlers. Never decide anything by its
// result. The payload needs a `sub` and an `exp`, and an `iat` for an issuer with
// [Issuer.MaxLifetime], such as
//
//	{"sub": "user_1", "exp": 1, "scope": "read:orders", "organization_id": "acme"}
//
// The error is [ErrMalformed] or [ErrInvalid], or that of [NewVerifier] if the
// issuer is faulty.
func UnverifiedClaims(issuer Issuer, payload []byte) (*Claims, error) {
	issuer, err := issuer.withDefaults()
	if err != nil {
		return nil, err
	}
	members, err := readPayload(string(payload), issuer.claimNames())
	if err != nil {
		return nil, err
	}
	validity, err := issuer.readValidity(&members, 0)
	if err != nil {
		return nil, err
	}
	return issuer.claims(base64.RawURLEncoding.EncodeToString(payload), &members, validity.until, 0)
}
