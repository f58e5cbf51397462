package interceptor

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

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

// A Guard decides who may call. It is a [connect.Interceptor] for handlers, leaves
// client calls alone, and is safe for concurrent use.
type Guard struct {
	authenticate func(ctx context.Context, authorization []string) (*token.Claims, error)
	exact        bool // authenticate accepts no token that has expired
	rules        rules
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
	g := &Guard{authenticate: authenticator(verifier), rules: rulesOf(table), options: options{streamExpiry: true}}
	if ok { // the type itself: what embeds it may have a Verify of its own
		g.authenticate, g.exact = v.Authenticate, true
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

func authenticator(verifier Verifier) func(context.Context, []string) (*token.Claims, error) {
	return func(ctx context.Context, authorization []string) (*token.Claims, error) {
		raw, err := token.Bearer(authorization)
		if err != nil {
			return nil, err
		}
		return verifier.Verify(ctx, raw)
	}
}

// admit is the first step of a call: what can be decided from its procedure
// and header.
func (g *Guard) admit(ctx context.Context, procedure string, header Header) (*admission, *Denial) {
	a := &admission{Context: ctx}
	denial := a.inRealm(g.judge(a, procedure, header))
	if denial == nil && a.byMessage() {
		return a, nil // observed once a message has named the organization
	}
	if denial = g.observe(ctx, a.event(denial)); denial != nil {
		return nil, denial
	}
	return a, nil
}

func (g *Guard) judge(a *admission, procedure string, header Header) (denial *Denial) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(a.Context, "the verifier", a.procedure(), p)
			denial = panicked("verifier", p)
		}
	}()
	rule, ok := g.rules.lookup(procedure)
	if !ok {
		return deny(ReasonRuleMissing, ruleCause(procedure))
	}
	if a.rule = rule; rule.Public {
		return nil
	}
	claims, err := g.authenticate(a.Context, header.Values("Authorization"))
	switch {
	case err != nil:
		return denyCredentials(header.Values("Authorization"), err)
	case claims == nil:
		return failed(errors.New("the verifier returned neither claims nor an error: it must return one of them"))
	}
	a.claims = claims
	if !g.exact && a.expired() {
		return &Denial{reason: ReasonTokenExpired, cause: errVerifiedExpired}
	}
	if a.organization, denial = decide(rule.Rule, claims); denial != nil {
		return denial
	}
	if !namesOrganization(rule.Organization, a.organization, header) {
		return deny(ReasonOrganizationMismatch, headerCause(rule.Organization, header))
	}
	return nil
}

// admitMessage is the second step of a unary call: it judges whether the message names
// the organization where it has to.
func (g *Guard) admitMessage(ctx context.Context, a *admission, message any) *Denial {
	if !a.byMessage() {
		return nil // observed when it was admitted
	}
	return g.observe(ctx, a.event(a.inRealm(judgeMessage(a, message))))
}

func judgeMessage(a *admission, message any) *Denial {
	m, ok := message.(proto.Message)
	if !ok {
		return deny(ReasonOrganizationMismatch, notProto)
	}
	if err := a.rule.Organization.Check(m, a.organization); err != nil {
		return &Denial{reason: ReasonOrganizationMismatch, cause: err}
	}
	return nil
}

// observe tells the observer and returns the event's denial, or one of its own if
// the observer panics: what cannot be observed does not happen.
func (g *Guard) observe(ctx context.Context, event Event) (denial *Denial) {
	if g.observer == nil {
		return event.Denial
	}
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, "the observer", event.Procedure, p)
			if denial = event.Denial; denial == nil {
				denial = panicked("observer", p)
			}
		}
	}()
	told := event
	told.Claims, told.Denial = ownClaims(event.Claims), event.Denial.own()
	g.observer(ctx, told)
	return event.Denial
}

func failed(cause error) *Denial { return &Denial{reason: ReasonGuardFailed, cause: cause} }

// panicked does not repeat what the panic says, which may be a secret, unless the
// runtime says it.
func panicked(who string, p any) *Denial {
	const remedy = "its stack is in the log of slog.Default: the server must repair it"
	if err, ok := runtimeError(p); ok {
		return failed(fmt.Errorf("panic in the %s: %w: %s", who, err, remedy))
	}
	return failed(fmt.Errorf("panic in the %s with a %T: %s", who, p, remedy))
}
