package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A verifyFunc verifies a token and returns its subject.
type verifyFunc func(ctx context.Context, raw string) (string, error)

// A peer is what tokens can be verified with.
type peer struct {
	name   string
	verify verifyFunc
	// anyType is set if an ID token is accepted where an access token should be.
	anyType bool
}

// Names of peers, as the report shows them.
const (
	nameKeyfunc = "golang-jwt + keyfunc"
	nameGoOIDC  = "go-oidc"
	nameJWX     = "lestrrat jwx"
	nameAuth0   = "auth0 middleware"
	nameAuthn   = "connect authn + keyfunc"
)

// newPeers makes all that verify tokens, other than us.
func newPeers(ctx context.Context, i *issuer) ([]peer, error) {
	keyfunc, keyfuncErr := newKeyfunc(ctx, i)
	oidc, oidcErr := newGoOIDC(ctx, i)
	jwx, jwxErr := newJWX(ctx, i)
	auth0, auth0Err := newAuth0(i)
	if err := errors.Join(keyfuncErr, oidcErr, jwxErr, auth0Err); err != nil {
		return nil, err
	}
	return []peer{
		{nameKeyfunc, keyfunc.verify, true}, {nameGoOIDC, oidc, true}, {nameJWX, jwx, true}, {nameAuth0, auth0, true},
	}, nil
}

// accepts makes an operation that verifies a good token.
func accepts(ctx context.Context, verify verifyFunc, raw string) operation {
	return repeat(func() error { return checkAccepted(ctx, verify, raw) })
}

func checkAccepted(ctx context.Context, verify verifyFunc, raw string) error {
	got, err := verify(ctx, raw)
	if err != nil {
		return fmt.Errorf("a good token is refused: %w", err)
	}
	if got != subject {
		return fmt.Errorf("the subject is %q", got)
	}
	return nil
}

var errAccepted = errors.New("a bad token is accepted")

// refuses makes an operation that has a bad token refused.
func refuses(ctx context.Context, verify verifyFunc, raw string) operation {
	return repeat(func() error {
		if _, err := verify(ctx, raw); err == nil {
			return errAccepted
		}
		return nil
	})
}

var errNoBearer = errors.New("no bearer token")

// bearer is what most write to find the token.
func bearer(authorization string) (string, error) {
	raw, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		return "", errNoBearer
	}
	return raw, nil
}
