// Package provider_test runs the sample against an identity provider that others made:
// oidc-provider, the engine of Logto.
//
// It needs Node.js and the packages that npm ci installs. Without them its tests are skipped, which
// go test -v shows, or fail with CI=true in the environment. The processes that it starts are not
// among what go test caches by: run it with -count=1.
package provider_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
