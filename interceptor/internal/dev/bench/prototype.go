package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// A prototype is the least that an interceptor which caches tokens can do: it finds the
// claims of a whole token in a map without any bound, and compares times, scopes, audience
// and, where a message names one, the organization. On a miss it is what keyfuncPeer is.
// It refuses neither a token whose key has been withdrawn nor two Authorization headers,
// and never forgets anything.
type prototype struct {
	verifier *keyfuncPeer
	known    sync.Map // of string to *prototypeClaims
}

type prototypeClaims struct {
	subject, organization string
	audience, scopes      []string
	expiry                time.Time
}

type prototypeKey struct{}

func (p *prototype) lookup(ctx context.Context, raw string) (*prototypeClaims, error) {
	if found, ok := p.known.Load(raw); ok {
		if claims, ok := found.(*prototypeClaims); ok {
			return claims, nil
		}
	}
	parsed, err := p.verifier.parse(ctx, raw)
	if err != nil {
		return nil, err
	}
	claims := &prototypeClaims{
		subject: parsed.Subject, organization: parsed.OrganizationID,
		audience: parsed.Audience, scopes: splitScopes(parsed.Scope), expiry: parsed.ExpiresAt.Time,
	}
	p.known.Store(raw, claims)
	return claims, nil
}

func (p *prototype) verify(ctx context.Context, raw string) (string, error) {
	claims, err := p.lookup(ctx, raw)
	if err != nil {
		return "", err
	}
	return claims.subject, nil
}

func (p *prototype) interceptor() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			raw, err := bearer(request.Header().Get("Authorization"))
			if err != nil {
				return nil, connect.NewError(connect.CodeUnauthenticated, err)
			}
			claims, err := p.lookup(ctx, raw)
			switch {
			case err != nil:
				return nil, connect.NewError(connect.CodeUnauthenticated, err)
			case !time.Now().Before(claims.expiry):
				return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("expired"))
			case !slices.Contains(claims.audience, api):
				return nil, connect.NewError(connect.CodePermissionDenied, errors.New("another audience"))
			}
			if err := checkScopes(request.Spec().Procedure, claims.scopes); err != nil {
				return nil, connect.NewError(connect.CodePermissionDenied, err)
			}
			if message, ok := request.Any().(interface{ GetOrganizationId() string }); ok && message.GetOrganizationId() != claims.organization {
				return nil, connect.NewError(connect.CodePermissionDenied, errors.New("another organization"))
			}
			return next(context.WithValue(ctx, prototypeKey{}, claims), request)
		}
	}
}
