package grpcguardtest_test

import (
	"strings"
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
	f.text = strings.TrimSpace(format)
	panic(f)
}

// TestInProcessStopped makes sure that a server that cannot be served fails the test.
func TestInProcessStopped(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	server.Stop()
	f := &fatal{TB: t}
	defer func() {
		if recover() != any(f) || f.text == "" {
			t.Errorf("the test goes on: %q", f.text)
		}
	}()
	grpcguardtest.InProcess(f, server)
}
