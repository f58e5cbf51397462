package interceptor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Verifier verifies a bearer token. [token.Verifier] is one; a Guard that is given one
// calls its Authenticate, which is faster. A Verifier must be safe for concurrent use. Its
// errors should match those of package token, and hold nothing of the token; any other is
// answered with [ReasonGuardFailed].
type Verifier interface {
	Verify(ctx context.Context, raw string) (*token.Claims, error)
}

// A Guard decides who may call. It is safe for concurrent use. [Guard.HandlerOption] installs it
// in handlers of connect-go.
type Guard struct {
	authenticator authenticator
	rules         rules
	options
}

// An Option changes how a [Guard] works.
type Option func(*options)

type options struct {
	observer     func(context.Context, Event)
	streamExpiry bool
}

// WithObserver calls a function when a call is let in and when one is refused. A
// call that was let in can be refused later, when its token expires or, on a
// stream, when a message names another organization. A call that fails for another
// reason before its organization could be checked, as with a message that cannot be
// decoded, is neither. The function must return quickly, be safe for concurrent use,
// and not use the call's connection. If it panics, a call that would have been let
// in is refused, and the stack goes to [log/slog.Default], as the stack of a panicking verifier does. The
// default is none.
func WithObserver(observer func(context.Context, Event)) Option {
	return func(o *options) { o.observer = observer }
}

// WithoutStreamExpiry lets streams outlive their token. By default they end when
// it expires.
func WithoutStreamExpiry() Option {
	return func(o *options) { o.streamExpiry = false }
}

// An Event is one decision of a [Guard].
type Event struct {
	// Procedure names the rule that decided: "/pkg.Service/Method", or "/pkg.Service/*" for a
	// service that policy.WithPublic opens without a descriptor. Procedure is empty if there is
	// no rule: the name is then the client's own text, which the cause of the denial holds,
	// cut off and escaped. So a metric by Procedure has as many series as the table has rules,
	// and one for the empty Procedure.
	Procedure string
	// Claims are those of the verified token: nil if the method is public, and if
	// the token was refused.
	Claims *token.Claims
	// Denial is nil if the call was let in. Log the Reason, and the cause from Unwrap.
	Denial *Denial
}

// New makes a guard that admits callers whose token the verifier accepts and
// satisfies the rule in the table, of which it keeps a copy. It panics if the verifier,
// the table or an option is nil.
func New(verifier Verifier, table *policy.Table, opts ...Option) *Guard {
	v, ok := verifier.(*token.Verifier)
	if verifier == nil || ok && v == nil || table == nil {
		panic("interceptor: New needs a verifier and a table: check the errors of NewVerifier and Compile")
	}
	g := &Guard{authenticator: checkedVerifier{verifier}, options: options{streamExpiry: true}}
	g.rules = g.rulesOf(table)
	if ok { // the type itself: what embeds it may have a Verify of its own
		g.authenticator = v
	}
	ruleless() // now, and not for the first refusal
	for _, option := range opts {
		if option == nil {
			panic("interceptor: an option of New is nil")
		}
		option(&g.options)
	}
	return g
}

// An authenticator verifies the credentials of a request.
type authenticator interface {
	Authenticate(ctx context.Context, authorization []string) (*token.Claims, error)
}

// A checkedVerifier is a Verifier of somebody else's.
type checkedVerifier struct{ Verifier }

// Authenticate implements authenticator.
func (v checkedVerifier) Authenticate(ctx context.Context, authorization []string) (*token.Claims, error) {
	raw, err := token.Bearer(authorization)
	if err != nil {
		return nil, err
	}
	claims, err := v.Verify(ctx, raw)
	switch {
	case err != nil:
		return nil, err
	case claims == nil:
		return nil, errNoClaims
	case !time.Now().Before(claims.Deadline()):
		return nil, errVerifiedExpired
	}
	return claims, nil
}

var errVerifiedExpired = fmt.Errorf("%w: the server's Verifier has returned expired claims: it must check exp on every call", token.ErrExpired)

var errNoClaims = errors.New("the verifier returned neither claims nor an error: it must return one of them")

// observe tells the observer of a decision and returns the denial, or one of its own if the observer
// panics without one: what cannot be observed does not happen.
func (g *Guard) observe(ctx context.Context, call *Call, denial *Denial) (decided *Denial) {
	if g.observer == nil {
		return denial
	}
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, "the observer", call.procedure(), p)
			if decided = denial; denial == nil {
				decided = panicked("observer", p)
			}
		}
	}()
	g.observer(ctx, Event{Procedure: call.procedure(), Claims: own(call.claims), Denial: own(denial)})
	return denial
}
