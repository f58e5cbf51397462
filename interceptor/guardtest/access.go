package guardtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

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
//   - "yes", or "yes, for acme" if the method acts for the organization acme of the token, or "yes, for user alice" or
//     "yes, for client web" if the request must name the caller. A request that names another caller is refused;
//   - or the [interceptor.Reason] of the refusal, with the scopes that the token lacks.
//
// If a rule has alternatives, the cell has each way that lets the caller in, with its number, such as
// "yes, for user alice (way 0); yes (way 1)", or the reason of the way that came furthest, with the number of the way.
//
// An [interceptor.Guard] for the table decides each cell. Where the request has to name an organization, a user or a
// client, it names the organization, the subject or the client of the token. Claims that have expired are refused. A
// procedure has the mark " (not enforced)" if its rule is not enforced: its cells are what an enforced rule would answer.
//
// The test fails at once if the table or the claims of a caller are nil, if the table has no rules, or if a rule names a
// subject or a client, the callers are of several issuers, and [policy.WithSubjectIssuer] names none of them: the server
// does not start then.
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
	if err := interceptor.Check(named(callers), table); err != nil {
		t.Fatalf("guardtest: the claims of the callers are of several issuers: %v", err)
	}
	decider := newDecider(table, named(callers))
	var out strings.Builder
	columns := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(columns, strings.Join(cells, "\t")) }
	line(slices.Concat([]string{"procedure", "no token"}, names)...)
	for _, rule := range table.Rules() {
		cells := []string{marked(rule), decider.decide(t.Context(), call{rule: rule})}
		for _, name := range names {
			cells = append(cells, decider.decide(t.Context(), call{rule, name, callers[name]}))
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
