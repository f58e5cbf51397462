package interceptor

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A waySet is a set of ways of a rule: bit n stands for the way with the number n.
type waySet uint32

// judgedBit, beside the ways that a call has left, says that a message has been judged. gatedBit
// says that the gate of connect-go has made the call, and that no interceptor has asked yet.
const (
	allWays   waySet = 1<<16 - 1
	judgedBit uint32 = 1 << 16
	gatedBit  uint32 = 1 << 17
)

func (s waySet) has(n int) bool { return s&(1<<n) != 0 }

// A guardWay is a way with the realm of its challenges.
type guardWay struct {
	*policy.Way

	realm  *realm
	number int
}

// awaitsMessage reports whether a message has to name the organization, the user or the client.
func (w *guardWay) awaitsMessage() bool {
	return w.Subject != nil || w.Client != nil || inMessage(w.Organization)
}

// inMessage reports whether a message has to name the organization.
func inMessage(organization *policy.Organization) bool {
	return organization != nil && organization.Location == policy.LocationField
}

// admit returns the ways that the claims and the header of a call leave, and the organization of the
// token. If no way is left, admit returns the denial of the way that came furthest.
func (r *guardRule) admit(claims *token.Claims, header Header) (organization string, left waySet, denial *Denial) {
	for n := range r.ways {
		way := r.ways[n].Way
		// A call goes by one way of several as a rule: nobody would read the denials of the others.
		if !callerAllowed(way.Caller, claims.Caller()) || !scopesGranted(way, claims) {
			continue
		}
		if found, refused := decideHeader(way, claims, header); refused == nil {
			organization, left = found, left|1<<n // a token has the same organization for all ways that it opens
		}
	}
	if left == 0 {
		denial = r.furthest(claims, header)
	}
	return organization, left, denial
}

// furthest returns the denial of the way that came furthest, for a call whose header leaves no way.
func (r *guardRule) furthest(claims *token.Claims, header Header) (denial *Denial) {
	for n := range r.ways {
		if _, refused := decideHeader(r.ways[n].Way, claims, header); refused != nil {
			denial = further(denial, r.ways[n].denies(refused))
		}
	}
	if denial == nil {
		denial = deny(ReasonRuleMissing, unknownModel)
	}
	return denial
}

// judge returns the ways that a message leaves, out of the ways that are left. If no way is left, judge
// returns the denial of the way that came furthest.
func (r *guardRule) judge(left waySet, organization string, claims *token.Claims, message any) (waySet, *Denial) {
	var denial *Denial
	for n := range r.ways {
		way := &r.ways[n]
		if !left.has(n) || !way.awaitsMessage() {
			continue
		}
		if refused := judge(way.Way, organization, claims, message); refused != nil {
			denial, left = further(denial, way.denies(refused)), left&^(1<<n)
		}
	}
	if left != 0 {
		denial = nil
	}
	return left, denial
}

// renew returns the ways that new claims of the token leave, out of the ways that are left. With no way left, there is a
// denial: another goroutine may have taken the last way, and not refused the call yet.
func (r *guardRule) renew(left waySet, claims *token.Claims) (organization string, still waySet, denial *Denial) {
	for n := range r.ways {
		way := &r.ways[n]
		if !left.has(n) {
			continue
		}
		found, refused := decide(way.Way, claims)
		if refused == nil {
			refused = checkIdentifiers(way.Way, claims)
		}
		if refused != nil {
			denial = further(denial, way.denies(refused))
			continue
		}
		organization, still = found, still|1<<n
	}
	if left == 0 {
		denial = denyToken(errOtherParty)
	}
	return organization, still, denial
}

// unproved refuses a call in which no message has named what the ways that are left ask for. There is a denial also with
// no way left: see [guardRule.renew].
func (r *guardRule) unproved(left waySet, cause string) *Denial {
	denial := denyToken(errOtherParty) // each way that is left came further
	for n := range r.ways {
		if way := &r.ways[n]; left.has(n) {
			denial = further(denial, way.denies(way.unproved(cause)))
		}
	}
	return denial
}

func (w *guardWay) unproved(cause string) *Denial {
	switch {
	case inMessage(w.Organization):
		return deny(ReasonOrganizationMismatch, fmt.Sprintf(cause, "organization", w.Organization.Name))
	case w.Subject != nil:
		return deny(ReasonSubjectMismatch, fmt.Sprintf(cause, "subject", w.Subject.Name))
	default:
		return deny(ReasonSubjectMismatch, fmt.Sprintf(cause, "client", w.Client.Name))
	}
}

