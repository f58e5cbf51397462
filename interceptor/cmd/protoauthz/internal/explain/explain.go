// Package explain explains the decision of [interceptor.Guard] on a call: which check refuses
// the call, and what would have to change.
package explain

import (
	"context"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor"
)

// An Explanation is the decision on a call and its reasons. Its JSON form is for programs.
type Explanation struct {
	Procedure string `json:"procedure"`
	// Rule is the rule of the method, in one line as in a policy.Table, or "" without a rule.
	Rule     string   `json:"rule,omitempty"`
	Decision Decision `json:"decision"`
	// Enforced is false if the rule is not enforced: then a refused call is let in.
	Enforced bool `json:"enforced"`
	// Verified is true if the signature was verified and is good.
	Verified bool `json:"verified"`
	// Code, Reason, Text, Scopes and AnyScopes are the refusal that the client sees.
	Code      string             `json:"code,omitempty"`
	Reason    interceptor.Reason `json:"reason,omitempty"`
	Text      string             `json:"text,omitempty"`
	Scopes    []string           `json:"scopes,omitempty"`
	AnyScopes []string           `json:"anyScopes,omitempty"`
	// Message is the number of the refused message, counted from 1. It is 0 if no message was
	// refused.
	Message int `json:"message,omitempty"`
	// Organization is the organization of the token.
	Organization string `json:"organization,omitempty"`
	// Way is the number of the way that the last steps are about, from the check of the model: the
	// way that lets the call in, or else the way that came furthest.
	Way   int    `json:"way"`
	Steps []Step `json:"steps"`
	// Ways are all ways in, if the rule has several.
	Ways []Way `json:"ways,omitempty"`
	// Token is the content of the token, verified or not. It is nil if the token is malformed.
	Token *Token `json:"token,omitempty"`

	keyless bool   // no signature can be verified
	awaited string // what the messages must name
}

// Explain asks the guard for a decision, and finds the check that refuses the call.
func Explain(ctx context.Context, q Question) *Explanation {
	a := q.ask(ctx)
	d := q.outcomes(ctx, a)
	e := &Explanation{
		Procedure:    q.Procedure,
		Decision:     Allowed,
		Enforced:     true,
		Organization: a.claims.OrganizationID(),
		Steps:        q.steps(a, d),
		Way:          d.shown,
		Ways:         q.ways(d),
		Token:        q.read(),
		keyless:      q.Verifier == nil,
	}
	e.Verified = e.status(CheckSignature) == StatusPassed
	if rule, ok := q.Table.Lookup(q.Procedure); ok {
		rule.Shadow = q.Shadow
		e.Enforced = rule.Enforced()
		e.Rule = strings.TrimPrefix(rule.String(), rule.Procedure+" ")
	}
	switch {
	case a.denial != nil:
		e.Decision = Refused
		e.Code = a.denial.Code().String()
		e.Reason, e.Text = a.denial.Reason(), a.denial.Error()
		e.Scopes, e.AnyScopes = a.denial.Scopes(), a.denial.AnyScopes()
		e.Message = a.messages
	case a.awaits:
		e.Decision, e.awaited = Awaits, d.awaited()
	}
	return e
}
