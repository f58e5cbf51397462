package main

import (
	"context"
	"errors"
	"net/http"

	"connectrpc.com/authn"
)

// authnMiddleware is connectrpc.com/authn around a handler, which leaves the token to its
// user: here it does what keyfuncPeer does, and checks and misses the same. It runs before
// the message is read, as our gate does.
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
