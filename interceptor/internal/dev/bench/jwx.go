package main

import (
	"context"
	"errors"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// newJWX makes a verifier of lestrrat-go/jwx with its cached key set. The verifier checks the signature
// by the key that `kid` names and by the algorithm of that key, issuer, audience, the presence of `exp`,
// and times. It does not check `typ`.
func newJWX(ctx context.Context, i *issuer) (verifyFunc, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	if err := cache.Register(ctx, i.keySetURL); err != nil { // waits for the first fetch
		return nil, err
	}
	keys, err := cache.CachedSet(i.keySetURL)
	if err != nil {
		return nil, err
	}
	options := []jwt.ParseOption{
		jwt.WithKeySet(keys), jwt.WithIssuer(i.issuerURL), jwt.WithAudience(api), jwt.WithRequiredClaim("exp"),
	}
	return func(_ context.Context, raw string) (string, error) {
		verified, err := jwt.ParseString(raw, options...)
		if err != nil {
			return "", err
		}
		var scope string
		if err := verified.Get("scope", &scope); err != nil {
			return "", err
		}
		name, ok := verified.Subject()
		if !ok {
			return "", errors.New("no subject")
		}
		return name, nil
	}, nil
}
