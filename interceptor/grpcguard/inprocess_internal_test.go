package grpcguard

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/test/bufconn"
)

// TestClosing makes sure that a listener calls its function before it closes: a call that finds the
// listener closed gets the error of a server that was stopped.
func TestClosing(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	calls := 0
	closed := func() {
		calls++
		for range 100 { // Which of both errors DialContext returns is random once the listener is closed.
			if _, err := listener.DialContext(ended); !errors.Is(err, context.Canceled) {
				t.Fatalf("the listener is closed already: %v", err)
			}
		}
	}
	if err := (closing{listener, closed}).Close(); err != nil || calls != 1 {
		t.Errorf("%v, %d calls", err, calls)
	}
}

// TestUnlessStopped makes sure that a server which was stopped while it accepted a connection does not
// wait for that connection.
func TestUnlessStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // in which a server that waits is a deadlock
		listener := bufconn.Listen(1)
		accepted := make(chan error, 1)
		go func() {
			conn, err := listener.Accept()
			if err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
			accepted <- err
		}()
		stopped, cancel := context.WithCancel(t.Context())
		conn, err := listener.Dial()
		cancel()
		if conn, err := unlessStopped(stopped, conn, err); conn != nil || !errors.Is(err, errStopped) {
			t.Errorf("%v, %v", conn, err)
		}
		if err := <-accepted; !errors.Is(err, io.EOF) {
			t.Errorf("the server reads on: %v", err)
		}
		if conn, err := unlessStopped(stopped, nil, io.ErrClosedPipe); conn != nil || !errors.Is(err, errStopped) {
			t.Errorf("without a connection: %v, %v", conn, err)
		}
		if _, err := unlessStopped(t.Context(), nil, io.ErrClosedPipe); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("of a server that serves: %v", err)
		}
	})
}
