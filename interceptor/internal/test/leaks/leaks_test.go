package leaks_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// tests leave a goroutine behind that ends later than package goleak waits.
type tests struct{ left chan struct{} }

func (s tests) Run() int {
	go func() {
		for range 3 {
			_ = goleak.Find() // which takes half a second, as it finds the goroutine that waits
		}
		close(s.left)
	}()
	return 7
}

// TestPatient makes sure that Patient waits for a goroutine that is about to end.
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
