package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/auth0/go-jwt-middleware/v3/jwks"
	"github.com/auth0/go-jwt-middleware/v3/validator"
)

// auth0Claims reads scopes, as users of auth0/go-jwt-middleware do.
type auth0Claims struct {
	Scope string `json:"scope"`
}

// Validate implements [validator.CustomClaims].
func (auth0Claims) Validate(context.Context) error { return nil }

// newAuth0 makes a validator of auth0/go-jwt-middleware with its caching provider of keys, by
// discovery. The validator checks signature, algorithm, issuer, audience and times. It does not check
// `typ`, and accepts a token without `exp`.
func newAuth0(_ context.Context, i *issuer) (verifyFunc, error) {
	issuerURL, err := url.Parse(i.issuerURL)
	if err != nil {
		return nil, err
	}
	provider, err := jwks.NewCachingProvider(jwks.WithIssuerURL(issuerURL))
	if err != nil {
		return nil, err
	}
	allowed := make([]validator.SignatureAlgorithm, len(algorithms))
	for n, name := range algorithms {
		allowed[n] = validator.SignatureAlgorithm(name)
	}
	v, err := validator.New(
		validator.WithKeyFunc(provider.KeyFunc),
		validator.WithAlgorithms(allowed),
		validator.WithIssuer(i.issuerURL),
		validator.WithAudience(api),
		validator.WithCustomClaims(func() *auth0Claims { return new(auth0Claims) }),
	)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw string) (string, error) {
		verified, err := v.ValidateToken(ctx, raw)
		if err != nil {
			return "", err
		}
		claims, ok := verified.(*validator.ValidatedClaims)
		if !ok {
			return "", fmt.Errorf("claims are %T", verified)
		}
		return claims.RegisteredClaims.Subject, nil
	}, nil
}
