// Package provider_test runs the sample against an identity provider that others made:
// oidc-provider, the engine of Logto.
//
// It needs Node.js and the packages that npm ci installs. Without them its tests are skipped, which
// go test -v shows, or fail with CI=true in the environment. The processes that it starts are not
// among what go test caches by: run it with -count=1.
package provider_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// directory is where the sample is built.
var directory string

// TestMain makes sure that neither a goroutine nor a file outlives the tests.
func TestMain(m *testing.M) {
	var err error
	if directory, err = os.MkdirTemp("", "protoauthz"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		if err := os.RemoveAll(directory); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(status)
	}))
}

// built is the path of the sample's binary.
var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(directory, "sample")
	build := exec.Command("go", "build", "-o", path, "./sample")
	build.Dir = "../../../.."
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return path, nil
})
