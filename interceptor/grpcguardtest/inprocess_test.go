package grpcguardtest_test

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"

	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
)

// A fatal is a test that stops at its first failure.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Helper() {}

func (f *fatal) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

// TestInProcessStopped makes sure that a server that cannot be served fails the test.
func TestInProcessStopped(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	server.Stop()
	f := &fatal{TB: t}
	defer func() {
		const want = "grpcguardtest: InProcess: grpcguard: InProcess: the server was stopped: serve a new one"
		if recover() != any(f) || f.text != want {
			t.Errorf("the test ends with %q, want %q", f.text, want)
		}
	}()
	grpcguardtest.InProcess(f, server)
}
