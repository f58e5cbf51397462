package interceptor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Verifier verifies a bearer token. [token.Verifier] is the Verifier to use: a Guard calls its
// Authenticate, which is faster than Verify. A Verifier must be safe for concurrent use. Its errors
// should match the errors of package token, and must hold nothing of the token. Any other error
// refuses the call with [ReasonGuardFailed].
//
// A verifier of your own, such as one for API keys, makes its claims with [token.NewClaims].
type Verifier interface {
	Verify(ctx context.Context, raw string) (*token.Claims, error)
}

// A Guard decides who may call. It is safe for concurrent use. [Guard.HandlerOption] installs a Guard
// in handlers of connect-go.
type Guard struct {
	authenticator authenticator
	rules         rules
	shadowRules   rules // of WithShadow, or nil
	options
}

// An Option changes how a [Guard] works.
type Option func(*options)

type options struct {
	observers    []func(context.Context, Event)
	log          *refusalLog // nil if nothing is logged
	shadowTable  *policy.Table
	streamExpiry bool
}

// WithObserver calls a function with every decision: once when a call is let in, and once when a call
// is refused. A call that was let in may be refused later, when its token expires or when a message of
// its stream names another organization, user or client. A call that fails for another reason before the
// message that decides was judged, as with a message that cannot be decoded, is not observed.
// [Event.Shadow] tells decisions that do not count.
//
// The function must return quickly, be safe for concurrent use, and not use the connection of the
// call. If the function panics, a call that would have been let in is refused, which the other observers are told, too,
// and the stack goes to [log/slog.Default], as the stack of a panicking verifier does. Given twice, the option has both functions
// called. By default nobody observes. With an observer, the guard logs nothing unless [WithLogger] or
// [WithDefaultLog] is given, too. WithObserver panics if the function is nil.
func WithObserver(observer func(context.Context, Event)) Option {
	if observer == nil {
		panic("interceptor: WithObserver needs a function: without one, leave the option out")
	}
	return func(o *options) { o.observers = append(o.observers, observer) }
}

// WithoutStreamExpiry lets streams outlive their token. By default a stream ends when its token
// expires.
func WithoutStreamExpiry() Option {
	return func(o *options) { o.streamExpiry = false }
}

// New makes a guard that admits a call if the verifier accepts its token and the token satisfies the
// rule of the procedure in the table. The guard keeps a copy of the table. New panics if the verifier,
// the table or an option is nil. New also panics if a rule of the table, or of the table of [WithShadow],
// names a subject or a client, and neither the verifier nor [policy.WithSubjectIssuer] tells the issuer of
// these: see [Check]. New logs what the guard does not enforce, and whether no token can meet a rule.
func New(verifier Verifier, table *policy.Table, opts ...Option) *Guard {
	if isNil(verifier) || table == nil {
		panic("interceptor: New needs a verifier and a table: check the errors of NewVerifier and Compile")
	}
	g := &Guard{authenticator: checkedVerifier{verifier}, options: options{streamExpiry: true}}
	if v, ok := verifier.(*token.Verifier); ok { // the type itself: a type that embeds it may have its own Verify
		g.authenticator = v
	}
	ruleless() // now, and not at the first refusal
	for _, option := range opts {
		if option == nil {
			panic("interceptor: an option of New is nil")
		}
		option(&g.options)
	}
	if g.log == nil && len(g.observers) == 0 {
		g.log = new(refusalLog)
	}
	for _, each := range []*policy.Table{table, g.shadowTable} {
		if each == nil {
			continue
		}
		if err := untold(verifier, each); err != nil {
			panic(err.Error())
		}
	}
	g.rules = g.rulesOf(table, true)
	if g.shadowTable != nil {
		g.shadowRules = g.rulesOf(g.shadowTable, false)
	}
	g.logNotEnforced(table)
	g.logUnmet(verifier, table, g.shadowTable)
	return g
}

// An authenticator verifies the credentials of a request.
type authenticator interface {
	Authenticate(ctx context.Context, authorization []string) (*token.Claims, error)
}

// A checkedVerifier is a Verifier whose claims the guard checks once more.
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

var errVerifiedExpired = fmt.Errorf("%w: the server's Verifier has returned claims whose Deadline has passed: it must return claims that are good now", token.ErrExpired)

var errNoClaims = errors.New("the verifier returned neither claims nor an error: it must return one of them")

// authenticate verifies the credentials of a call.
func (g *Guard) authenticate(ctx context.Context, c *Call, authorization []string) (*token.Claims, error) {
	if len(g.observers) == 0 || len(authorization) == 0 {
		return g.authenticator.Authenticate(ctx, authorization)
	}
	start := time.Now()
	claims, err := g.authenticator.Authenticate(ctx, authorization)
	c.verification.Store(math.Float32bits(float32(time.Since(start).Seconds())))
	return claims, err
}
