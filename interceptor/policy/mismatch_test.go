package policy_test

import (
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestOutsideCheck compares the errors for messages that do not name the noun, for paths of
// each kind. No error holds a value of a message.
func TestOutsideCheck(t *testing.T) {
	t.Parallel()
	const (
		inEach  = ", in every element, to the organization of its token"
		another = "the request names another organization than the token, in the field "
		none    = "the request names no organization: the field "
		set     = ": the client must set "
		meant   = ", byte for byte, or use another token"
	)
	for _, test := range []struct{ name, method, request, want string }{
		{"the same", "Top", `organization_id: "acme"`, ""},
		{"a path that ends early", "Deep", `tenant: {id: "acme" parent: {}}`, none + `"tenant.parent.parent" is not set: the client must set "tenant.parent.parent.id" to the organization of its token`},
		{"a path that ends at once", "Nested", ``, none + `"tenant" is not set: the client must set "tenant.id" to the organization of its token`},
		{"an empty id", "Nested", `tenant: {id: ""}`, none + `"tenant.id" is empty: the client must set "tenant.id" to the organization of its token`},
		{"another id", "Nested", `tenant: {id: "globex"}`, another + `"tenant.id"` + set + `"tenant.id" to the organization of its token` + meant},
		{"no names", "Repeated", ``, none + `"names" has no elements: the client must set "names"` + inEach},
		{"an empty name", "Repeated", `names: ["acme", ""]`, none + `"names[1]" is empty: the client must set "names"` + inEach},
		{"another name", "Repeated", `names: ["acme", "globex"]`, another + `"names[1]"` + set + `"names"` + inEach + meant},
		{"no aliases in an element", "RepeatedInRepeated", `tenants: {children: [{aliases: "acme"}, {}]}`, none + `"tenants[0].children[1].aliases" has no elements: the client must set "tenants.children.aliases"` + inEach},
		{"another alias", "RepeatedInRepeated", `tenants: {children: {aliases: "acme"}} tenants: {children: {aliases: ["acme", "globex"]}}`, another + `"tenants[1].children[0].aliases[1]"` + set + `"tenants.children.aliases"` + inEach + meant},
		{"another name of a pattern", "PatternRepeated", `names: ["acme/1", "globex/2"]`, another + `"names[1]"` + set + `"names", in every element, to {organization}/* with the organization of its token` + meant},
		{"another form of a pattern", "PatternRepeated", `names: ["acme/1", "acme"]`, none + `"names[1]" does not have the form {organization}/* (or a segment is empty, . or ..): the client must set "names", in every element, to {organization}/* with the organization of its token`},
		{"a header's rule", "Header", `organization_id: "acme"`, `nothing can be looked for in this message: the server must call Check with a message, with an id that is not empty, and for a rule that names a field`},
	} {
		t.Run("C7 "+test.name, func(t *testing.T) {
			t.Parallel()
			for _, noun := range nouns {
				file := compileMatch(t, matchSources(t, noun))
				named := checkerOf(t, compileTable(t, policy.Files{file}), "/match.v1.MatchService/"+test.method, noun)
				got, want := "", of(noun, test.want)
				if named.String() == new(policy.Identifier).String() { // of the header's rule
					want = of("identifier", test.want)
				}
				if err := named.Check(dynamicMessage(t, file, "Request", test.request), "acme"); err != nil {
					got = err.Error()
				}
				if got != want || strings.Contains(got, "acme") || strings.Contains(got, "globex") {
					t.Errorf("it is logged as\n     %s\nwant %s", got, want)
				}
			}
		})
	}
}
