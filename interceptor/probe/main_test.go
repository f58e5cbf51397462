package probe_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }
