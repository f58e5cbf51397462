package clientauth

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/internal/downstream"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Forward returns a source that forwards the token of the caller. A handler must make the
// call with its own context. Forward is for Connect handlers: package grpcclientauth has a
// Forward for handlers of grpc-go.
//
// A token is forwarded only if a guard has verified it and let in its call. A call whose rule is in
// shadow (see [interceptor.ClaimsFromContext]) counts as let in if its token is for this service's API.
// Otherwise the call fails with [ErrNoCaller] and does not go out: in a public method, in a background job, or in a
// handler without a guard that is called in process. A context that is kept after the call
// still forwards, until the token expires. A forwarded token that is refused is not replaced.
//
// Prefer [Client.SourceFunc] unless you must act as the caller. A service that gets the token
// can do everything that the caller can do, at every service that accepts the token's audience.
// Forward the token only to services that you trust as much as this one. The other service must
// accept the audience of this service, and so accepts tokens that were meant for this service
// alone. It cannot tell the wish of the caller from a request that somebody tricked this
// service into (a confused deputy). A token of this service's own, for one organization, names
// the true caller and grants less.
func Forward() *Source {
	return ForwardFrom(func(ctx context.Context) []string {
		// A handler may be called in process without a guard, with the context of another call.
		info, ok := connect.CallInfoForHandlerContext(ctx)
		if !ok || !callctx.Admitted(ctx, info.RequestHeader()) {
			return nil
		}
		return info.RequestHeader().Values("Authorization")
	})
}

// ForwardFrom is [Forward] for other kinds of handlers. The function returns the values of the
// Authorization header of the call that a context belongs to. The token is forwarded only if
// [interceptor.ClaimsFromContext] has claims too. ForwardFrom cannot tell whether the claims are
// from the same call. A handler without a guard that is called in process, with the context of a
// guarded handler, would forward a token that no guard has verified.
func ForwardFrom(authorization func(context.Context) []string) *Source {
	if authorization == nil {
		panic("clientauth: ForwardFrom needs a function")
	}
	return &Source{func(ctx context.Context) (holder, error) {
		if interceptor.ClaimsFromContext(ctx) == nil {
			return nil, fmt.Errorf("clientauth: %w", ErrNoCaller)
		}
		raw, err := token.Bearer(authorization(ctx))
		if err != nil {
			return nil, fmt.Errorf("clientauth: %w: %w", ErrNoCaller, err)
		}
		return forwarded(raw), nil
	}}
}

// forwarded is a caller's token.
type forwarded string

func (f forwarded) token(context.Context) (*oauth2.Token, error) {
	extra := map[string]any{holderKey: f, downstream.ForwardedKey: true}
	return (&oauth2.Token{AccessToken: string(f), TokenType: "Bearer"}).WithExtra(extra), nil
}

func (forwarded) drop(*oauth2.Token) {}
