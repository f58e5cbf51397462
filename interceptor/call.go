package interceptor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Header is the header of a request, as [net/http.Header] is. An adapter makes a Header of the
// metadata of gRPC.
type Header interface {
	// Values returns all values of a field, each as the client has sent it. Case does not matter
	// in the name.
	Values(name string) []string
}

// A Call is what the header of a request has proved. Adapters to RPC frameworks must have the messages
// of the call judged too, also in public methods: by one of Judge, ServeUnary and Serve, called
// once. A message must be a [proto.Message] of the method's input: anything else names nobody.
type Call struct {
	ctx          context.Context // a *renewal if the claims may end before their token
	claims       *token.Claims   // nil if no token was verified
	rule         *guardRule      // that decides. It is public if its service is in shadow
	tableRule    *guardRule      // of the table of WithShadow, or nil
	request      Header          // a connectHeader if the call is of connect-go
	organization string
	verification atomic.Uint32 // seconds until an event has told them, as the bits of a float32, which takes little memory
	state        atomic.Uint32 // the ways that are left, judgedBit and gatedBit: one word takes little memory
}

// Admit is the first step of a call. By the procedure, as in "/pkg.Service/Method", and the header of
// the request, Admit returns either a call or a denial. Admit is for adapters to RPC frameworks:
// [Guard.HandlerOption] is for connect-go, and packages grpcguard and connectv2guard for grpc-go and
// connect-go v2.
//
// A rule may have several ways in: see [policy.Rule.Ways]. The call keeps the ways that its header meets, and each
// message that is judged takes away the ways that the message does not meet. A call without a way left is refused. So
// an adapter must have every message judged, also if [Call.AwaitsMessage] reports false.
//
// The Header may have a method Peer() [connect.Peer], which tells the address and the protocol of the client. Events
// then hold both.
func (g *Guard) Admit(ctx context.Context, procedure string, header Header) (*Call, *Denial) {
	return g.admitFrom(ctx, procedure, header, connect.Peer{})
}

func (g *Guard) admitFrom(ctx context.Context, procedure string, header Header, peer connect.Peer) (*Call, *Denial) {
	c := &Call{ctx: ctx, request: header}
	denial := c.inRealm(g.admit(c, procedure, header))
	c.shadowAdmit(ctx, procedure, header, denial, peer)
	switch {
	case denial != nil:
	case c.rule.judged != nil: // not enforced, and observed as such
		return c, nil
	case c.AwaitsMessage(): // decided, and observed, when a message is judged
		return c, nil
	}
	if denial = g.observe(ctx, c, decision{rule: c.rule, left: c.left(), denial: denial, peer: peer}); denial != nil {
		return nil, denial
	}
	return c, nil
}

func (g *Guard) admit(c *Call, procedure string, header Header) (denial *Denial) {
	defer recoverVerifier(c, &denial)
	rule, ok := g.rules.lookup(procedure)
	if !ok {
		return deny(ReasonRuleMissing, ruleCause(procedure))
	}
	switch c.rule = rule; {
	case rule.missing():
		return deny(ReasonRuleMissing, unannotated)
	case rule.Public:
		return nil
	}
	authorization := header.Values("Authorization")
	claims, err := g.authenticate(c.ctx, c, authorization)
	if err != nil {
		return rule.noteOrganization(denyCredentials(authorization, err), header)
	}
	c.claims = claims
	if endsEarly(claims) {
		c.ctx = newRenewal(c.ctx, claims, authorization)
	}
	var left waySet
	c.organization, left, denial = rule.admit(claims, header)
	c.state.Store(uint32(left))
	return denial
}

// recoverVerifier, deferred, refuses a call whose verifier panics.
func recoverVerifier(c *Call, denial **Denial) {
	if p := recover(); p != nil {
		logPanic(c.ctx, "the verifier", c.procedure(), p)
		*denial = panicked("verifier", p)
	}
}

// noteOrganization notes the organization that the header of a refused call names.
func noteOrganization(denial *Denial, organization *policy.Organization, header Header) *Denial {
	if denial != nil && organization != nil && organization.Location == policy.LocationHeader {
		denial.named = strings.Join(header.Values(organization.Name), ", ")
	}
	return denial
}

