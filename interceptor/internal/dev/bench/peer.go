package main

import (
	"context"
	"errors"
	"fmt"
)

// Names of contenders, as the report shows them.
const (
	nameOpen      = "no auth"
	nameOurs      = "protoauthz"
	nameUncached  = nameOurs + ", uncached"
	nameUnlimited = nameOurs + ", no limit"
	nameKeyfunc   = "golang-jwt + keyfunc"
)

// A verifyFunc verifies a token and returns its subject.
type verifyFunc func(ctx context.Context, raw string) (string, error)

// A peer is one way to verify tokens.
type peer struct {
	name   string
	verify verifyFunc
	// anyType is set if the peer accepts an ID token as an access token.
	anyType bool
}

// newPeers makes all peers, ours first. All have verified a token, so their keys are in memory.
func newPeers(ctx context.Context, i *issuer) ([]peer, error) {
	var peers []peer
	for _, each := range []struct {
		name    string
		make    func(context.Context, *issuer) (verifyFunc, error)
		anyType bool
	}{
		{nameUncached, newOurs(withoutCache), false},
		{nameOurs, newOurs(), false},
		{nameUnlimited, newOurs(withoutLimit), false},
		{nameKeyfunc, newKeyfuncVerify, true},
		{"go-oidc", newGoOIDC, true},
		{"lestrrat jwx", newJWX, true},
		{"auth0 middleware", newAuth0, true},
	} {
		verify, err := each.make(ctx, i)
		if err == nil {
			err = checkAccepted(ctx, verify, i.token(usual))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		peers = append(peers, peer{each.name, verify, each.anyType})
	}
	return peers, nil
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

// refuses makes an operation that verifies a bad token.
func refuses(ctx context.Context, verify verifyFunc, raw string) operation {
	return repeat(func() error {
		if _, err := verify(ctx, raw); err == nil {
			return errAccepted
		}
		return nil
	})
}
