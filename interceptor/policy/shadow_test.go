package policy_test

import (
	"errors"
	"testing"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestEnforced compares the fields that tell which rules are enforced, of a service with a scoped, a public and an
// unannotated method.
func TestEnforced(t *testing.T) {
	t.Parallel()
	const service, scoped, public, bare = "order.v1.OrderService", "/order.v1.OrderService/Call0", "/order.v1.OrderService/Call1", "/order.v1.OrderService/Call2"
	source := protos.OrderService(global,
		`option (protoauthz.v1.method) = {scopes: ["a"]};`, `option (protoauthz.v1.method) = {public: true};`, ` `)
	files := compileSources(t, map[string]string{"order.proto": source}, "order.proto")
	type flags struct{ public, unannotated, shadow, enforced bool }
	for _, test := range []struct {
		name    string
		options []policy.Option
		want    map[string]flags
	}{
		{"refused", []policy.Option{policy.WithUnannotatedRefused(service)}, map[string]flags{
			scoped: {enforced: true}, public: {public: true, enforced: true}, bare: {unannotated: true, enforced: true},
		}},
		{"open", []policy.Option{policy.WithUnannotatedOpen(service)}, map[string]flags{
			scoped: {enforced: true}, public: {public: true, enforced: true}, bare: {public: true, unannotated: true},
		}},
		{"refused in shadow", []policy.Option{policy.WithUnannotatedRefused(service), policy.WithShadow(service)}, map[string]flags{
			scoped: {shadow: true}, public: {public: true, enforced: true}, bare: {unannotated: true, shadow: true},
		}},
		{"open in shadow", []policy.Option{policy.WithShadow(service), policy.WithUnannotatedOpen(service)}, map[string]flags{
			scoped: {shadow: true}, public: {public: true, enforced: true}, bare: {public: true, unannotated: true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			table := compileTable(t, files, append(test.options, policy.WithAudience("https://api.example.com"))...)
			for procedure, want := range test.want {
				rule, ok := table.Lookup(procedure)
				if !ok {
					t.Errorf("no rule for %s", procedure)
					continue
				}
				if got := (flags{rule.Public, rule.Unannotated, rule.Shadow, rule.Enforced()}); got != want {
					t.Errorf("%s: got %+v, want %+v", procedure, got, want)
				}
				// A reader that does not know of Unannotated refuses a rule without a model.
				if rule.Unannotated && (rule.Model != authzv1.Model_MODEL_UNSPECIFIED || rule.Audience != "" || rule.Organization != nil) {
					t.Errorf("%s has a model, an audience or an organization: %+v", procedure, rule)
				}
			}
		})
	}
}

// TestUnannotatedHidden makes sure that no choice covers a method whose annotation an old copy of authz.proto may
// hide.
func TestUnannotatedHidden(t *testing.T) {
	t.Parallel()
	const service = "acme.v1.Service"
	files := policy.Files(forms()[1].convert(t, compileSources(t, map[string]string{
		"old.proto": `syntax = "proto3"; import "google/protobuf/descriptor.proto";
			message Rule { bool authenticated = 2; }
			extend google.protobuf.MethodOptions { Rule old = 91731; }`,
		"acme.proto": `syntax = "proto3"; package acme.v1; import "old.proto"; import "protoauthz/v1/authz.proto";
			message M {}
			service Service { rpc Call(M) returns (M) { option (old) = {authenticated: true}; } }`,
	}, "acme.proto")))
	for name, option := range map[string]policy.Option{
		"refused": policy.WithUnannotatedRefused(service),
		"open":    policy.WithUnannotatedOpen(service),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policy.Compile(files, option)
			if err == nil {
				t.Fatal("got a table, want a fault")
			}
			if faults := faultsOf(t, err); len(faults) != 1 || faults[0].Kind != policy.FaultRuleMissing {
				t.Errorf("got %v, want one RULE_MISSING", err)
			}
		})
	}
}

// TestNamedTwice makes sure that a name which two lists of a program have is one name: it has one fault, or none.
func TestNamedTwice(t *testing.T) {
	t.Parallel()
	const service, none = "sample.v1.CatalogService", "shop.v1.None"
	compile := func(options ...policy.Option) (*policy.Table, error) {
		return policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, append(options, policy.WithAudience("https://api.test"))...)
	}
	for _, option := range []func(...string) policy.Option{policy.WithShadow, policy.WithUnannotatedRefused, policy.WithUnannotatedOpen} {
		_, err := compile(option(none), option(none, none))
		if faults, ok := errors.AsType[*policy.Error](err); !ok || len(faults.Faults) != 1 {
			t.Errorf("got %v, want one fault", err)
		}
	}
	for _, option := range []policy.Option{policy.WithShadow(service, service), policy.WithPublic(none, none)} {
		table, err := compile(option)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := compile(option, option); err != nil || twice.String() != table.String() {
			t.Errorf("got\n%s\n%v, want\n%s", twice, err, table)
		}
	}
}
