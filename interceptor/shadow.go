package interceptor

import (
	"context"
	"fmt"
	"slices"
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

// WithShadow judges every call by a second table, too, so that a stricter version of the rules can be tried before it is
// enforced. The first table decides alone, as without WithShadow. What the second table would refuse is observed with
// [ShadowTable], and logged unless the first table refuses it anyway: see [Event]. The second table judges neither a
// procedure without a rule in the first table, nor a message of a call that the first table has refused. WithShadow
// panics if the table is nil.
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
	return c.rule.judged != nil || c.tableRule != nil
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
	defer recoverShadow(ctx, c.procedure())
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
	if c.claims == nil {
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
		left, would := c.shadowHeader(rule, procedure, header, credentials)
		if would == nil && rule.ways != nil && left&rule.free == 0 {
			continue // judged when a message comes
		}
		c.shadowObserve(ctx, kind, rule, left, would, denial != nil, peer)
		if kind == ShadowService && would != nil && (would.reason == ReasonAudienceMismatch || would.reason == ReasonModelMismatch) {
			forAnother = true
		}
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

// shadowHeader judges the header by a rule that is not enforced, and returns the ways that are left.
func (c *Call) shadowHeader(rule *guardRule, procedure string, header Header, credentials *Denial) (left waySet, denial *Denial) {
	switch {
	case rule == noRule:
		return 0, deny(ReasonRuleMissing, ruleCause(procedure))
	case rule.missing():
		return 0, deny(ReasonRuleMissing, unannotated)
	case rule.Public:
		return 0, nil
	case credentials != nil:
		return 0, rule.noteOrganization(own(credentials), header)
	}
	_, left, denial = rule.admit(c.claims, header)
	return left, denial
}

// shadowObserve tells the observers what a rule would have done, and whether the enforced rule refuses the call anyway.
func (c *Call) shadowObserve(ctx context.Context, kind Shadow, rule *guardRule, left waySet, denial *Denial, anyway bool, peer connect.Peer) {
	if denial != nil && denial.way == nil {
		denial.realm = rule.realm
	}
	d := decision{rule: rule, left: left, denial: denial, shadow: kind, anyway: anyway, peer: peer}
	if rule == noRule {
		d.rule = nil
	}
	_ = c.rule.guard.observe(ctx, c, d) // a panic of an observer refuses nothing here
}

// recoverShadow, deferred, logs a panic: a rule that is not enforced must not end a call.
func recoverShadow(ctx context.Context, procedure string) {
	if p := recover(); p != nil {
		logPanic(ctx, "a rule in shadow", procedure, p)
	}
}
