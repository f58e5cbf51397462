package callctx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

type contextKey struct{}

// FromContext returns the connection of the request from whose context a context is made, or nil.
// [Connection.Claim] tells whether a call with that context came over the connection.
func FromContext(ctx context.Context) *Connection {
	c, _ := ctx.Value(contextKey{}).(*Connection)
	return c
}

// A hangup is a context that ends with the context of the request, except when net/http ends that
// context because a read has failed at the cutoff: then the handler, or [http.TimeoutHandler], still
// has to answer.
type hangup struct {
	context.Context

	cancel context.CancelCauseFunc
	stop   func() bool
	timer  context.CancelFunc // of the deadline that the request's context has, or nil
}

func (h *hangup) end() {
	h.stop()
	h.cancel(nil)
	if h.timer != nil {
		h.timer()
	}
}

// live returns the hangup of the request, which live makes for the first caller.
func (c *Connection) live() context.Context {
	if c.request.ProtoMajor > 1 {
		return c.Context // HTTP/2 has a context for each request, and a failed read does not end it
	}
	if h := c.hangup.Load(); h != nil {
		return h
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hangup.Load(); h != nil {
		return h
	}
	h := new(hangup)
	h.Context = context.WithoutCancel(c.Context)
	if deadline, ok := c.Context.Deadline(); ok {
		h.Context, h.timer = context.WithDeadline(h.Context, deadline)
	}
	h.Context, h.cancel = context.WithCancelCause(h.Context)
	h.stop = context.AfterFunc(c.Context, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.propagateEnd(h)
	})
	c.hangup.Store(h)
	switch {
	case c.over:
		h.end()
	case c.Context.Err() != nil:
		c.propagateEnd(h)
	}
	return h
}

// propagateEnd ends the hangup, since the context of the request has ended. The lock is held.
func (c *Connection) propagateEnd(h *hangup) {
	switch {
	case !c.cutoff.IsZero() && !time.Now().Before(c.cutoff):
	case h.timer != nil && errors.Is(c.Context.Err(), context.DeadlineExceeded):
	default:
		h.cancel(context.Cause(c.Context))
	}
}

// Done implements [context.Context].
func (c *Connection) Done() <-chan struct{} { return c.live().Done() }

// Err implements [context.Context].
func (c *Connection) Err() error { return c.live().Err() }

// Value implements [context.Context].
func (c *Connection) Value(key any) any {
	if key == (contextKey{}) {
		return c
	}
	if h := c.hangup.Load(); h != nil {
		return h.Value(key) // so that a context made from this one ends without a goroutine of its own
	}
	return c.Context.Value(key)
}

// Format implements [fmt.Formatter]: a printed context does not hold the request.
func (c *Connection) Format(out fmt.State, _ rune) {
	_, _ = io.WriteString(out, "callctx.Connection")
}
