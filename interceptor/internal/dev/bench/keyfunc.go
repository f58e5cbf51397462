package main

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// A keyfuncPeer is what people write today: golang-jwt with keys that keyfunc fetches and
// refreshes, in an interceptor. It checks signature, algorithm, issuer, audience, that
// there is an `exp`, times, and the scopes of the procedure. It checks neither `typ`, so
// that an ID token passes, nor the organization that a message names, nor claims that
// stand twice, and it verifies the signature for each call.
type keyfuncPeer struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

type keyfuncClaims struct {
	jwt.RegisteredClaims
	Scope          string `json:"scope"`
	OrganizationID string `json:"organization_id"`
}

func newKeyfunc(ctx context.Context, i *issuer) (*keyfuncPeer, error) {
	keys, err := keyfunc.NewDefaultCtx(ctx, []string{i.keySetURL})
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(algorithms),
		jwt.WithIssuer(i.issuerURL),
		jwt.WithAudience(api),
		jwt.WithExpirationRequired(),
	)
	return &keyfuncPeer{keys: keys, parser: parser}, nil
}

func (p *keyfuncPeer) parse(ctx context.Context, raw string) (*keyfuncClaims, error) {
	claims := new(keyfuncClaims)
	_, err := p.parser.ParseWithClaims(raw, claims, p.keys.KeyfuncCtx(ctx))
	return claims, err
}

func (p *keyfuncPeer) verify(ctx context.Context, raw string) (string, error) {
	claims, err := p.parse(ctx, raw)
	return claims.Subject, err
}

// authorize is what is done for each call, whatever the transport.
func (p *keyfuncPeer) authorize(ctx context.Context, procedure, raw string) (*keyfuncClaims, error) {
	claims, err := p.parse(ctx, raw)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("invalid token: %w", err))
	}
	if err := checkScopes(procedure, splitScopes(claims.Scope)); err != nil {
		return nil, connect.NewError(connect.CodePermissionDenied, err)
	}
	return claims, nil
}

type keyfuncKey struct{}

func (p *keyfuncPeer) interceptor() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			raw, err := bearer(request.Header().Get("Authorization"))
			if err != nil {
				return nil, connect.NewError(connect.CodeUnauthenticated, err)
			}
			claims, err := p.authorize(ctx, request.Spec().Procedure, raw)
			if err != nil {
				return nil, err
			}
			return next(context.WithValue(ctx, keyfuncKey{}, claims), request)
		}
	}
}
