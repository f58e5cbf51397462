package guardtest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var gap = regexp.MustCompile(`  +`)

// rowsOf returns the cells of a table by procedure.
func rowsOf(text string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(text) {
		cells := gap.Split(strings.TrimSuffix(line, "\n"), -1)
		rows[cells[0]] = cells[1:]
	}
	return rows
}

// TestAccess makes sure that each cell is the decision of a guard, for each place of a request that names the
// organization.
func TestAccess(t *testing.T) {
	t.Parallel()
	user := guardtest.User("alice").Audience(tokens.API)
	got := rowsOf(guardtest.Access(t, harness.PlainRules(t), guardtest.Callers{
		"global":  user.Scopes("read:a", "sell").Claims(t),
		"acme":    guardtest.Client("worker").Audience(tokens.API).Scopes("read:data").Organization("acme").Claims(t),
		"member":  user.OrganizationToken("acme").Scopes("invite:member").Claims(t),
		"expired": user.Expiry(time.Unix(1, 0)).Claims(t),
		"nothing": user.Claims(t),
		"sells":   user.Scopes("sell").Claims(t),
	}))
	const (
		missing, expired, model, caller = "TOKEN_MISSING", "TOKEN_EXPIRED", "MODEL_MISMATCH", "CALLER_NOT_ALLOWED"
		acme                            = "yes, for acme"
	)
	want := map[string][]string{
		"procedure":               {"no token", "acme", "expired", "global", "member", "nothing", "sells"},
		"/test.v1.Opened/*":       {"yes", "yes", "yes", "yes", "yes", "yes", "yes"},
		"/test.v1.Public/":        {"yes", "yes", "yes", "yes", "yes", "yes", "yes"},
		"/test.v1.Authenticated/": {missing, model, expired, "yes", model, "yes", "yes"},
		"/test.v1.Read/":          {missing, model, expired, "yes", model, "SCOPE_INSUFFICIENT: read:a", "SCOPE_INSUFFICIENT: read:a"},
		"/test.v1.Global/":        {missing, model, expired, "SCOPE_INSUFFICIENT: write:b", model, "SCOPE_INSUFFICIENT: read:a, write:b", "SCOPE_INSUFFICIENT: read:a, write:b"},
		"/test.v1.Any/":           {missing, model, expired, "yes", model, "SCOPE_INSUFFICIENT: read:a, sell or buy", "SCOPE_INSUFFICIENT: read:a"},
		"/test.v1.User/":          {missing, model, expired, "yes", model, "yes", "yes"},
		"/test.v1.Client/":        {missing, model, expired, caller, model, caller, caller},
		"/test.v1.Member/":        {missing, model, expired, model, acme, model, model},
		"/test.v1.Field/":         {missing, acme, expired, model, model, model, model},
		"/test.v1.Nested/":        {missing, acme, expired, model, model, model, model},
		"/test.v1.Header/":        {missing, acme, expired, model, model, model, model},
		"/test.v1.Token/":         {missing, acme, expired, model, model, model, model},
	}
	rows := 0
	for name, cells := range want {
		methods := []string{""}
		if strings.HasSuffix(name, "/") {
			methods = methods[:0]
			for _, method := range catalogue.Methods {
				methods = append(methods, method.Name)
			}
		}
		for _, method := range methods {
			rows++
			if !slices.Equal(got[name+method], cells) {
				t.Errorf("%s%s: %q, want %q", name, method, got[name+method], cells)
			}
		}
	}
	if rows != len(got) {
		t.Errorf("there are %d rows, want %d: %q", len(got), rows, got)
	}
}

