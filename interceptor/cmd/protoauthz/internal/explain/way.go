package explain

import (
	"context"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Way is one way in and its outcome: the decision on the call if the rule had no other way.
type Way struct {
	Number int `json:"number"`
	// Rule is the way in one line, as in a policy.Table.
	Rule string `json:"rule"`
	// Status is StatusPassed if the way lets the call in, StatusRefused if it does not,
	// StatusNotMade if the messages decide and are not known, and StatusNotReached if no way was
	// judged.
	Status Status `json:"status"`
	// Check, About and Change are the check that the call does not pass, as in a [Step].
	Check  Check  `json:"check,omitempty"`
	About  string `json:"about,omitempty"`
	Change string `json:"change,omitempty"`
	// Message is the number of the message that the way refuses, counted from 1, or 0.
	Message int `json:"message,omitempty"`
}

// outcomes are the outcomes of the ways of a rule.
type outcomes struct {
	rule  *policy.Rule
	ways  []outcome
	shown int // the number of the way that the steps are about
}

// An outcome is the decision on a call by one way alone.
type outcome struct {
	rule *policy.Rule
	*policy.Way
	answer

	judged  bool // the token was accepted, so that the way was judged
	several bool // the rule has other ways
}

// knownClaims is a verifier that has verified a token already.
type knownClaims struct{ claims *token.Claims }

func (k knownClaims) Verify(context.Context, string) (*token.Claims, error) { return k.claims, nil }

// outcomes asks for the decision by each way of the rule alone, given the decision by all of them. It returns no way for
// a public method, and without a rule.
func (q *Question) outcomes(ctx context.Context, whole answer) *outcomes {
	d := &outcomes{}
	rule, ok := q.Table.Lookup(q.Procedure)
	if !ok {
		return d
	}
	d.rule = rule
	ways := rule.Ways()
	for n, way := range ways {
		one := outcome{rule: rule, Way: way, answer: whole, judged: whole.claims != nil, several: len(ways) > 1}
		if one.judged && one.several {
			one.answer = q.askBy(ctx, knownClaims{whole.claims}, q.Table.Only(q.Procedure, n))
		}
		d.ways = append(d.ways, one)
	}
	if d.shown = whole.way; whole.denial == nil {
		lets := func(one outcome) bool { return one.denial == nil && one.awaits == whole.awaits }
		d.shown = max(0, slices.IndexFunc(d.ways, lets))
	}
	return d
}

// way returns the way that the steps are about, or nil for a public method.
func (d *outcomes) way() *outcome {
	if len(d.ways) == 0 {
		return nil
	}
	return &d.ways[d.shown]
}

// ways returns the outcomes of several ways.
func (q *Question) ways(d *outcomes) (all []Way) {
	if len(d.ways) < 2 {
		return nil
	}
	for n := range d.ways {
		one := &d.ways[n]
		way := Way{Number: n, Rule: one.String(), Status: StatusPassed}
		switch {
		case !one.judged:
			way.Status = StatusNotReached
		case one.denial != nil:
			way.Status, way.Check, way.About = StatusRefused, q.refusing(one.denial), why(one.denial)
			way.Change, way.Message = q.change(d, one, way.Check), one.messages
		case one.awaits:
			way.Status, way.About = StatusNotMade, "not known: "+one.naming()
		}
		all = append(all, way)
	}
	return all
}

// awaited returns what the messages must name so that the call is let in.
func (d *outcomes) awaited() string {
	var all []string
	for n := range d.ways {
		if one := &d.ways[n]; one.denial == nil && one.awaits {
			if names := strings.Join(one.named(), " and "); !slices.Contains(all, names) {
				all = append(all, names)
			}
		}
	}
	return strings.Join(all, ", or ")
}

// named returns what the messages must name.
func (o *outcome) named() (all []string) {
	if o.byField() {
		all = append(all, "the organization "+o.claims.OrganizationID())
	}
	if o.Subject != nil {
		all = append(all, "the user "+o.claims.Subject())
	}
	if o.Client != nil {
		all = append(all, "the client "+o.claims.ClientID())
	}
	return all
}

// requests returns what token to ask for, for each way.
func (d *outcomes) requests() string {
	var all []string
	for n := range d.ways {
		if text := request(d.ways[n].Way); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; or for another way in ")
}
