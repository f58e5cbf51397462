package clientauth

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Forward sends on the token of the caller: of the call in whose handler, with whose context,
// a call is made. It is for Connect handlers; package grpcclientauth has one for those of
// grpc-go.
//
// Only the token of a call that a guard has let in with a verified token is forwarded. Where
// there is none, as in a public method, a background job or a handler without a guard that is
// called in process, the call fails with [ErrNoCaller] and does not go out. A context that is
// kept when the call is over still forwards, until the token expires. A forwarded token that is
// refused is not replaced: there is no other.
//
// Prefer [Client.SourceFunc] unless you must act as the caller. Whoever gets a token can do
// with it what the caller can do, at every service that accepts its audience: forward it only
// to services that you trust as much as this one. The other service must accept the audience
// of this one, and so accepts what was meant for it alone; and it cannot tell what the caller
// wanted from what somebody made this service do (a confused deputy). A token of its own,
// for one organization, says who really calls and can do less.
func Forward() *Source {
	return ForwardFrom(func(ctx context.Context) []string {
		// A handler may be called in process, without a guard: then the claims are its caller's.
		info, ok := connect.CallInfoForHandlerContext(ctx)
		if !ok || !callctx.Admitted(ctx, info.RequestHeader()) {
			return nil
		}
		return info.RequestHeader().Values("Authorization")
	})
}

// ForwardFrom is [Forward] for other kinds of handlers, given what finds the values of the
// Authorization header of the call that a context belongs to. They count only if
// [interceptor.ClaimsFromContext] has claims too. Whether these are of the same call is not
// known: a handler without a guard that is called in process, with the context of one that has
// a guard, would forward what nobody has verified.
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
	return withHolder(f, &oauth2.Token{AccessToken: string(f), TokenType: "Bearer"}), nil
}

func (forwarded) drop(*oauth2.Token) {}
