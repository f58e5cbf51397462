package interceptor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type contextKey struct{}

// An admission is what the first step of a call found out. It is also the context that it
// is found in, so that it is all that a Guard allocates for a call.
type admission struct {
	context.Context

	claims       *token.Claims // nil if the rule is public
	rule         *guardRule
	organization string

	// For which call it was made. A handler may call another one in process, with
	// the same context.
	guard  atomic.Pointer[Guard] // whose gate made it: nil once it has counted
	header http.Header
}

// Value implements [context.Context].
func (a *admission) Value(key any) any {
	switch key {
	case contextKey{}:
		return a
	case callctx.HeaderKey{}:
		return a.header
	}
	return a.Context.Value(key)
}

// Format implements [fmt.Formatter]: a printed context holds neither token nor claims.
func (a *admission) Format(out fmt.State, _ rune) {
	_, _ = io.WriteString(out, "interceptor.admission")
}

// event is what the observer is told of a decision.
func (a *admission) event(denial *Denial) Event {
	return Event{Procedure: a.procedure(), Claims: a.claims, Denial: denial}
}

// procedure returns the procedure of the rule, or "" without a rule. The result is never text of
// the client.
func (a *admission) procedure() string {
	if a.rule == nil {
		return ""
	}
	return a.rule.Procedure
}

// byMessage reports whether messages have to name the organization.
func (a *admission) byMessage() bool {
	return a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField
}

// expired reports whether the token has expired since it was verified.
func (a *admission) expired() bool {
	return !a.rule.Public && !time.Now().Before(a.claims.Deadline())
}

// inRealm sets the realm of the rule, if there is one, on a denial, which may be nil.
func (a *admission) inRealm(denial *Denial) *Denial {
	if denial != nil && a.rule != nil {
		denial.realm = a.rule.realm
	}
	return denial
}

// take reports whether the admission was made by this guard for this very call
// and has not counted before. The header that names the organization is read again,
// since the handler reads it after interceptors may have changed it.
func (a *admission) take(guard *Guard, procedure string, header http.Header) bool {
	return a != nil && a.guard.Load() == guard && a.covers(procedure, guard) &&
		callctx.SameHeader(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header) &&
		a.guard.CompareAndSwap(guard, nil)
}

// covers reports whether the admission's rule is that of a procedure. Those of a service
// that is public as a whole have one rule.
func (a *admission) covers(procedure string, guard *Guard) bool {
	if !a.rule.Public {
		return a.rule.Procedure == procedure
	}
	rule, ok := guard.rules.lookup(procedure)
	return ok && rule == a.rule
}

// ClaimsFromContext returns the verified claims of the caller, or nil if the
// method is public or the context is not that of a guarded call. The methods of
// nil Claims return nothing, so the handler of a guarded method that is not public
// needs no check. What a handler calls in process with its own context, without a
// guard, sees the handler's caller.
func ClaimsFromContext(ctx context.Context) *token.Claims {
	if a, ok := ctx.Value(contextKey{}).(*admission); ok {
		return ownClaims(a.claims)
	}
	return nil
}

// ownClaims returns a copy for somebody who may overwrite it: the same claims serve other calls.
func ownClaims(claims *token.Claims) *token.Claims {
	if claims == nil {
		return nil
	}
	own := *claims
	return &own
}

// ContextWithClaims returns a context from which [ClaimsFromContext] takes the
// claims: for tests of handlers. It admits nothing: a Guard that meets such a
// context verifies the call's own token.
func ContextWithClaims(ctx context.Context, claims *token.Claims) context.Context {
	return &admission{Context: ctx, claims: claims}
}
