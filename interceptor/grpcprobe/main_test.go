package grpcprobe_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
