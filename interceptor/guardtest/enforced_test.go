package guardtest_test

import (
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestAccessEnforced makes sure that a rule which is not enforced is marked, and that its cells are what an enforced
// rule would answer.
func TestAccessEnforced(t *testing.T) {
	t.Parallel()
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"places.proto": `syntax = "proto3"; package places.v1; import "protoauthz/v1/authz.proto";
		message Request { string name = 1; }
		service Global { option (protoauthz.v1.service) = { model: MODEL_GLOBAL_RESOURCE };
			rpc Do(Request) returns (Request) { option (protoauthz.v1.method) = { scopes: "read:a" }; } }
		service Field { option (protoauthz.v1.service) = { model: MODEL_ORGANIZATION_RESOURCE organization: {field: "name"} };
			rpc Do(Request) returns (Request) { option (protoauthz.v1.method) = { scopes: "read:data" }; } }
		service Open { rpc Do(Request) returns (Request);
			rpc Info(Request) returns (Request) { option (protoauthz.v1.method).public = true; } }
		service Refused { rpc Do(Request) returns (Request); }`}, "places.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files(files), policy.WithAudience(tokens.API), policy.WithShadow("places.v1.Global", "places.v1.Field"),
		policy.WithUnannotatedOpen("places.v1.Open"), policy.WithUnannotatedRefused("places.v1.Refused"))
	if err != nil {
		t.Fatal(err)
	}
	user := guardtest.User("alice").Audience(tokens.API)
	got := rowsOf(guardtest.Access(t, table, guardtest.Callers{
		"acme": user.Organization("acme").Scopes("read:data").Claims(t), "nothing": user.Claims(t), "reads": user.Scopes("read:a").Claims(t),
	}))
	want := map[string][]string{
		"procedure":                           {"no token", "acme", "nothing", "reads"},
		"/places.v1.Field/Do (not enforced)":  {"TOKEN_MISSING", "yes, for acme", "MODEL_MISMATCH", "MODEL_MISMATCH"},
		"/places.v1.Global/Do (not enforced)": {"TOKEN_MISSING", "MODEL_MISMATCH", "SCOPE_INSUFFICIENT: read:a", "yes"},
		"/places.v1.Open/Info":                {"yes", "yes", "yes", "yes"},
		"/places.v1.Open/Do (not enforced)":   {"yes", "yes", "yes", "yes"},
		"/places.v1.Refused/Do":               {"RULE_MISSING", "RULE_MISSING", "RULE_MISSING", "RULE_MISSING"},
	}
	for name, cells := range want {
		if !slices.Equal(got[name], cells) {
			t.Errorf("%s: %q, want %q", name, got[name], cells)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%q", got)
	}
}
