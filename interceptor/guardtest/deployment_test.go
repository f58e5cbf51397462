package guardtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestDeployment makes sure that the rules of a test are enforced, and that a test chooses the issuers.
func TestDeployment(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "authz.json")
	const text = `{"audience": "https://api.test", "shadow": ["sample.v1.CatalogService"], "issuers": [{"preset": ["logto", "https://a.test"]}]}`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, issuers := range map[string][]token.Issuer{"https://a.test/oidc": nil, "https://b.test/oidc": {token.Logto("https://b.test")}} {
		d := guardtest.Deployment(t, name, issuers...)
		if len(d.Issuers) != 1 || d.Issuers[0].URL != want {
			t.Errorf("the issuers are %v, want %s", d.Issuers, want)
		}
		table, err := d.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto})
		if err != nil {
			t.Fatal(err)
		}
		if table.Audience() != "https://api.test" || strings.Contains(table.String(), "shadow") {
			t.Errorf("the rules are\n%s", table)
		}
	}
	for text, want := range map[string]string{
		`{"audiences": ""}`: ":1: audiences is unknown: ",
		"{\n\"shadow\": [\"sample.v1.CatalogService\",\n\"sample.v1.Catalog\"]}": ":3: shadow[1]: the test links no service sample.v1.Catalog: ",
		"{\"shadow\": [\"sample.v1.Product\"]}":                                  ":1: shadow[0]: the test links no service sample.v1.Product: ", // a message
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		faults := faultsOf(t, func(t testing.TB) { guardtest.Deployment(t, name) })
		if len(faults) != 1 || !strings.HasPrefix(faults[0], "guardtest: "+name+want) {
			t.Errorf("the test fails with %q, want %s", faults, want)
		}
	}
}

// A logging test keeps its log.
type logging struct {
	testing.TB

	lines []string
}

func (l *logging) Logf(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// TestDeploymentTells makes sure that a test tells which rules a server does not enforce.
func TestDeploymentTells(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "authz.json")
	const text = "{\"audience\": \"https://api.test\",\n\"shadow\": [\"sample.v1.CatalogService\"]}"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &logging{TB: t}
	guardtest.Deployment(l, name)
	want := "guardtest: " + name + ":2: shadow[0]: this test enforces the rules of sample.v1.CatalogService, and a server does not"
	if len(l.lines) != 1 || l.lines[0] != want {
		t.Errorf("the log is %q, want %q", l.lines, want)
	}
}

// TestDeploymentChecks makes sure that a test fails if the issuers of the document, which a test may replace, can meet a
// rule of the server by no token.
func TestDeploymentChecks(t *testing.T) {
	t.Parallel()
	const (
		subject = `authenticated: true, subject: {field: "user_id"}`
		kinds   = `, "userTokens": {"sub": ["*"]}`
		lack    = `:2: the issuers do not fit the rules: interceptor: /own.v1.Own/Call0: no token can meet the rule: "https://a.test": no token tells a user from a client`
	)
	for name, test := range map[string]struct{ more, want string }{
		"no kinds": {"", lack}, "users": {kinds, ""},
	} {
		file := filepath.Join(t.TempDir(), "authz.json")
		text := `{"audience": "https://api.test",` + "\n" + `"issuers": [{"url": "https://a.test", "algorithms": ["ES256"]` + test.more + `}]}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, issuers := range [][]token.Issuer{nil, {token.Logto("https://b.test")}} {
			faults := faultsOf(t, func(t testing.TB) {
				if _, err := guardtest.Deployment(t, file, issuers...).Compile(ownFiles(t, []string{subject})); err != nil {
					t.Error(err)
				}
			})
			if test.want == "" && len(faults) != 1 || test.want != "" && (len(faults) != 2 || !strings.Contains(faults[0], "guardtest: "+file+test.want)) {
				t.Errorf("%s, with %d issuers of the test: %q", name, len(issuers), faults)
			}
		}
	}
}

// TestDeploymentSubjectIssuer makes sure that the requests of a test name users of an issuer of the test.
func TestDeploymentSubjectIssuer(t *testing.T) {
	t.Parallel()
	one, two, test := token.Logto("https://one.test"), token.Logto("https://two.test"), token.Logto("https://test.test")
	file := filepath.Join(t.TempDir(), "authz.json")
	const issuers = `"issuers": [{"preset": ["logto", "https://one.test"]}, {"preset": ["logto", "https://two.test"]}]`
	const told = `"subjectIssuer": "https://two.test/oidc", `
	for name, c := range map[string]struct {
		told, want string
		issuers    []token.Issuer
	}{
		"the document's":     {told, two.URL, nil},
		"others":             {told, test.URL, []token.Issuer{test, one}},
		"others and the one": {told, two.URL, []token.Issuer{test, two}},
		"untold":             {"", "", []token.Issuer{test}},
	} {
		if err := os.WriteFile(file, []byte(`{"audience": "https://api.test", `+c.told+issuers+"}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := guardtest.Deployment(t, file, c.issuers...); d.SubjectIssuer != c.want {
			t.Errorf("%s: %q, want %q", name, d.SubjectIssuer, c.want)
		}
	}
}
