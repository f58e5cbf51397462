package guardtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// ownFiles returns the file of a service whose methods have these annotations. The names of the methods are Call0 and on.
func ownFiles(t testing.TB, methods []string) policy.Files {
	t.Helper()
	var source strings.Builder
	source.WriteString(`syntax = "proto3"; package own.v1; import "protoauthz/v1/authz.proto";
		message Request { string user_id = 1; string name = 2; repeated Request items = 3; repeated string users = 4; string org = 5; }
		service Own { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`)
	for n, method := range methods {
		_, _ = fmt.Fprintf(&source, "rpc Call%d(Request) returns (Request) { option (protoauthz.v1.method) = {%s}; }\n", n, method)
	}
	source.WriteString("}")
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"own.proto": source.String()}, "own.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// ownRules compiles the file of ownFiles.
func ownRules(t testing.TB, methods []string, options ...policy.Option) *policy.Table {
	t.Helper()
	table, err := policy.Compile(ownFiles(t, methods), append(options, policy.WithAudience(tokens.API))...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

const (
	inOrganization = `model: MODEL_ORGANIZATION_RESOURCE, organization: `
	subjectNone    = "SUBJECT_MISMATCH"
)

// TestAccessWays makes sure that a cell tells whom the request must name, and each way that lets the caller in.
func TestAccessWays(t *testing.T) {
	t.Parallel()
	rules := []struct {
		rule                               string
		none, acme, alice, staff, web, job string
	}{
		{
			`authenticated: true, subject: {field: "user_id"}`,
			"TOKEN_MISSING", "MODEL_MISMATCH", "yes, for user alice", "yes, for user bob", "yes, for user alice", subjectNone,
		},
		{
			`authenticated: true, client: {field: "items.name", pattern: "clients/{client}"}`,
			"TOKEN_MISSING", "MODEL_MISMATCH", subjectNone, subjectNone, "yes, for client web", "yes, for client job",
		},
		{ // self or staff
			`authenticated: true, subject: {field: "users"}, alternatives: [{scopes: ["read:a"], caller: CALLER_USER}]`,
			"TOKEN_MISSING", "MODEL_MISMATCH (way 0)", "yes, for user alice (way 0)", "yes, for user bob (way 0); yes (way 1)", "yes, for user alice (way 0)", "SUBJECT_MISMATCH (way 0)",
		},
		{ // staff across organizations
			`authenticated: true, organization_optional: true, ` + inOrganization + `{token: true}, alternatives: [{model: MODEL_GLOBAL_RESOURCE, scopes: ["read:a"]}]`,
			"TOKEN_MISSING", "yes, for acme (way 0)", "SCOPE_INSUFFICIENT: read:a (way 1)", "yes (way 1)", "SCOPE_INSUFFICIENT: read:a (way 1)", "SCOPE_INSUFFICIENT: read:a (way 1)",
		},
		{ // an owner in a resource name
			`authenticated: true, ` + inOrganization + `{field: "name", pattern: "organizations/{organization}/users/*/notes/*"}, subject: {field: "name", pattern: "organizations/*/users/{subject}/notes/*"}`,
			"TOKEN_MISSING", "yes, for acme, user alice", "MODEL_MISMATCH", "MODEL_MISMATCH", "MODEL_MISMATCH", "MODEL_MISMATCH",
		},
		{ // two fields of one element
			`authenticated: true, ` + inOrganization + `{field: "items.org"}, subject: {field: "items.items.user_id"}`,
			"TOKEN_MISSING", "yes, for acme, user alice", "MODEL_MISMATCH", "MODEL_MISMATCH", "MODEL_MISMATCH", "MODEL_MISMATCH",
		},
		{
			`scopes: ["read:a"], alternatives: [{authenticated: true, caller: CALLER_CLIENT}, {any_scopes: ["read:a", "read:b"], client: {field: "name"}}]`,
			"TOKEN_MISSING", "MODEL_MISMATCH (way 0)", "SCOPE_INSUFFICIENT: read:a (way 0)", "yes (way 0)", "SCOPE_INSUFFICIENT: read:a (way 0)", "yes (way 1)",
		},
	}
	var methods []string
	for _, test := range rules {
		methods = append(methods, test.rule)
	}
	alice := guardtest.User("alice").Audience(tokens.API)
	callers := guardtest.Callers{
		"acme":  alice.Organization("acme").Claims(t),
		"alice": alice.Claims(t),
		"staff": guardtest.User("bob").Audience(tokens.API).Scopes("read:a").Claims(t),
		"web":   alice.ClientID("web").Claims(t),
		"job":   guardtest.Client("job").Audience(tokens.API).Claims(t),
	}
	for name, options := range map[string][]policy.Option{
		"enforced":     nil,
		"the issuer":   {policy.WithSubjectIssuer("https://issuer.example.com")},
		"not enforced": {policy.WithShadow("own.v1.Own")},
	} {
		got := rowsOf(guardtest.Access(t, ownRules(t, methods, options...), callers))
		for n, test := range rules {
			procedure := fmt.Sprintf("/own.v1.Own/Call%d", n)
			if name == "not enforced" {
				procedure += " (not enforced)"
			}
			if want := []string{test.none, test.acme, test.alice, test.job, test.staff, test.web}; !slices.Equal(got[procedure], want) {
				t.Errorf("%s, %s:\n     %q\nwant %q", name, test.rule, got[procedure], want)
			}
		}
	}
	other := rowsOf(guardtest.Access(t, ownRules(t, methods[:1], policy.WithSubjectIssuer("https://other.example.com")), callers))
	if cells := other["/own.v1.Own/Call0"]; cells[2] != subjectNone {
		t.Errorf("of another issuer: %q", cells)
	}
}

// TestAccessIssuers makes sure that callers of several issuers end the test if the server would not start.
func TestAccessIssuers(t *testing.T) {
	t.Parallel()
	subject := []string{`authenticated: true, subject: {field: "user_id"}`}
	alice := guardtest.User("alice").Audience(tokens.API)
	callers := guardtest.Callers{"a": alice.Issuer("https://a.test").Claims(t), "b": alice.Issuer("https://b.test").Claims(t)}
	for name, test := range map[string]struct {
		table *policy.Table
		want  string
	}{
		"untold":     {ownRules(t, subject), `guardtest: the claims of the callers are of several issuers: interceptor: the rule of /own.v1.Own/Call0 names a subject or a client`},
		"told":       {ownRules(t, subject, policy.WithSubjectIssuer("https://a.test")), "it goes on"},
		"no subject": {ownRules(t, []string{`authenticated: true`}), "it goes on"},
	} {
		got := faultsOf(t, func(t testing.TB) { guardtest.Access(t, test.table, callers) })
		if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := rowsOf(guardtest.Access(t, ownRules(t, subject), nil)); !slices.Equal(got["/own.v1.Own/Call0"], []string{"TOKEN_MISSING"}) {
		t.Errorf("no callers: %q", got)
	}
}
