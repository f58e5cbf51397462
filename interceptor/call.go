package interceptor

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Header is the header of a request: [net/http.Header] is one, and the metadata of gRPC can be
// made one.
type Header interface {
	// Values returns all values of a field, each as it came. The name is matched without
	// regard to case.
	Values(name string) []string
}

// A Call is what the header of a request has proved. Adapters to RPC frameworks must have its
// messages judged too, also in public methods: by one of Judge, ServeUnary and Serve, called
// once. Messages are judged as the [proto.Message] of the method's input; anything else names no
// organization.
type Call struct {
	ctx          context.Context
	claims       *token.Claims // nil if the rule is public
	rule         *guardRule
	organization string

	// What a Connect call is known by. A handler may call another one in process, with the same
	// context.
	header http.Header
	gated  atomic.Bool // the gate has made it, and no interceptor has asked yet
}

// Admit is the first step of a call. Admit judges the procedure, as in "/pkg.Service/Method", and
// the header, and returns either a call or a denial. It is for adapters to RPC frameworks: for
// Connect there is [Guard.HandlerOption], and for others the packages beside this one.
func (g *Guard) Admit(ctx context.Context, procedure string, header Header) (*Call, *Denial) {
	c := &Call{ctx: ctx}
	denial := c.inRealm(g.admit(c, procedure, header))
	if denial == nil && c.AwaitsMessage() {
		return c, nil // observed once a message has named the organization
	}
	if denial = g.observe(ctx, c, denial); denial != nil {
		return nil, denial
	}
	return c, nil
}

func (g *Guard) admit(c *Call, procedure string, header Header) (denial *Denial) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(c.ctx, "the verifier", c.procedure(), p)
			denial = panicked("verifier", p)
		}
	}()
	rule, ok := g.rules.lookup(procedure)
	if !ok {
		return deny(ReasonRuleMissing, ruleCause(procedure))
	}
	if c.rule = rule; rule.Public {
		return nil
	}
	claims, err := g.authenticator.Authenticate(c.ctx, header.Values("Authorization"))
	if err != nil {
		return denyCredentials(header.Values("Authorization"), err)
	}
	c.claims = claims
	if c.organization, denial = decide(rule.Rule, claims); denial != nil {
		return denial
	}
	if !namesOrganization(rule.Organization, c.organization, header) {
		return deny(ReasonOrganizationMismatch, headerCause(rule.Organization, header))
	}
	return nil
}

// Context returns the context of a unary handler that runs after Judge: [ClaimsFromContext] finds
// the claims in it, also before Judge. Handlers that Serve and ServeUnary run are given a context.
func (c *Call) Context() context.Context { return (*callContext)(c) }

// AwaitsMessage reports whether a message has to name the organization: until one has, nothing
// of what the handler says may reach the client.
func (c *Call) AwaitsMessage() bool {
	return c.rule.Organization != nil && c.rule.Organization.Location == policy.LocationField
}

// Judge is the second step of a unary call whose one message has been read before the handler
// runs: the message that the handler gets. Judge also refuses a token that has expired since Admit.
// Judge returns nil if the handler may run: a nil *Denial, which is no nil error. The handler's
// error is for [Call.HandlerError].
func (c *Call) Judge(message any) *Denial {
	if c.expired() {
		return c.observe(c.Context(), c.inRealm(denyExpired()))
	}
	return c.judgeUnary(c.Context(), message)
}

func (c *Call) judgeUnary(ctx context.Context, message any) *Denial {
	if !c.AwaitsMessage() {
		return nil // observed when it was admitted
	}
	return c.observe(ctx, c.inRealm(c.judge(message)))
}

// judge judges whether a message names the organization.
func (c *Call) judge(message any) *Denial {
	m, ok := message.(proto.Message)
	if !ok {
		return deny(ReasonOrganizationMismatch, notProto)
	}
	if err := c.rule.Organization.Check(m, c.organization); err != nil {
		return &Denial{reason: ReasonOrganizationMismatch, cause: err}
	}
	return nil
}

// HandlerError returns the error of a handler, given the error that the handler has returned. A
// Denial in it is another call's and must not pass for a refusal of this call: then the error is
// what withoutDenial returns, or an error without a code if a Denial is still in there. See
// [Transport]. Serve and ServeUnary do this by themselves.
func (c *Call) HandlerError(err error, withoutDenial func(error) error) error {
	if !c.holdsOther(err) {
		return err
	}
	if withoutDenial != nil {
		if ordinary := withoutDenial(err); ordinary != nil && !c.holdsOther(ordinary) {
			return ordinary
		}
	}
	return errors.New("another call was refused: " + err.Error())
}

// holdsOther reports whether an error holds the denial of another call. Another guard that stands
// before the same handler refuses the same call.
func (c *Call) holdsOther(err error) bool {
	denial, ok := errors.AsType[*Denial](err)
	return ok && denial.orZero().within != c
}

// expired reports whether the token has expired since it was verified.
func (c *Call) expired() bool {
	return !c.rule.Public && !time.Now().Before(c.claims.Deadline())
}

// procedure returns the procedure of the rule, or "" without a rule. The result is never text of
// the client.
func (c *Call) procedure() string {
	if c.rule == nil {
		return ""
	}
	return c.rule.Procedure
}

// inRealm sets the realm of the rule, if there is one, on a denial, which may be nil.
func (c *Call) inRealm(denial *Denial) *Denial {
	if denial != nil && c.rule != nil {
		denial.realm = c.rule.realm
	}
	return denial
}

// observe tells the observer of a decision: see [Guard.observe].
func (c *Call) observe(ctx context.Context, denial *Denial) *Denial {
	return c.rule.guard.observe(ctx, c, denial)
}
