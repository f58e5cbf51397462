package main

import (
	"context"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var (
	withoutCache = token.WithoutCache()
	withoutLimit = token.WithSignatureLimit(1 << 20)
)

// newOurs makes our verifier, as a program makes it. The verifier checks form, JOSE header, issuer,
// type, algorithm, times, signature and the types of all claims, and refuses duplicate members.
func newOurs(options ...token.Option) func(context.Context, *issuer) (verifyFunc, error) {
	return func(_ context.Context, i *issuer) (verifyFunc, error) {
		verifier, err := token.NewVerifier(i.trusted(), options...)
		return func(ctx context.Context, raw string) (string, error) {
			claims, err := verifier.Verify(ctx, raw)
			return claims.Subject(), err
		}, err
	}
}

// guard makes our guard, as a program makes it. Beyond the verifier, the guard checks the audience, the
// permission model, the kind of caller, scopes and organization.
func (i *issuer) guard(options ...token.Option) (*interceptor.Guard, error) {
	verifier, err := token.NewVerifier(i.trusted(), options...)
	if err != nil {
		return nil, err
	}
	table, err := rules()
	if err != nil {
		return nil, err
	}
	return interceptor.New(verifier, table), nil
}
