package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
)

// newGoOIDC makes a verifier of coreos/go-oidc, by discovery, with its remote key set. go-oidc is made
// for ID tokens, and many use it for access tokens. The verifier checks signature, algorithm, issuer,
// the audience as a client id, and times. It does not check `typ`, takes a token without `exp` as
// expired, and does not know scopes: the claims are read as go-oidc's documentation shows.
func newGoOIDC(ctx context.Context, i *issuer) (verifyFunc, error) {
	provider, err := oidc.NewProvider(ctx, i.issuerURL)
	if err != nil {
		return nil, err
	}
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: api})
	return func(ctx context.Context, raw string) (string, error) {
		verified, err := verifier.Verify(ctx, raw)
		if err != nil {
			return "", err
		}
		var claims struct {
			Scope string `json:"scope"`
		}
		if err := verified.Claims(&claims); err != nil {
			return "", err
		}
		return verified.Subject, nil
	}, nil
}
