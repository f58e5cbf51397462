package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
)

// newGoOIDC makes a verifier of coreos/go-oidc, found by discovery, with its remote key
// set. It is made for ID tokens and used for access tokens by many: it checks signature,
// algorithm, issuer, the audience by way of the client's id, and times. It checks no
// `typ`, takes a token without `exp` as expired, and knows nothing of scopes, which are
// read here as its documentation shows.
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
