// Package unverified reads tokens that nobody has to have signed, for tools that explain a token and
// for tests. Never decide anything by its results: nothing that runs in production imports it.
package unverified

import (
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified/hook"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Token reads a token, as [token.Bearer] returns it, and makes every check of [token.Verifier.Verify]
// except the signature: nobody has to have signed the token, and no key is fetched. The issuer and
// the options are as for [token.NewVerifier].
//
// The error is the one with which Verify would end if the signature were the issuer's
// ([token.ErrMalformed], [token.ErrInvalid], [token.ErrExpired] or [token.ErrNotYetValid]), or the
// error of NewVerifier if the issuer or an option is faulty.
func Token(issuer token.Issuer, raw string, opts ...token.Option) (*token.Claims, error) {
	return readToken(issuer, raw, opts...)
}

// Claims reads the payload of a token as the issuer's, without looking at any signature or clock.
// The payload needs a `sub` and an `exp`, and an `iat` for an issuer with [token.Issuer.MaxLifetime].
//
// The error is [token.ErrMalformed] or [token.ErrInvalid], or the error of [token.NewVerifier] if
// the issuer is faulty.
func Claims(issuer token.Issuer, payload string) (*token.Claims, error) {
	return readClaims(issuer, payload)
}

// A program does not start if these are not the types of what package token has left.
var (
	readToken  = hook.Token.(func(token.Issuer, string, ...token.Option) (*token.Claims, error)) //nolint:errcheck // see above
	readClaims = hook.Claims.(func(token.Issuer, string) (*token.Claims, error))                 //nolint:errcheck // see above
)
