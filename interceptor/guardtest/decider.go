package guardtest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// named are claims, each by a token that stands for the name of its caller.
type named Callers

// Verify implements [interceptor.Verifier].
func (n named) Verify(_ context.Context, raw string) (*token.Claims, error) {
	for name, claims := range n {
		if raw == tokenOf(name) {
			return claims, nil
		}
	}
	return nil, token.ErrInvalid
}

// tokenOf returns a name in the form of a token (RFC 6750 section 2.1).
func tokenOf(name string) string { return fmt.Sprintf("caller-%x", name) }

// Traits implements [traits.Teller]: each issuer of the claims may have any token.
func (n named) Traits() []traits.Issuer {
	urls := map[string]bool{}
	for _, claims := range n {
		urls[claims.Issuer()] = true
	}
	if len(urls) == 0 {
		urls[""] = true
	}
	var issuers []traits.Issuer
	for url := range urls {
		issuers = append(issuers, traits.Any(url))
	}
	slices.SortFunc(issuers, func(a, b traits.Issuer) int { return strings.Compare(a.URL, b.URL) })
	return issuers
}

// A decider makes calls that a guard decides.
type decider struct {
	guard *interceptor.Guard
	event interceptor.Event // of the last call, also if its rule is not enforced
}

// newDecider returns a decider by a verifier.
func newDecider(table *policy.Table, verifier interceptor.Verifier) *decider {
	d := new(decider)
	d.guard = interceptor.New(verifier, table, interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { d.event = event }))
	return d
}

// A call is a call of a procedure by a caller. Nil claims stand for a call without a token.
type call struct {
	rule   *policy.Rule
	name   string
	claims *token.Claims
}

// decide returns the cell of a procedure and a caller. It makes a request for each way of the rule.
func (d *decider) decide(ctx context.Context, c call) string {
	ways := c.rule.Ways()
	if len(ways) < 2 {
		if denial := d.ask(ctx, c, &c.rule.Way, c.request(&c.rule.Way)); denial != nil {
			return c.reasonOf(denial)
		}
		return c.letIn(&c.rule.Way)
	}
	var letIn []string
	refusal := ""
	for number, way := range ways {
		request := c.request(way)
		denial := d.ask(ctx, c, way, request)
		switch {
		case denial == nil && slices.Contains(d.event.Ways, number) && c.meets(way, request):
			letIn = append(letIn, fmt.Sprintf("%s (way %d)", c.letIn(way), number))
		case denial != nil && refusal == "":
			refusal = c.reasonOf(denial)
			for _, furthest := range d.event.Ways {
				refusal += fmt.Sprintf(" (way %d)", furthest)
			}
		}
	}
	return cmp.Or(strings.Join(letIn, "; "), refusal)
}

// ask makes a call with a request for a way, and returns the denial. On a busy machine, the token of a call in shadow may
// not be verified in time: such a call is made again.
func (d *decider) ask(ctx context.Context, c call, way *policy.Way, request proto.Message) *interceptor.Denial {
	header := http.Header{}
	if c.claims != nil {
		header.Set("Authorization", "Bearer "+tokenOf(c.name))
	}
	if way.Organization != nil && way.Organization.Location == policy.LocationHeader {
		header.Set(way.Organization.Name, c.claims.OrganizationID())
	}
	for {
		d.event = interceptor.Event{}
		admitted, denial := d.guard.Admit(ctx, c.rule.Procedure, header)
		if denial == nil {
			denial = admitted.Judge(request)
		}
		if d.event.Outcome() != interceptor.OutcomeNotJudged {
			return cmp.Or(d.event.Denial, denial) // the call of a rule that is not enforced has no denial of its own
		}
	}
}

// meets reports whether a request names what a way asks of the messages of a call.
func (c call) meets(way *policy.Way, request proto.Message) bool {
	for _, n := range c.names(way) {
		if n.check(request, n.id) != nil {
			return false
		}
	}
	return true
}

// letIn returns the cell of a caller whom a way lets in.
func (c call) letIn(way *policy.Way) string {
	var whom []string
	if way.Organization != nil {
		whom = append(whom, c.claims.OrganizationID())
	}
	if way.Subject != nil {
		whom = append(whom, "user "+c.claims.Subject())
	}
	if way.Client != nil {
		whom = append(whom, "client "+c.claims.ClientID())
	}
	if whom == nil {
		return "yes"
	}
	return "yes, for " + strings.Join(whom, ", ")
}

// reasonOf returns the reason of a denial, with what the claims lack.
func (c call) reasonOf(denial *interceptor.Denial) string {
	lacks := slices.DeleteFunc(denial.Scopes(), c.claims.HasScope)
	if alternatives := denial.AnyScopes(); !slices.ContainsFunc(alternatives, c.claims.HasScope) && len(alternatives) > 0 {
		lacks = append(lacks, strings.Join(alternatives, " or "))
	}
	return strings.TrimSuffix(string(denial.Reason())+": "+strings.Join(lacks, ", "), ": ")
}