// TestAccessPlaces makes sure that a request names the organization in repeated fields and in resource names, too.
func TestAccessPlaces(t *testing.T) {
	t.Parallel()
	for name, organization := range map[string]string{
		"a field":           `field: "name"`,
		"a header's name":   `field: "authorization"`,
		"a repeated field":  `field: "names"`,
		"repeated messages": `field: "children.children.name"`,
		"a resource name":   `field: "name" pattern: "organizations/{organization}/orders/*"`,
		"no resource name":  `field: "name" pattern: "organizations/{organization}/orders/*"`,
	} {
		files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"places.proto": `syntax = "proto3"; package places.v1; import "protoauthz/v1/authz.proto";
			message Request { string name = 1; repeated string names = 2; repeated Request children = 3; string authorization = 4; }
			service Places { rpc Do(Request) returns (Request) { option (protoauthz.v1.method) = {
				model: MODEL_ORGANIZATION_RESOURCE authenticated: true organization: {` + organization + `} }; } }`}, "places.proto")
		if err != nil {
			t.Fatal(err)
		}
		table, err := policy.Compile(policy.Files(files), policy.WithAudience(tokens.API))
		if err != nil {
			t.Fatal(err)
		}
		id, want := "acme", "yes, for acme"
		if name == "no resource name" { // which a handler could take for a step in a path
			id, want = ".", "ORGANIZATION_MISMATCH"
		}
		got := rowsOf(guardtest.Access(t, table, guardtest.Callers{"alice": guardtest.User("alice").Audience(tokens.API).Organization(id).Claims(t)}))
		if cells := got["/places.v1.Places/Do"]; !slices.Equal(cells, []string{"TOKEN_MISSING", want}) {
			t.Errorf("%s: %q", name, cells)
		}
	}
}

// TestAccessFaults makes sure that a table without rules, which would hide every change, ends the test.
func TestAccessFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		table   *policy.Table
		callers guardtest.Callers
		want    string
	}{
		"no table":  {nil, nil, "guardtest: the table has no rules: give the table that policy.Compile returns for the services of the server"},
		"no rules":  {new(policy.Table), nil, "guardtest: the table has no rules: give the table that policy.Compile returns for the services of the server"},
		"no claims": {harness.PlainRules(t), guardtest.Callers{"alice": nil}, `guardtest: the caller "alice" has no claims: give claims, and check the error of what makes them`},
	} {
		if got := faultsOf(t, func(t testing.TB) { guardtest.Access(t, test.table, test.callers) }); !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAssertAccess makes sure that a change of who may call what fails the test, and that the variable has the file
// written. It sets the environment, and so does not run beside other tests.
func TestAssertAccess(t *testing.T) {
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience(tokens.API))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "testdata", "access.golden")
	claims := func(scopes ...string) *token.Claims {
		return guardtest.User("alice").Audience(tokens.API).Scopes(scopes...).Claims(t)
	}
	assert := func(claims *token.Claims) []string {
		return faultsOf(t, func(t testing.TB) { guardtest.AssertAccess(t, file, table, guardtest.Callers{"alice": claims}) })
	}
	const (
		on = "it goes on"
		do = "run the test with GUARDTEST_UPDATE=1"
	)
	t.Setenv("GUARDTEST_UPDATE", "")
	if got := assert(claims()); len(got) != 1 || !strings.HasPrefix(got[0], "guardtest: ") || !strings.Contains(got[0], do) {
		t.Errorf("no file: %q", got)
	}
	t.Setenv("GUARDTEST_UPDATE", "1")
	if got := assert(claims("read:products")); !slices.Equal(got, []string{on}) {
		t.Errorf("written: %q", got)
	}
	t.Setenv("GUARDTEST_UPDATE", "")
	content, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(content), "/sample.v1.CatalogService/ListProducts") {
		t.Fatalf("%s, %v", content, err)
	}
	if got := assert(claims("read:products")); !slices.Equal(got, []string{on}) {
		t.Errorf("the same: %q", got)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(content), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := assert(claims("read:products")); !slices.Equal(got, []string{on}) {
		t.Errorf("other line breaks: %q", got)
	}
	got := assert(claims("read:products", "write:orders"))
	if len(got) != 2 || got[1] != on || !strings.Contains(got[0], do) || strings.Count(got[0], "\n-") != 1 || strings.Count(got[0], "\n+") != 1 ||
		!strings.Contains(got[0], "-/sample.v1.CatalogService/CreateOrder") || !strings.Contains(got[0], "SCOPE_INSUFFICIENT: write:orders\n+") {
		t.Errorf("changed: %q", got)
	}
	for _, value := range []string{"0", "false", "true", " 1"} {
		t.Setenv("GUARDTEST_UPDATE", value)
		if got := assert(claims()); len(got) != 2 || got[1] != on || !strings.Contains(got[0], do) {
			t.Errorf("GUARDTEST_UPDATE=%s: %q", value, got)
		}
	}
	file = filepath.Join(file, "below a file")
	t.Setenv("GUARDTEST_UPDATE", "1")
	if got := assert(claims()); len(got) != 1 || !strings.Contains(got[0], "cannot be written") {
		t.Errorf("not written: %q", got)
	}
}
