// Package explain says what comes of a call and why. [interceptor.Guard] decides. The package
// finds out which check of the guard refuses a call, and what would have to change.
package explain

import (
	"context"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor"
)

// An Explanation says what comes of a call and why. Its JSON form is for programs.
type Explanation struct {
	Procedure string `json:"procedure"`
	// Rule is the method's, in one line as a policy.Table prints it, or empty if there is none.
	Rule     string   `json:"rule,omitempty"`
	Decision Decision `json:"decision"`
	// Verified tells whether the signature was verified, and is good.
	Verified bool `json:"verified"`
	// Code, Reason, Text, Scopes and AnyScopes are what the client is told of a refusal.
	Code      string             `json:"code,omitempty"`
	Reason    interceptor.Reason `json:"reason,omitempty"`
	Text      string             `json:"text,omitempty"`
	Scopes    []string           `json:"scopes,omitempty"`
	AnyScopes []string           `json:"anyScopes,omitempty"`
	// Message is which message was refused, counted from one, or 0 if none was.
	Message int `json:"message,omitempty"`
	// Organization is the one that the token opens.
	Organization string `json:"organization,omitempty"`
	Steps        []Step `json:"steps"`
	// Token is what the token says, whether it is believed or not. Nil if it is none.
	Token *Token `json:"token,omitempty"`

	keyless bool // no signature can be verified
}

// Explain asks the guard, and finds out why it answers so.
func Explain(ctx context.Context, q Question) *Explanation {
	a := q.ask(ctx)
	e := &Explanation{
		Procedure:    q.Procedure,
		Decision:     Allowed,
		Organization: a.claims.OrganizationID(),
		Steps:        q.steps(a),
		Token:        q.read(),
		keyless:      q.Verifier == nil,
	}
	e.Verified = e.status(CheckSignature) == StatusPassed
	if rule, ok := q.Table.Lookup(q.Procedure); ok {
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
		e.Decision = Awaits
	}
	return e
}
