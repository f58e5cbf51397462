package leaks_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// A package's tests that leave a goroutine behind, which ends later than package goleak waits for.
type tests struct{ left chan struct{} }

func (s tests) Run() int {
	go func() {
		for range 3 {
			_ = goleak.Find() // which takes its time: it finds who waits for this goroutine
		}
		close(s.left)
	}()
	return 7
}

// TestPatient makes sure that a goroutine which is about to end is waited for.
//
//nolint:paralleltest // it looks for goroutines
func TestPatient(t *testing.T) {
	s := tests{make(chan struct{})}
	if status := leaks.Patient(s).Run(); status != 7 {
		t.Errorf("exit status %d", status)
	}
	select {
	case <-s.left:
	default:
		t.Error("the goroutine is still there")
	}
}
