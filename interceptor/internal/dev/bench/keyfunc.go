package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"connectrpc.com/authn"
	"connectrpc.com/connect"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A keyfuncPeer is the code that people write today: golang-jwt, with keys that keyfunc fetches and
// refreshes, in an interceptor. It checks signature, algorithm, issuer, audience, the presence of
// `exp`, times, and the scopes of the procedure. It does not check `typ`, so it accepts an ID token,
// nor the organization that a message names, nor duplicate claims. It verifies the signature for each
// call.
type keyfuncPeer struct {
	keys   keyfunc.Keyfunc
	parser *jwt.Parser
}

type keyfuncClaims struct {
	jwt.RegisteredClaims
	Scope string `json:"scope"`
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

func newKeyfuncVerify(ctx context.Context, i *issuer) (verifyFunc, error) {
	p, err := newKeyfunc(ctx, i)
	return func(ctx context.Context, raw string) (string, error) {
		claims, err := p.parse(ctx, raw)
		return claims.Subject, err
	}, err
}

func (p *keyfuncPeer) parse(ctx context.Context, raw string) (*keyfuncClaims, error) {
	claims := new(keyfuncClaims)
	_, err := p.parser.ParseWithClaims(raw, claims, p.keys.KeyfuncCtx(ctx))
	return claims, err
}

// authorize decides a call, for all frameworks.
func (p *keyfuncPeer) authorize(ctx context.Context, procedure, raw string) (*keyfuncClaims, error) {
	claims, err := p.parse(ctx, raw)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("invalid token: %w", err))
	}
	if err := checkScopes(procedure, claims.Scope); err != nil {
		return nil, connect.NewError(connect.CodePermissionDenied, err)
	}
	return claims, nil
}

type keyfuncKey struct{}

func (p *keyfuncPeer) interceptor() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			raw, ok := strings.CutPrefix(request.Header().Get("Authorization"), "Bearer ")
			if !ok {
				return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("no bearer token"))
			}
			claims, err := p.authorize(ctx, request.Spec().Procedure, raw)
			if err != nil {
				return nil, err
			}
			return next(context.WithValue(ctx, keyfuncKey{}, claims), request)
		}
	}
}

// authnMiddleware is connectrpc.com/authn around a handler. authn leaves the token to its user: a
// keyfuncPeer decides. authn runs before the message is read, as our gate does.
func authnMiddleware(p *keyfuncPeer, handler http.Handler) http.Handler {
	return authn.NewMiddleware(func(ctx context.Context, request *http.Request) (any, error) {
		raw, ok := authn.BearerToken(request)
		if !ok {
			return nil, authn.Errorf("no bearer token")
		}
		procedure, ok := authn.InferProcedure(request.URL)
		if !ok {
			return nil, errors.New("no procedure")
		}
		return p.authorize(ctx, procedure, raw)
	}).Wrap(handler)
}

// grpcMiddleware is the auth interceptor of go-grpc-middleware for grpc-go. The interceptor leaves the
// token to its user: a keyfuncPeer decides.
func grpcMiddleware(p *keyfuncPeer) grpc.ServerOption {
	return grpc.ChainUnaryInterceptor(auth.UnaryServerInterceptor(func(ctx context.Context) (context.Context, error) {
		raw, err := auth.AuthFromMD(ctx, "bearer")
		if err != nil {
			return nil, err
		}
		procedure, ok := grpc.Method(ctx)
		if !ok {
			return nil, status.Error(codes.Internal, "no method")
		}
		claims, err := p.authorize(ctx, procedure, raw)
		if err != nil {
			return nil, status.Error(codes.Code(connect.CodeOf(err)), err.Error())
		}
		return context.WithValue(ctx, keyfuncKey{}, claims), nil
	}))
}