// noteOrganization notes the organization that the header of a call names whose token was not verified.
func (r *guardRule) noteOrganization(denial *Denial, header Header) *Denial {
	for n := range r.ways {
		if denial = noteOrganization(denial, r.ways[n].Organization, header); denial.named != "" {
			break
		}
	}
	return denial
}

// Context returns the context for a unary handler that runs after Judge. [ClaimsFromContext] finds the
// claims in the context, also before Judge. Serve and ServeUnary give their handler another context.
func (c *Call) Context() context.Context { return (*callContext)(c) }

// AwaitsMessage reports whether each way that the header has left needs a message, which names the
// organization, the user or the client. Until a message has met a way, nothing of the handler may reach the
// client. A message does not change the result. A message must be judged in any case: it may take away ways.
func (c *Call) AwaitsMessage() bool { return c.rule.ways != nil && c.left()&c.rule.free == 0 }

// Judge is the second step of a unary call whose framework reads the message before the handler runs.
// Judge takes the message that the handler gets, and returns nil if the handler may run. Judge also
// refuses a token that has expired since Admit, or that the verifier no longer accepts: see
// [token.Claims.Deadline]. The result is a *Denial: do not return it as an error without comparing it
// with nil. The error of the handler is for [Call.HandlerError].
func (c *Call) Judge(message any) *Denial { return c.judgeInTime(c.Context(), message, connect.Peer{}) }

// judgeInTime is judgeUnary for a message that may have come late.
func (c *Call) judgeInTime(ctx context.Context, message any, peer connect.Peer) *Denial {
	if denial := c.outdated(); denial != nil {
		return c.observe(ctx, c.inRealm(denial), peer)
	}
	return c.judgeUnary(ctx, message, peer)
}

func (c *Call) judgeUnary(ctx context.Context, message any, peer connect.Peer) *Denial {
	var denial *Denial
	awaited := c.AwaitsMessage()
	if c.rule.judges() {
		denial = c.inRealm(c.judge(message))
	}
	c.shadowJudge(ctx, message, denial != nil, peer)
	if !awaited && denial == nil {
		return nil // decided, and observed, when the call was admitted
	}
	return c.observe(ctx, denial, peer)
}

// HandlerError returns the error with which the call ends, given the error of the handler. The error of
// a handler may hold the Denial of another call, which must not pass for a refusal of this call. Such
// an error becomes the result of withoutDenial, or an error without a code if withoutDenial is nil or
// its result still holds a Denial. See Transport.WithoutDenial. Serve and ServeUnary call HandlerError
// by themselves.
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

// holdsOther reports whether an error holds the denial of another call. A denial of another guard that
// stands before the same handler is a denial of this call.
func (c *Call) holdsOther(err error) bool {
	denial, ok := errors.AsType[*Denial](err)
	return ok && denial.orZero().within != c
}

// procedure returns the procedure of the rule, or "" without a rule. The result never holds text of the
// client.
func (c *Call) procedure() string {
	if c.rule == nil {
		return ""
	}
	return c.rule.Procedure
}

// inRealm sets the realm of the rule, if there is one, on a denial, which may be nil. The denial of a way
// has a realm already.
func (c *Call) inRealm(denial *Denial) *Denial {
	if denial != nil && denial.way == nil && c.rule != nil {
		denial.realm = c.rule.realm
	}
	return denial
}

// observe tells the observers a decision by the enforced rule: see [Guard.observe].
func (c *Call) observe(ctx context.Context, denial *Denial, peer connect.Peer) *Denial {
	return c.rule.guard.observe(ctx, c, decision{rule: c.rule, left: c.left(), denial: denial, peer: peer})
}

// httpHeader returns the header of a call of connect-go, or nil. It tells the call from calls that its handler makes in
// process.
func (c *Call) httpHeader() http.Header {
	if c == nil {
		return nil
	}
	header, _ := c.request.(connectHeader)
	return http.Header(header)
}
