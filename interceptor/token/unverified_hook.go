package token

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified/hook"
)

// init gives package unverified what the public API of this package must not have.
func init() { hook.Token, hook.Claims = readUnverified, readUnverifiedPayload }

// readUnverified is Token of package unverified.
func readUnverified(issuer Issuer, raw string, opts ...Option) (*Claims, error) {
	v, err := NewVerifier(issuer, opts...)
	if err != nil {
		return nil, err
	}
	token, err := v.read(raw)
	if err != nil {
		return nil, err
	}
	// The caller holds the token, so the error may reveal its dates.
	if err := token.validity.check(time.Now(), v.leeway, true); err != nil {
		return nil, err
	}
	return token.claims(strings.Clone(raw), v.leeway)
}

// readUnverifiedPayload is Claims of package unverified.
func readUnverifiedPayload(issuer Issuer, text string) (*Claims, error) {
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
