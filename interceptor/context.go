package interceptor

import (
	"context"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

type contextKey struct{}

// An admission is what the first step of a call found out: the one value that
// a Guard puts into the context.
type admission struct {
	claims       *token.Claims // nil if the rule is public
	rule         *policy.Rule
	organization string

	// For which call it was made. A handler may call another one in process, with
	// the same context.
	guard     *Guard
	procedure string // not the rule's, which may be that of a whole service
	header    http.Header
	used      atomic.Bool
}

// byMessage reports whether messages have to name the organization.
func (a *admission) byMessage() bool {
	return a.rule.Organization != nil && a.rule.Organization.Source == policy.SourceField
}

// expired reports whether the token has expired since it was verified: a request's
// body may take its time.
func (a *admission) expired() bool {
	return !a.rule.Public && !time.Now().Before(a.claims.Deadline())
}

// take reports whether the admission was made by this guard for this very call
// and has not counted before. The header that names the organization is read again,
// since the handler reads it after interceptors may have changed it.
func (a *admission) take(guard *Guard, procedure string, header http.Header) bool {
	return a != nil && a.guard == guard && a.procedure == procedure &&
		sameMap(a.header, header) && namesOrganization(a.rule.Organization, a.organization, header.Values) &&
		a.used.CompareAndSwap(false, true)
}

// sameMap reports whether two headers are one map, not whether they are equal.
func sameMap(a, b http.Header) bool {
	return a != nil && reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// ClaimsFromContext returns the verified claims of the caller, or nil if the
// method is public or the context is not that of a guarded call. The methods of
// nil Claims return nothing, so the handler of a guarded method that is not public
// needs no check. What a handler calls in process with its own context, without a
// guard, sees the handler's caller.
func ClaimsFromContext(ctx context.Context) *token.Claims {
	if a, ok := ctx.Value(contextKey{}).(*admission); ok {
		return a.claims
	}
	return nil
}

// ContextWithClaims returns a context from which [ClaimsFromContext] takes the
// claims: for tests of handlers. It admits nothing: a Guard that meets such a
// context verifies the call's own token.
func ContextWithClaims(ctx context.Context, claims *token.Claims) context.Context {
	return context.WithValue(ctx, contextKey{}, &admission{claims: claims})
}
