package harness

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Pipes are a network in memory, and its only listener. A bubble of testing/synctest counts a goroutine that waits
// for it as blocked, so that the clock moves on.
type Pipes struct {
	accepting chan net.Conn
	closed    chan struct{}
	close     func()
}

// NewPipes makes a network.
func NewPipes() *Pipes {
	p := &Pipes{accepting: make(chan net.Conn), closed: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.closed) })
	return p
}

// ServePiped serves over pipes until the test is over.
func ServePiped(t testing.TB, handler http.Handler) *Server {
	t.Helper()
	p := NewPipes()
	return ServeOn(t, p, func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Dial(ctx) }, handler)
}

// Dial connects to the listener.
func (p *Pipes) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.accepting <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements [net.Listener].
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepting:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (p *Pipes) Close() error {
	p.close()
	return nil
}

// Addr implements [net.Listener].
func (*Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "in.memory", Net: "pipe"} }
