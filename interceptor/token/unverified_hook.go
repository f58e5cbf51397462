package token

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified/hook"
)

// init leaves to package unverified what is in no public API.
func init() { hook.Token, hook.Claims = unverifiedToken, unverifiedClaims }

// unverifiedToken is unverified.Token.
func unverifiedToken(issuer Issuer, raw string, opts ...Option) (*Claims, error) {
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
	_, segment, _ := strings.Cut(strings.Clone(token.Signed), ".")
	return token.issuer.claims(segment, &token.payload, token.validity.until, v.leeway)
}

// unverifiedClaims is unverified.Claims.
func unverifiedClaims(issuer Issuer, text string) (*Claims, error) {
	issuer, faults := issuer.withDefaults()
	if len(faults) > 0 {
		return nil, endpoint.JoinFaults(faults)
	}
	p, err := jose.ParseMembers(text, issuer.claimNames())
	if err != nil {
		return nil, malformed("payload: %w", err)
	}
	validity, err := issuer.readValidity(&p, 0)
	if err != nil {
		return nil, err
	}
	return issuer.claims(base64.RawURLEncoding.EncodeToString([]byte(text)), &p, validity.until, 0)
}
