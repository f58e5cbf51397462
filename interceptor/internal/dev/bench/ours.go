package main

import (
	"context"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Our own verifier and guard, as a program would make them. The verifier checks form, JOSE
// header, issuer, type, algorithm, times, signature and the types of all claims, and
// refuses members that stand twice; the guard checks the audience, the permission model,
// the kind of caller, scopes and organization.

const (
	nameOurs     = "protoauthz"
	nameUncached = "protoauthz, uncached"
)

func (i *issuer) verifier(options ...token.Option) (*token.Verifier, error) {
	return token.NewVerifier(i.trusted(), options...)
}

func ours(verifier *token.Verifier) verifyFunc {
	return func(ctx context.Context, raw string) (string, error) {
		claims, err := verifier.Verify(ctx, raw)
		return claims.Subject(), err
	}
}

func (i *issuer) guard(options ...token.Option) (*interceptor.Guard, error) {
	verifier, err := i.verifier(options...)
	if err != nil {
		return nil, err
	}
	table, err := rules()
	if err != nil {
		return nil, err
	}
	return interceptor.New(verifier, table), nil
}
