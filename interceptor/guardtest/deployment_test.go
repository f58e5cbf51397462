package guardtest_test

import (
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
		settings := guardtest.Deployment(t, name, issuers...)
		if len(settings.Issuers) != 1 || settings.Issuers[0].URL != want {
			t.Errorf("the issuers are %v, want %s", settings.Issuers, want)
		}
		table, err := settings.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto})
		if err != nil {
			t.Fatal(err)
		}
		if table.Audience() != "https://api.test" || strings.Contains(table.String(), "shadow") {
			t.Errorf("the rules are\n%s", table)
		}
	}
	if err := os.WriteFile(name, []byte(`{"audiences": ""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	faults := faultsOf(t, func(t testing.TB) { guardtest.Deployment(t, name) })
	if len(faults) != 1 || !strings.Contains(faults[0], "line 1: audiences") {
		t.Errorf("the test fails with %q", faults)
	}
}
