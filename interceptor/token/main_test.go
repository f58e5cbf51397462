package token_test

import (
	"log/slog"
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// TestMain makes sure that no goroutine outlives its test. Most tests have issuers that fail, and look at no log.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(leaks.Patient(m))
}
