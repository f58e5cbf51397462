package guardtest

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// Deployment reads the document of a deployment for a test, with the given issuers in place of the document's. The
// result has no service in shadow, since in shadow no test can tell a handler behind the guard from one without:
//
//	issuer := devissuer.Start(t, devissuer.Config{})
//	settings := guardtest.Deployment(t, "authz.json", token.Logto(issuer.URL()))
//
// Without issuers, the document's stay. The test fails at once if the document has a fault.
func Deployment(t testing.TB, name string, issuers ...token.Issuer) *deployment.Deployment {
	t.Helper()
	settings, err := deployment.Read(name)
	if err != nil {
		t.Fatalf("guardtest: %v", err)
	}
	settings.Shadow = nil
	if len(issuers) > 0 {
		settings.Issuers = issuers
	}
	return settings
}
