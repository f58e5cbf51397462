// Package provider_test runs the sample, and a guarded server in this process, against identity providers that
// others made: oidc-provider, the engine of Logto, and zitadel/oidc, the engine of Zitadel.
//
// The tests of oidc-provider need Node.js and the packages that npm ci installs. Without them the tests are
// skipped, which go test -v shows, or fail with CI=true in the environment. The cache of go test does not see
// the processes that the tests start: run the tests with -count=1.
package provider_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
