package grpcguard

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/test/bufconn"
)

// TestClosing makes sure that a listener says that it closes before it does: a call that finds it
// closed is told that the server was stopped.
func TestClosing(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	closed := func() {
		calls++
		for range 100 { // A closed listener wins over an ended context, or loses.
			if _, err := listener.DialContext(ended); !errors.Is(err, context.Canceled) {
				t.Fatalf("the listener is closed already: %v", err)
			}
		}
	}
	if err := (closing{listener, closed}).Close(); err != nil || calls != 1 {
		t.Errorf("%v, %d calls", err, calls)
	}
}
