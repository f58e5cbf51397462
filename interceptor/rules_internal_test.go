package interceptor

import (
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestHasRuleOf makes sure that a call has the rule of its own procedure alone, also among public ones.
func TestHasRuleOf(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience(testAPI),
		policy.WithPublic("a.v1.A", "b.v1.B"))
	if err != nil {
		t.Fatal(err)
	}
	guard := New(new(token.Verifier), table)
	const info, list = "/sample.v1.CatalogService/GetInfo", "/sample.v1.CatalogService/ListProducts"
	for _, test := range []struct {
		admitted, procedure string
		want                bool
	}{
		{list, list, true},
		{list, info, false},
		{info, list, false},
		{info, info, true},
		{info, "/a.v1.A/One", false},
		{"/a.v1.A/One", "/a.v1.A/One", true},
		{"/a.v1.A/One", "/a.v1.A/Two", true},
		{"/a.v1.A/One", "/b.v1.B/One", false},
		{"/a.v1.A/One", info, false},
		{"/a.v1.A/One", "/c.v1.C/One", false},
	} {
		rule, ok := guard.rules.lookup(test.admitted)
		if !ok {
			t.Fatalf("no rule for %s", test.admitted)
		}
		if got := (&Call{rule: rule}).hasRuleOf(test.procedure); got != test.want {
			t.Errorf("%s has the rule of %s: %t", test.admitted, test.procedure, got)
		}
	}
}

// TestRulesOf makes sure that a guard finds the same rule as its table.
func TestRulesOf(t *testing.T) {
	t.Parallel()
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience(testAPI),
		policy.WithPublic("a.v1.A", "b.v1.B"))
	if err != nil {
		t.Fatal(err)
	}
	own := new(Guard).rulesOf(table, true)
	for _, procedure := range []string{
		"/sample.v1.CatalogService/ListProducts", "/sample.v1.CatalogService/GetInfo", "/sample.v1.CatalogService/", "/sample.v1.CatalogService/*",
		"sample.v1.CatalogService/ListProducts", "/a.v1.A/One", "/b.v1.B/One", "/a.v1.A/*", "/a.v1.A/", "/a.v1.A", "a.v1.A/One", "//a.v1.A/One",
		"/a.v1.A//One", "/a.v1.A/One/", "/a.v1.A/One/Two", "/x/a.v1.A/One", "/c.v1.C/One", "/", "//", "*", "/*", "",
	} {
		want, known := table.Lookup(procedure)
		got, ok := own.lookup(procedure)
		if ok != known || ok && got.String() != want.String() {
			t.Errorf("%q: %v, %t, want %v, %t", procedure, got, ok, want, known)
		}
	}
	if rule, ok := new(Guard).rulesOf(new(policy.Table), true).lookup(""); ok {
		t.Errorf("the zero table has %v", rule)
	}
}
