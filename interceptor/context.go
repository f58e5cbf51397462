package interceptor

import (
	"context"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type contextKey struct{}

// A callContext is a call as the context of its handler. So a Guard allocates the call alone.
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
		return (*Call)(c).httpHeader()
	}
	return c.ctx.Value(key)
}

// Format implements [fmt.Formatter]: a printed context holds neither token nor claims.
func (c *callContext) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, "interceptor.Call") }

// Format implements [fmt.Formatter]: a printed call holds neither token nor claims.
func (c *Call) Format(out fmt.State, verb rune) { (*callContext)(c).Format(out, verb) }

// callFrom returns the call from whose context a context is made, or nil.
func callFrom(ctx context.Context) *Call {
	c, _ := ctx.Value(contextKey{}).(*Call)
	return c
}

// ClaimsFromContext returns the verified claims of the caller. The result is nil if the method is public
// or no guard has admitted the call of the context. The methods of nil Claims return zero values. A
// handler of a guarded method that is not public needs no check, since its claims are never nil. The handler of a
// service that [policy.WithShadow] names needs one: it gets the claims of a verified token for its API, whatever else the
// rule says, or nil. A function or an unguarded handler that a handler calls in process with its own context finds the
// claims of that handler's caller.
func ClaimsFromContext(ctx context.Context) *token.Claims {
	if c := callFrom(ctx); c != nil && !c.hidesClaims() {
		return own(c.claims)
	}
	return nil
}

// hidesClaims reports whether only the table of [WithShadow] has asked for the claims.
func (c *Call) hidesClaims() bool {
	return c.rule != nil && c.rule.Public && (c.rule.judged == nil || c.rule.judged.missing())
}

// A Way is the way in of a call: see [policy.Rule.Ways].
type Way struct {
	// Number is 0 for the rule's own way, 1 for the rule's first alternative, and so on.
	Number int
	// Organization is the organization of the token, which the request has named unless the way takes
	// the organization from the token alone. It is empty for a way of MODEL_GLOBAL_RESOURCE: the
	// caller acts for no organization.
	Organization string
}

// WayFromContext returns the first way that the request meets, as far as its messages were judged: the
// messages of a stream take ways away one by one. It reports false if the method is public or in shadow,
// or no guard has admitted the call of the context. In a context of [ContextWithClaims] or
// [ContextWithWay], the way has the organization of the claims.
func WayFromContext(ctx context.Context) (Way, bool) {
	c := callFrom(ctx)
	switch {
	case c == nil || c.claims == nil:
		return Way{}, false
	case c.rule == nil: // for a test of a handler
		return Way{bits.TrailingZeros32(c.state.Load()), c.claims.OrganizationID()}, true
	}
	proved := c.proved()
	if proved == 0 {
		return Way{}, false
	}
	return Way{bits.TrailingZeros32(uint32(proved)), c.organization}, true
}

// own returns a copy, or nil for nil. A user may overwrite claims, denials and details, which serve other
// calls, too: the user gets a copy.
func own[T any](shared *T) *T {
	if shared == nil {
		return nil
	}
	copied := *shared
	return &copied
}

// ContextWithClaims returns a context in which [ClaimsFromContext] finds the claims, for a test of a
// handler. Package guardtest makes claims for such a test. The context admits no call: a Guard verifies
// the token of every call. [WayFromContext] finds the rule's own way.
func ContextWithClaims(ctx context.Context, claims *token.Claims) context.Context {
	return ContextWithWay(ctx, claims, 0)
}

// ContextWithWay is [ContextWithClaims] for the test of a handler that asks for its way: [WayFromContext] finds the way
// with the number, from 0 to 15. ContextWithWay panics for any other number.
func ContextWithWay(ctx context.Context, claims *token.Claims, number int) context.Context {
	if number < 0 || !allWays.has(number) {
		panic("interceptor: ContextWithWay needs a number from 0 to 15: 0 is the rule's own way, and 1 its first alternative")
	}
	c := &Call{ctx: ctx, claims: claims}
	c.state.Store(1 << number)
	return c.Context()
}
