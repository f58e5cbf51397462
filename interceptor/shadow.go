package interceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Shadow says why a decision does not count: its rule is judged and observed, and not enforced.
type Shadow string

// The kinds of shadow. A decision that counts has none.
const (
	// ShadowService: the rule is of a service that [policy.WithShadow] names.
	ShadowService Shadow = "service"
	// ShadowTable: the rule is of the table of [WithShadow].
	ShadowTable Shadow = "table"
)

// WithShadow judges every call by a second table, too. What the second table would refuse is observed and logged with
// [ShadowTable], and goes on. So a stricter version of the rules can be tried before it is enforced. The
// first table decides alone, as without WithShadow. A procedure without a rule in the first table is not judged by the
// second. WithShadow panics if the table is nil.
//
// If the first rule needs no token and the second does, the call waits for its token to be verified, for a quarter of
// a second at most. The handler of a public method gets no claims all the same.
//
// A stream goes on after a decision of the second table, which then judges the stream no more. A token that expires is
// noticed at the next message. The second table never has a token verified again. Given twice, the last table counts.
func WithShadow(table *policy.Table) Option {
	if table == nil {
		panic("interceptor: WithShadow needs a table: check the error of Compile")
	}
	return func(o *options) { o.shadowTable = table }
}

// shadowPatience is how long a call waits for the verification of a token that no enforced rule needs.
const shadowPatience = 250 * time.Millisecond

// shadowed reports whether a rule judges the call that is not enforced.
func (c *Call) shadowed() bool {
	return c.rule != nil && (c.rule.judged != nil || c.tableRule != nil)
}

// shadowKinds are the kinds in the order in which they judge.
var shadowKinds = [...]Shadow{ShadowService, ShadowTable}

// shadowRule returns the rule of a kind that judges the call and is not enforced, or nil.
func (c *Call) shadowRule(kind Shadow) *guardRule {
	if kind == ShadowService {
		return c.rule.judged
	}
	return c.tableRule
}

// noRule is the rule of a procedure that the second table does not know.
var noRule = &guardRule{Rule: &policy.Rule{Unannotated: true}}

// shadowAdmit judges the header of a call by the rules that are not enforced. It is given the denial of the enforced
// rule, which may be nil.
func (c *Call) shadowAdmit(ctx context.Context, procedure string, header Header, denial *Denial, peer connect.Peer) {
	if c.rule == nil {
		return
	}
	guard := c.rule.guard
	if guard.shadowRules != nil {
		var ok bool
		if c.tableRule, ok = guard.shadowRules.lookup(procedure); !ok {
			c.tableRule = noRule
		}
	}
	if !c.shadowed() {
		return
	}
	var credentials *Denial // of a token that was not verified
	verified := !c.rule.Public && !c.rule.missing()
	if verified && c.claims == nil {
		credentials = denial
	}
	forAnother := false
	for _, kind := range shadowKinds {
		rule := c.shadowRule(kind)
		if rule == nil {
			continue
		}
		if !verified && !rule.Public && !rule.missing() {
			verified, credentials = true, c.shadowVerify(header)
		}
		would := c.shadowHeader(rule, procedure, header, credentials)
		if would == nil && rule.awaitsMessage() {
			continue // judged when a message comes
		}
		c.shadowObserve(ctx, kind, rule, would, denial != nil, peer)
		forAnother = forAnother || kind == ShadowService && would != nil && (would.reason == ReasonAudienceMismatch || would.reason == ReasonModelMismatch)
	}
	if forAnother {
		c.claims = nil // a handler must not take the token of another API for a token of its own
	}
}

// shadowVerify verifies the token of a call whose enforced rule needs none. The verifier has a goroutine of its own,
// since a verifier may not heed its context.
func (c *Call) shadowVerify(header Header) *Denial {
	ctx, cancel := context.WithTimeout(c.ctx, shadowPatience)
	defer cancel()
	authorization := slices.Clone(header.Values("Authorization")) // the goroutine may outlive the call
	type outcome struct {
		by     Call // has the claims and the time of the verification
		denial *Denial
	}
	done := make(chan *outcome, 1)
	go func() {
		result := &outcome{by: Call{ctx: c.ctx, rule: c.rule}}
		defer func() { done <- result }()
		defer recoverVerifier(&result.by, &result.denial)
		claims, err := c.rule.guard.authenticate(ctx, &result.by, authorization)
		if err != nil {
			result.denial = denyCredentials(authorization, err)
		}
		result.by.claims = claims
	}()
	select {
	case result := <-done:
		c.verification.Store(result.by.verification.Load())
		switch {
		case result.denial == nil:
			c.claims = result.by.claims
			return nil
		case ctx.Err() == nil || result.denial.Code() == connect.CodeUnavailable:
			return result.denial
		}
	case <-ctx.Done():
	}
	return denyToken(errImpatient)
}

var errImpatient = fmt.Errorf("%w: the verifier has not answered, and a call whose rule is not enforced waits %v for it: does the issuer answer slowly?", token.ErrVerifierUnavailable, shadowPatience)

// shadowHeader judges the header by a rule that is not enforced.
func (c *Call) shadowHeader(rule *guardRule, procedure string, header Header, credentials *Denial) *Denial {
	switch {
	case rule == noRule:
		return deny(ReasonRuleMissing, ruleCause(procedure))
	case rule.missing():
		return deny(ReasonRuleMissing, unannotated)
	case rule.Public:
		return nil
	case credentials != nil:
		return noteOrganization(own(credentials), rule.Organization, header)
	}
	_, denial := decideHeader(rule.Rule, c.claims, header)
	return denial
}

