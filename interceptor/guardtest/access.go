package guardtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Callers are the claims of callers by name, for [Access]. The values are claims, as [Caller.Claims] makes them. Claims
// also come from [Claims], or from a real token that a verifier has accepted:
//
//	claims, err := verifier.Verify(ctx, raw)
type Callers map[string]*token.Claims

// Access returns who may call what: a line for each procedure of the table, sorted, and a column for each caller,
// sorted, after a column for a call without a token. A cell is
//
//   - "yes", or "yes, for acme" if the method acts for the organization acme of the token;
//   - or the [interceptor.Reason] of the refusal, with the scopes that the token lacks.
//
// An [interceptor.Guard] for the table decides each cell. Where the request has to name an organization, it names the
// organization of the token. Claims that have expired are refused. A procedure has the mark " (not enforced)" if its
// rule is not enforced: its cells are what an enforced rule would answer.
//
// The test fails at once if the table or the claims of a caller are nil, or if the table has no rules.
func Access(t testing.TB, table *policy.Table, callers Callers) string {
	t.Helper()
	if table == nil || len(table.Rules()) == 0 {
		t.Fatalf("guardtest: the table has no rules: give the table that policy.Compile returns for the services of the server")
	}
	for name, claims := range callers {
		if claims == nil {
			t.Fatalf("guardtest: the caller %q has no claims: give claims, and check the error of what makes them", name)
		}
	}
	names := slices.Sorted(maps.Keys(callers))
	decider := newDecider(table, named(callers))
	var out strings.Builder
	columns := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(columns, strings.Join(cells, "\t")) }
	line(slices.Concat([]string{"procedure", "no token"}, names)...)
	for _, rule := range table.Rules() {
		cells := []string{marked(rule), decider.decide(t.Context(), rule, "", nil)}
		for _, name := range names {
			cells = append(cells, decider.decide(t.Context(), rule, name, callers[name]))
		}
		line(cells...)
	}
	_ = columns.Flush()
	return out.String()
}

// marked returns the procedure of a rule, with a mark if the rule is not enforced.
func marked(rule *policy.Rule) string {
	if !rule.Enforced() {
		return rule.Procedure + " (not enforced)"
	}
	return rule.Procedure
}

// A decider makes calls that a guard decides.
type decider struct {
	guard  *interceptor.Guard
	denial *interceptor.Denial // of the last call, also if its rule is not enforced
	late   bool                // on a busy machine, the token of a call in shadow was not verified in time
}

// newDecider returns a decider by a verifier.
func newDecider(table *policy.Table, verifier interceptor.Verifier) *decider {
	d := new(decider)
	d.guard = interceptor.New(verifier, table, interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		d.denial, d.late = event.Denial, event.Outcome() == interceptor.OutcomeNotJudged
	}))
	return d
}

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

// decide returns the cell of a procedure and a caller. Nil claims stand for a call without a token.
func (d *decider) decide(ctx context.Context, rule *policy.Rule, name string, claims *token.Claims) string {
	cell := d.call(ctx, rule, name, claims)
	for d.late {
		cell = d.call(ctx, rule, name, claims)
	}
	return cell
}

// call makes one call, and returns its cell.
func (d *decider) call(ctx context.Context, rule *policy.Rule, name string, claims *token.Claims) string {
	d.denial, d.late = nil, false
	organization := claims.OrganizationID()
	header := http.Header{}
	if claims != nil {
		header.Set("Authorization", "Bearer "+tokenOf(name))
	}
	if rule.Organization != nil && rule.Organization.Location == policy.LocationHeader {
		header.Set(rule.Organization.Name, organization)
	}
	call, denial := d.guard.Admit(ctx, rule.Procedure, header)
	if denial == nil {
		denial = call.Judge(naming(rule, organization))
	}
	switch d.denial = cmp.Or(d.denial, denial); { // the call of a rule that is not enforced has no denial of its own
	case d.denial != nil:
		return reasonOf(d.denial, claims)
	case rule.Organization != nil:
		return "yes, for " + organization
	}
	return "yes"
}

// reasonOf returns the reason of a denial, with what the claims lack.
func reasonOf(denial *interceptor.Denial, claims *token.Claims) string {
	lacks := slices.DeleteFunc(denial.Scopes(), claims.HasScope)
	if alternatives := denial.AnyScopes(); !slices.ContainsFunc(alternatives, claims.HasScope) && len(alternatives) > 0 {
		lacks = append(lacks, strings.Join(alternatives, " or "))
	}
	return strings.TrimSuffix(string(denial.Reason())+": "+strings.Join(lacks, ", "), ": ")
}

// naming returns a request that names an organization where the rule looks for it, and an empty request if the rule
// does not look into the request.
func naming(rule *policy.Rule, organization string) proto.Message {
	if rule.Organization == nil || rule.Organization.Location != policy.LocationField {
		return nil
	}
	request := dynamicpb.NewMessage(rule.Method.Input())
	var message protoreflect.Message = request
	path := rule.Organization.Path()
	for _, field := range path[:len(path)-1] {
		if field.IsList() {
			message = message.Mutable(field).List().AppendMutable().Message()
		} else {
			message = message.Mutable(field).Message()
		}
	}
	name := strings.ReplaceAll(cmp.Or(rule.Organization.Pattern, "{organization}"), "{organization}", organization)
	last, value := path[len(path)-1], protoreflect.ValueOfString(name)
	if last.IsList() {
		message.Mutable(last).List().Append(value)
	} else {
		message.Set(last, value)
	}
	return request
}
