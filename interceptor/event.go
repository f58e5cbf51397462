package interceptor

import (
	"cmp"
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// UnknownProcedure is the [Event.Procedure] of a call whose procedure has no rule.
const UnknownProcedure = "unknown"

// An Event is one decision of a [Guard].
type Event struct {
	// Procedure is the procedure of the rule: "/pkg.Service/Method", or "/pkg.Service/*" for a
	// service that [policy.WithPublic] makes public without a descriptor. Without a rule Procedure is
	// [UnknownProcedure], and the cause of the denial holds the name that the client has sent, cut off and
	// escaped. So a metric by Procedure has one series for each rule, and one more.
	Procedure string
	// Claims are the claims of the verified token, or nil if the token was not read or was refused.
	Claims *token.Claims
	// Denial is nil if the rule lets the call in: compare it with nil, since a nil Denial has a Reason too. Log the
	// Reason, and the cause that Unwrap returns.
	Denial *Denial
	// Organization is the organization that the request names, or "" if the request names none that
	// was read. If the token was judged and the rule lets the call in, it is the organization of the token. Otherwise
	// it is text of the client, cut off after 200 characters, in which characters that are not printable ASCII are
	// escaped.
	Organization string
	// Ways are the numbers of ways, for a rule with Alternatives: see [policy.Rule.Ways]. If the rule lets the call in,
	// they are the ways that are left then: a message of a stream may take ways away later. For a refusal, it is the way
	// that came furthest in the order of the checks (model, audience, caller, scopes, organization, subject), the first of
	// equals, and the Denial is of that way. Ways is nil for a rule without Alternatives, and if no way was judged.
	Ways []int
	// Peer is the address of the client, as the framework tells it, or "".
	Peer string
	// Protocol is "connect", "grpc" or "grpcweb", as the framework tells it, or "" for a call in process.
	Protocol string
	// Public says that a public rule has let the call in: no token was judged.
	Public bool
	// Shadow is empty for a decision that counts. Otherwise the decision ends no call.
	Shadow Shadow
	// RefusedAnyway says that the rule that counts refuses the call at this moment, too. It is set for a refusal by the
	// table of [WithShadow] alone. So the other refusals by this table are new.
	RefusedAnyway bool
	// Verification is how long the verifier took, or 0 if the rule needs no token or the request has none. Only the
	// first event of a call has it.
	Verification time.Duration

	table *policy.Table // that has the rule, or nil
}

// Rule returns a copy of the rule, or nil without one.
func (e Event) Rule() *policy.Rule {
	if e.table == nil {
		return nil
	}
	rule, _ := e.table.Lookup(e.Procedure)
	return rule
}

// An Outcome is an [Event] in one word. Its text is stable.
type Outcome string

// All outcomes.
const (
	// OutcomeAllowed means that the rule lets the call in.
	OutcomeAllowed Outcome = "allowed"
	// OutcomeRefused means that the rule refuses the call.
	OutcomeRefused Outcome = "refused"
	// OutcomeNotJudged means that the token of a call in shadow could not be verified. The Denial holds the cause.
	// A call whose rule is enforced is refused then.
	OutcomeNotJudged Outcome = "not_judged"
)

// Outcome returns what the rule says about the call.
func (e Event) Outcome() Outcome {
	switch {
	case e.Denial == nil:
		return OutcomeAllowed
	case e.Shadow != "" && e.Denial.Code() == connect.CodeUnavailable:
		return OutcomeNotJudged
	default:
		return OutcomeRefused
	}
}

// A decision is what a rule says about a call. Rule and denial may be nil.
type decision struct {
	rule   *guardRule
	left   waySet // if the rule lets the call in
	denial *Denial
	shadow Shadow
	anyway bool         // the enforced rule refuses the call, too
	peer   connect.Peer // or the zero Peer, if the request of the call tells the peer
}

// observe tells the observers and the log a decision, and returns the denial. If an observer panics when a call is
// let in, observe returns a denial: no call is let in without its observers.
func (g *Guard) observe(ctx context.Context, c *Call, d decision) *Denial {
	if len(g.observers) == 0 && (d.denial == nil || g.log == nil) {
		return d.denial
	}
	event := c.event(ctx, d)
	broken := -1 // the first observer that has panicked
	for n, observer := range g.observers {
		if panicked := tell(ctx, observer, event); panicked != nil && broken < 0 {
			broken = n
			d.denial = cmp.Or(d.denial, panicked)
		}
	}
	if event.Denial == nil && d.denial != nil && d.shadow == "" {
		event.Denial, event.Public = d.denial, false
		for n, observer := range g.observers {
			if n != broken { // the others have heard that the call is let in
				_ = tell(ctx, observer, event)
			}
		}
	}
	if event.Denial != nil && !event.RefusedAnyway {
		g.log.refused(ctx, event)
	}
	return d.denial
}

// tell calls an observer, and returns a denial if the observer panics.
func tell(ctx context.Context, observer func(context.Context, Event), event Event) (denial *Denial) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, "an observer", event.Procedure, p)
			denial = panicked("observer", p)
		}
	}()
	event.Claims, event.Denial = own(event.Claims), own(event.Denial)
	observer(ctx, event)
	return nil
}

// event makes the event of a decision.
func (c *Call) event(ctx context.Context, d decision) Event {
	event := Event{
		Procedure: UnknownProcedure,
		Claims:    c.claims,
		Denial:    d.denial,
		Shadow:    d.shadow,

		RefusedAnyway: d.anyway && d.denial != nil,
		Verification:  time.Duration(float64(math.Float32frombits(c.verification.Swap(0))) * float64(time.Second)),
	}
	if d.rule != nil {
		event.Procedure, event.table = d.rule.Procedure, d.rule.table
	}
	switch public := d.rule != nil && d.rule.Public; {
	case public:
		event.Claims, event.Public = nil, d.denial == nil
	case d.denial != nil:
		event.Organization = printable(d.denial.named)
	default:
		event.Organization = c.claims.OrganizationID()
	}
	event.Ways = d.ways()
	if d.peer.Protocol == "" {
		d.peer = c.peer(ctx)
	}
	event.Peer, event.Protocol = d.peer.Addr, d.peer.Protocol
	return event
}

// ways returns the numbers of the ways that a decision is about, or nil for a rule with one way.
func (d *decision) ways() (numbers []int) {
	switch {
	case d.rule == nil || len(d.rule.ways) < 2:
	case d.denial != nil && d.denial.way != nil:
		numbers = []int{d.denial.way.number}
	case d.denial == nil:
		for n := range d.rule.ways {
			if d.left.has(n) {
				numbers = append(numbers, n)
			}
		}
	}
	return numbers
}

// peer returns the client as an adapter tells it. An adapter that panics must not end the call.
func (c *Call) peer(ctx context.Context) (peer connect.Peer) {
	from, ok := c.request.(interface{ Peer() connect.Peer })
	if !ok {
		return peer
	}
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, "Header.Peer", c.procedure(), p)
		}
	}()
	return from.Peer()
}

// maxNamed is how many characters of a client's text an event holds.
const maxNamed = 200

// printable returns a text of the client that cannot pass for lines of a log.
func printable(text string) string {
	cut := text
	if len(cut) > 4*maxNamed {
		cut = cut[:4*maxNamed] // a character has at most four bytes
	}
	quoted := strconv.QuoteToASCII(cut)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if len(quoted) > maxNamed {
		quoted = quoted[:maxNamed]
	}
	return quoted
}
