package explain_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// TestMain makes all calls of the catalogue, under the race detector too, as they are few, and
// makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) {
	harness.Racing = false
	goleak.VerifyTestMain(leaks.Patient(m))
}
