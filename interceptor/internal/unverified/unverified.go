// Package unverified reads tokens without verifying their signature, for tests and for tools that explain
// a token. Never decide anything by its results. Nothing that runs in production imports it.
package unverified

import (
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified/hook"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Token reads a token, as [token.Bearer] returns it, and makes every check of [token.Verifier.Verify]
// except the signature. It fetches no key. The issuer and the options are the arguments of
// [token.NewVerifier].
//
// The error is the error that Verify would return for a good signature ([token.ErrMalformed],
// [token.ErrInvalid], [token.ErrExpired] or [token.ErrNotYetValid]), or the error of NewVerifier.
func Token(issuer token.Issuer, raw string, opts ...token.Option) (*token.Claims, error) {
	return readToken(issuer, raw, opts...)
}

// Claims reads the payload of a token of the issuer, and looks at neither signature nor clock.
// The payload needs a `sub` and an `exp`, and an `iat` for an issuer with [token.Issuer.MaxLifetime].
//
// The error is [token.ErrMalformed] or [token.ErrInvalid], or the error of [token.NewVerifier] for
// the issuer.
func Claims(issuer token.Issuer, payload string) (*token.Claims, error) {
	return readClaims(issuer, payload)
}

// A program does not start if the functions of package token have other types.
var (
	readToken  = hook.Token.(func(token.Issuer, string, ...token.Option) (*token.Claims, error)) //nolint:errcheck // see above
	readClaims = hook.Claims.(func(token.Issuer, string) (*token.Claims, error))                 //nolint:errcheck // see above
)
