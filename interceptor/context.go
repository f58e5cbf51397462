package interceptor

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type contextKey struct{}

// A callContext is a call as the context of its handler, so that the call is all that a Guard
// allocates.
type callContext Call

// Deadline implements [context.Context].
func (c *callContext) Deadline() (time.Time, bool) { return c.ctx.Deadline() }

// Done implements [context.Context].
func (c *callContext) Done() <-chan struct{} { return c.ctx.Done() }

// Err implements [context.Context].
func (c *callContext) Err() error { return c.ctx.Err() }

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	switch key {
	case contextKey{}:
		return (*Call)(c)
	case callctx.HeaderKey{}:
		return c.header
	}
	return c.ctx.Value(key)
}

// Format implements [fmt.Formatter]: a printed context holds neither token nor claims.
func (c *callContext) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, "interceptor.Call") }

// Format implements [fmt.Formatter]: a printed call holds neither token nor claims.
func (c *Call) Format(out fmt.State, verb rune) { (*callContext)(c).Format(out, verb) }

// callFrom returns the call that a context is made from, or nil.
func callFrom(ctx context.Context) *Call {
	c, _ := ctx.Value(contextKey{}).(*Call)
	return c
}

// ClaimsFromContext returns the verified claims of the caller, or nil if the
// method is public or the context is not that of a guarded call. The methods of
// nil Claims return nothing, so the handler of a guarded method that is not public
// needs no check. What a handler calls in process with its own context, without a
// guard, sees the handler's caller.
func ClaimsFromContext(ctx context.Context) *token.Claims {
	if c := callFrom(ctx); c != nil {
		return own(c.claims)
	}
	return nil
}

// own returns a copy for somebody who may overwrite the copy: the same claims, denials and details
// serve others, too. The copy of nil is nil.
func own[T any](shared *T) *T {
	if shared == nil {
		return nil
	}
	copied := *shared
	return &copied
}

// ContextWithClaims returns a context from which [ClaimsFromContext] takes the
// claims: for tests of handlers. guardtest.Claims (package guardtest) makes claims for them.
// The context admits nothing: a Guard that meets it verifies the call's own token.
func ContextWithClaims(ctx context.Context, claims *token.Claims) context.Context {
	return (&Call{ctx: ctx, claims: claims}).Context()
}
