package policy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestErrorRules makes sure that an error holds the rules that compile, and no others.
func TestErrorRules(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(global,
		`option (protoauthz.v1.method) = {scopes: ["a"]};`, ` `, `option (protoauthz.v1.method) = {scopes: ["a", "a"]};`,
		`option (protoauthz.v1.method) = {public: true, caller: CALLER_USER};`, `option (protoauthz.v1.method) = {public: true};`)
	_, err := policy.Compile(compileSources(t, map[string]string{"order.proto": source}, "order.proto"), policy.WithAudience("https://api.example.com"))
	var compileErr *policy.Error
	if !errors.As(err, &compileErr) {
		t.Fatalf("the error is %T", err)
	}
	var rules []string
	for _, rule := range compileErr.Rules {
		rules = append(rules, string(rule.Method.Name()))
	}
	if want := []string{"Call0", "Call4"}; !slices.Equal(rules, want) {
		t.Errorf("rules of %q, want %q", rules, want)
	}
	if got := len(compileErr.Faults); got != 3 || !errors.Is(err, compileErr.Faults[2]) {
		t.Errorf("%d faults in %v", got, err)
	}
	_, err = policy.Compile(compileSources(t, map[string]string{"order.proto": source}, "order.proto"))
	if !errors.As(err, &compileErr) || len(compileErr.Rules) != len(rules) {
		t.Errorf("without an audience: the rules of %v are not %q", err, rules)
	}
}

// TestArgument makes sure that a fault of an option tells which argument it is about.
func TestArgument(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(global, `option (protoauthz.v1.method) = {scopes: ["a", "a"]};`)
	_, err := policy.Compile(compileSources(t, map[string]string{"order.proto": source}, "order.proto"),
		policy.WithAudience("a b"), policy.WithAudience("urn:logto:organization:a"), policy.WithAudience(""), policy.WithSharedScopes("a", "b c", ""),
		policy.WithPublic("", "order.v1.OrderService", "order.v1.Request"), policy.WithShadow("service", "grpc"), policy.WithUnannotatedOpen("order.v1.OrderService", "no"), policy.WithUnannotatedRefused("names"))
	var got []string
	for _, fault := range faultsOf(t, err) {
		got = append(got, fault.Subject+" "+fault.Argument)
	}
	want := []string{
		"WithAudience a b", "WithAudience a b", "WithAudience urn:logto:organization:a", "WithAudience ", "WithSharedScopes b c", "WithSharedScopes ",
		"WithPublic ", "WithPublic order.v1.OrderService", "order.v1.OrderService.Call0 ", "WithPublic order.v1.Request", "WithShadow service", "WithShadow grpc",
		"WithUnannotatedRefused names", "WithUnannotatedOpen order.v1.OrderService", "WithUnannotatedOpen no",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the faults are about\n%q, want\n%q:\n%v", got, want, err)
	}
}

// TestOpenedByName makes sure that an error holds the rules of a service that WithPublic names by
// mistake.
func TestOpenedByName(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(global, `option (protoauthz.v1.method) = {scopes: ["a"]};`, "option deprecated = true;")
	files := compileSources(t, map[string]string{"order.proto": source}, "order.proto")
	_, err := policy.Compile(files, policy.WithAudience("https://api.example.com"), policy.WithPublic("order.v1.OrderService"))
	var compileErr *policy.Error
	if !errors.As(err, &compileErr) {
		t.Fatalf("the error is %T", err)
	}
	if faults := compileErr.Faults; len(faults) != 2 || faults[0].Kind != policy.FaultOption || faults[1].Kind != policy.FaultRuleMissing {
		t.Errorf("the faults are %v", err)
	}
	if rules := compileErr.Rules; len(rules) != 1 || rules[0].Public || !slices.Equal(rules[0].Scopes, []string{"a"}) {
		t.Errorf("the rules are %v", rules)
	}
	// The service of a linked file that is not given has no rules here.
	files = compileSources(t, map[string]string{"public.proto": protos.OrderService(global, `option (protoauthz.v1.method) = {public: true};`)}, "public.proto")
	_, err = policy.Compile(files, policy.WithPublic("sample.v1.CatalogService"))
	if !errors.As(err, &compileErr) || len(compileErr.Faults) != 1 || len(compileErr.Rules) != 1 {
		t.Errorf("of a linked service: %v, with rules %v", err, compileErr.Rules)
	}
}
