package explain_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/leaktest"
)

// TestMain makes all calls of the catalogue, under the race detector too, as they are few, and
// makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) {
	calltest.Racing = false
	goleak.VerifyTestMain(leaktest.Patient(m))
}