// shadowObserve tells the observers what a rule would have done.
// Anyway tells that the enforced rule refuses the call, too.
func (c *Call) shadowObserve(ctx context.Context, kind Shadow, rule *guardRule, denial *Denial, anyway bool, peer connect.Peer) {
	if denial != nil {
		denial.realm = rule.realm
	}
	d := decision{rule: rule, denial: denial, shadow: kind, anyway: anyway, peer: peer}
	if rule == noRule {
		d.rule = nil
	}
	_ = c.rule.guard.observe(ctx, c, d) // a panic of an observer refuses nothing here
}

// shadowJudge judges the message of a unary call by the rules that are not enforced.
func (c *Call) shadowJudge(ctx context.Context, message any, anyway bool, peer connect.Peer) {
	if !c.shadowed() {
		return
	}
	for _, kind := range shadowKinds {
		rule := c.shadowRule(kind)
		if rule == nil || !rule.awaitsMessage() && !c.rule.Public {
			continue // the header has decided, and the enforced rule has looked at the clock
		}
		if judgement, ok := c.newShadowJudgement(kind, c.rule.Public); ok {
			judgement.received(ctx, message, nil, anyway, peer)
		}
	}
}

// A shadowJudgement judges the messages of a call by a rule that is not enforced, as a [Stream] does by the enforced
// rule.
type shadowJudgement struct {
	call         *Call
	kind         Shadow
	rule         *guardRule
	organization string
	expires      bool
	released     bool // a message has named the organization, or no message has to
	refused      bool
}

// newShadowJudgement reports false if there is no such rule, or if the header has decided.
func (c *Call) newShadowJudgement(kind Shadow, expires bool) (j shadowJudgement, ok bool) {
	rule := c.shadowRule(kind)
	if rule == nil || rule.Public || rule.missing() || c.claims == nil {
		return j, false
	}
	// The claims and the header are the same as before, and so is the decision.
	organization, denial := decideHeader(rule.Rule, c.claims, c.request)
	return shadowJudgement{call: c, kind: kind, rule: rule, organization: organization, expires: expires, released: !rule.awaitsMessage()}, denial == nil
}

// received judges a message that has come, given the error of Receive. A message that panics when it is read must not
// end the call.
func (j *shadowJudgement) received(ctx context.Context, message any, err error, anyway bool, peer connect.Peer) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, "a rule in shadow", j.rule.Procedure, p)
		}
	}()
	switch {
	case j.refused:
	case err == nil && j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case !j.rule.awaitsMessage():
	case errors.Is(err, io.EOF) && !j.released:
		j.refuse(ctx, unproved(j.rule.Rule, endedFirst), anyway, peer)
	case err != nil:
	default:
		if denial := judge(j.rule.Organization, j.organization, message); denial != nil {
			j.refuse(ctx, denial, anyway, peer)
		} else if !j.released {
			j.released = true
			j.call.shadowObserve(ctx, j.kind, j.rule, nil, false, peer)
		}
	}
}

// sending judges a message that the handler sends.
func (j *shadowJudgement) sending(ctx context.Context, peer connect.Peer) {
	switch {
	case j.refused:
	case j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case !j.released:
		j.refuse(ctx, unproved(j.rule.Rule, sentFirst), false, peer)
	}
}

// returned judges the end of a stream, given the error of the handler.
func (j *shadowJudgement) returned(ctx context.Context, err error, peer connect.Peer) {
	switch {
	case j.refused:
	case j.outdated():
		j.refuse(ctx, denyExpired(), !j.call.rule.Public, peer)
	case err == nil && !j.released:
		j.refuse(ctx, unproved(j.rule.Rule, returnedFirst), false, peer)
	}
}

// outdated reports whether the token has expired. Claims that end before their token are not verified again.
func (j *shadowJudgement) outdated() bool {
	end := j.call.claims.Deadline()
	if endsEarly(j.call.claims) {
		end = j.call.claims.Expiry()
	}
	return j.expires && !end.IsZero() && !time.Now().Before(end)
}

func (j *shadowJudgement) refuse(ctx context.Context, denial *Denial, anyway bool, peer connect.Peer) {
	j.refused = true
	j.call.shadowObserve(ctx, j.kind, j.rule, denial, anyway, peer)
}

// shadowMessages judges the messages of a stream by the rules that are not enforced. A handler may send and receive
// at once.
type shadowMessages struct {
	mu         sync.Mutex
	judgements []shadowJudgement
}

// newShadowMessages returns nil if the header has decided.
func (c *Call) newShadowMessages(expires bool) *shadowMessages {
	if !c.shadowed() {
		return nil
	}
	m := new(shadowMessages)
	for _, kind := range shadowKinds {
		if judgement, ok := c.newShadowJudgement(kind, expires); ok {
			m.judgements = append(m.judgements, judgement)
		}
	}
	if m.judgements == nil {
		return nil
	}
	return m
}

func (m *shadowMessages) each(judge func(*shadowJudgement)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range m.judgements {
		judge(&m.judgements[n])
	}
}

// shadowReceived judges a message that has come by the rules that are not enforced.
func (s *Stream) shadowReceived(message any, err error) {
	if s.shadows == nil {
		return
	}
	awaited := s.call.AwaitsMessage()
	anyway := s.denial.Load() != nil || awaited && (errors.Is(err, io.EOF) && !s.released.Load() || err == nil && s.call.judge(message) != nil)
	s.shadows.each(func(j *shadowJudgement) { j.received(s.ctx, message, err, anyway, s.peer) })
}
