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
	reader, faults := issuer.compile(formJWT)
	if len(faults) > 0 {
		return nil, endpoint.JoinFaults(faults)
	}
	index, err := jose.NewIndex(text)
	if err != nil {
		return nil, malformed("payload: %w", err)
	}
	defer index.Release()
	p := reader.payload(index)
	validity, err := reader.readValidity(p, 0)
	if err != nil {
		return nil, err
	}
	iss, ok := jose.Text(index.Find([]string{"iss"}))
	if !ok {
		tenant, _ := jose.Text(p[reader.tenant.slot])
		iss = reader.url.fill(tenant)
	}
	return reader.claims(base64.RawURLEncoding.EncodeToString([]byte(text)), iss, p, validity.until, 0)
}