// denies notes the way on a denial, and returns the denial.
func (w *guardWay) denies(denial *Denial) *Denial {
	denial.way, denial.realm = w, w.realm
	return denial
}

// further returns the denial of the way that came further in the order of the checks, or the first of
// equals.
func further(first, second *Denial) *Denial {
	if first == nil || stage(second.reason) > stage(first.reason) {
		return second
	}
	return first
}

// stages are the checks of a way in their order, by the reasons with which they refuse.
var stages = []Reason{
	ReasonModelMismatch, ReasonAudienceMismatch, ReasonCallerNotAllowed, ReasonScopeInsufficient, ReasonOrganizationMismatch, ReasonSubjectMismatch,
}

// stage returns how far a way came that was refused with a reason: -1 for a reason that is of no way.
func stage(reason Reason) int { return slices.Index(stages, reason) }

// decideHeader applies a way to the claims and the header of a call.
func decideHeader(way *policy.Way, claims *token.Claims, header Header) (organization string, denial *Denial) {
	organization, denial = decide(way, claims)
	if denial == nil && !namesOrganization(way.Organization, organization, header) {
		denial = deny(ReasonOrganizationMismatch, headerCause(way.Organization, header))
	}
	if denial == nil {
		denial = checkIdentifiers(way, claims)
	}
	return organization, noteOrganization(denial, way.Organization, header)
}

// judge judges whether a message names what a way asks for.
func judge(way *policy.Way, organization string, claims *token.Claims, message any) *Denial {
	m, ok := message.(proto.Message)
	switch {
	case !ok && inMessage(way.Organization):
		return deny(ReasonOrganizationMismatch, notProto)
	case !ok:
		return deny(ReasonSubjectMismatch, notProto)
	}
	if inMessage(way.Organization) {
		if err := way.Organization.Check(m, organization); err != nil {
			denial := &Denial{reason: ReasonOrganizationMismatch, cause: err}
			if mismatch, ok := errors.AsType[namingError](err); ok {
				denial.named = mismatch.Named()
			}
			return denial
		}
	}
	if way.Subject != nil {
		if err := way.Subject.Check(m, claims.Subject()); err != nil {
			return &Denial{reason: ReasonSubjectMismatch, cause: err}
		}
	}
	if way.Client != nil {
		if err := way.Client.Check(m, claims.ClientID()); err != nil {
			return &Denial{reason: ReasonSubjectMismatch, cause: err}
		}
	}
	return nil
}

// A namingError is an error of [policy.Organization.Check] that has the value of the field at fault.
type namingError interface {
	error
	Named() string
}

// left returns the ways that a call has left.
func (c *Call) left() waySet { return waySet(c.state.Load()) & allWays }

// keep leaves the given ways, and no others. It reports false if no way is left then: two goroutines
// may have taken the last ways at once.
func (c *Call) keep(ways waySet) bool {
	if c.left()&^ways != 0 { // most messages take no way, and a read costs less than a write
		c.state.And(uint32(ways) | ^uint32(allWays))
	}
	return c.left() != 0
}

// proved returns the ways that are left and that need nothing more of the message.
func (c *Call) proved() waySet {
	state := c.state.Load()
	ways := waySet(state) & allWays
	if state&judgedBit == 0 {
		ways &= c.rule.free
	}
	return ways
}

// forbids reports whether a message leaves no way. It takes no way away.
func (c *Call) forbids(message any) bool {
	_, denial := c.rule.judge(c.left(), c.organization, c.claims, message)
	return denial != nil
}

// unproved refuses a call in which no message has named what the ways that are left ask for.
func (c *Call) unproved(cause string) *Denial { return c.rule.unproved(c.left(), cause) }

// judge judges a message by the ways that are left. A message takes ways away, and never gives one back.
func (c *Call) judge(message any) *Denial {
	left, denial := c.rule.judge(c.left(), c.organization, c.claims, message)
	if denial != nil {
		return denial
	}
	if !c.keep(left) {
		return denyToken(errOtherParty)
	}
	if c.state.Load()&judgedBit == 0 {
		c.state.Or(judgedBit)
	}
	return nil
}
