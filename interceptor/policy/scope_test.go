package policy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestScopeSharedFaults makes sure that each method has one fault for each of its shared scopes, and that
// no other method has the fault.
func TestScopeSharedFaults(t *testing.T) {
	t.Parallel()
	const organization = `organization: {field: "a"}`
	source := protos.OrderService(global,
		`option (protoauthz.v1.method) = {scopes: ["x", "y", "x"]};`,
		`option (protoauthz.v1.method) = {any_scopes: ["free", "x"]};`,
		`option (protoauthz.v1.method) = {model: MODEL_ORGANIZATION_RESOURCE, scopes: "x", `+organization+`};`,
		`option (protoauthz.v1.method) = {model: MODEL_ORGANIZATION_RESOURCE, any_scopes: ["y", "x"], `+organization+`};`,
		`option (protoauthz.v1.method) = {model: MODEL_ORGANIZATION, scopes: ["x", "y"], `+organization+`};`,
		`option (protoauthz.v1.method) = {model: MODEL_ORGANIZATION_RESOURCE, scopes: "x", audience: "https://other.example.com", `+organization+`};`,
		`option (protoauthz.v1.method) = {public: true, scopes: "x"};`)
	_, err := policy.Compile(compileSources(t, map[string]string{"order.proto": source}, "order.proto"), policy.WithAudience("https://api.example.com"))
	var got []string
	for _, fault := range faultsOf(t, err) {
		if fault.Kind == policy.FaultScopeShared {
			got = append(got, fault.Place.String()+" "+fault.Subject)
		}
	}
	want := []string{
		"order.proto:3:81 order.v1.OrderService.Call0", "order.proto:3:86 order.v1.OrderService.Call0",
		"order.proto:4:93 order.v1.OrderService.Call1",
		"order.proto:5:108 order.v1.OrderService.Call2",
		"order.proto:6:121 order.v1.OrderService.Call3", "order.proto:6:126 order.v1.OrderService.Call3",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the faults are\n%q, want\n%q", got, want)
	}
	// Tools can compare rules that share a scope.
	if faulty, ok := errors.AsType[*policy.Error](err); !ok || len(faulty.Rules) != 5 {
		t.Errorf("got rules of %v", err)
	}
}
