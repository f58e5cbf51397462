package interceptor_test

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
)

// Pipes are a network in memory. Bubbles of testing/synctest know who waits for it, so that
// their clock moves on.
type pipes struct {
	accepting chan net.Conn
	closed    chan struct{}
	close     func()
}

// servePiped serves without a port.
func servePiped(t testing.TB, handler http.Handler) server {
	t.Helper()
	p := &pipes{accepting: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return server{calltest.ServeOn(t, p, p.dial, handler)}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepting <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case server := <-p.accepting:
		return server, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *pipes) Close() error {
	p.close()
	return nil
}

// Addr implements [net.Listener].
func (*pipes) Addr() net.Addr { return &net.UnixAddr{Name: "in.memory", Net: "pipe"} }

// Turns for what must not come to show itself, and more than what must come ever takes.
const few, many = 100_000, 30_000_000

// soon reports whether something comes true while the others have so many turns. A bubble's
// clock is no help where one of them waits for a lock: it stands still.
func soon(turns int, condition func() bool) bool {
	for range turns {
		if condition() {
			return true
		}
		runtime.Gosched()
	}
	return condition()
}
