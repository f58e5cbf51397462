package interceptor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// serveStream runs a streaming handler on a guarded connection.
func (g *Guard) serveStream(ctx context.Context, a *admission, conn connect.StreamingHandlerConn, next connect.StreamingHandlerFunc) error {
	guarded := &guardedConn{
		StreamingHandlerConn: conn, guard: g, ctx: ctx, admission: a,
		header: newOwnHeader(conn.ResponseHeader()), trailer: newOwnHeader(conn.ResponseTrailer()),
	}
	guarded.proved.Store(!a.byMessage())
	if !g.streamExpiry {
		return guarded.finish(next(ctx, guarded))
	}
	return guarded.finishBefore(a.claims.Deadline(), next)
}

// A guardedConn checks each message that is received, and locks the connection
// once the call is refused.
type guardedConn struct {
	connect.StreamingHandlerConn
	guard     *Guard
	ctx       context.Context
	admission *admission

	proved    atomic.Bool // a message has named the organization, or none needs to
	receiving atomic.Bool // the handler waits for the client
	denial    atomic.Pointer[Denial]

	// Held while sending, so that the end of the call never races with a Send.
	sending sync.Mutex
	sent    bool
	// The handler's own, since it may outlive the call: handed on to the
	// connection when nothing else reads them there, and not if it is refused.
	header, trailer ownHeader
}

// Receive receives a message and checks it before the handler sees it.
func (c *guardedConn) Receive(message any) error {
	if err := c.refused(); err != nil {
		return err
	}
	c.receiving.Store(true)
	err := c.StreamingHandlerConn.Receive(message)
	c.receiving.Store(false)
	if refused := c.refused(); refused != nil {
		forget(message)
		return refused
	}
	if err != nil {
		atEnd := errors.Is(err, io.EOF)
		if !atEnd {
			forget(message) // what was decoded of it before the error
		}
		if atEnd && !c.proved.Load() {
			return c.refuse(deny(ReasonOrganizationMismatch, "the stream ended without a message"))
		}
		return err
	}
	if !c.admission.byMessage() {
		return nil
	}
	if denial := judgeMessage(c.admission, message); denial != nil {
		forget(message)
		return c.refuse(denial)
	}
	if c.proved.Load() {
		return nil
	}
	event := Event{Procedure: c.admission.rule.Procedure, Claims: c.admission.claims}
	if denial := c.guard.observe(c.ctx, event); denial != nil {
		forget(message)
		c.denial.CompareAndSwap(nil, denial)
		return c.refused()
	}
	c.proved.Store(true)
	return nil
}

// forget empties a refused message, which a handler could read in spite of the
// error: see [connect.ClientStream.Msg].
func forget(message any) {
	if m, ok := message.(proto.Message); ok {
		proto.Reset(m)
	}
}

// Send sends a message, unless the call has been refused or nothing has proved the
// organization yet.
func (c *guardedConn) Send(message any) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.refused(); err != nil {
		return err
	}
	if !c.proved.Load() {
		return c.refuse(deny(ReasonOrganizationMismatch, "the handler sent before a message named the organization"))
	}
	c.handOnHeader()
	return c.StreamingHandlerConn.Send(message)
}

// ResponseHeader returns the header to send.
func (c *guardedConn) ResponseHeader() http.Header { return c.header.Header }

// ResponseTrailer returns the trailer to send.
func (c *guardedConn) ResponseTrailer() http.Header { return c.trailer.Header }

// handOnHeader hands the handler's header on to the connection, once: it goes out
// with the first message, or with the end.
func (c *guardedConn) handOnHeader() {
	if !c.sent {
		c.sent = true
		c.header.handOn(c.StreamingHandlerConn.ResponseHeader())
	}
}

// An ownHeader is a copy of a header, and what it was copied from.
type ownHeader struct {
	http.Header
	before http.Header
}

func newOwnHeader(header http.Header) ownHeader {
	own := ownHeader{Header: header.Clone(), before: header.Clone()}
	if own.Header == nil {
		own.Header = http.Header{}
	}
	return own
}

// handOn makes the changes to the copy in the original too, to which others may have
// added in the meantime.
func (h ownHeader) handOn(into http.Header) {
	for name := range h.before {
		if _, ok := h.Header[name]; !ok {
			delete(into, name)
		}
	}
	for name, values := range h.Header {
		if before, ok := h.before[name]; !ok || !slices.Equal(values, before) {
			into[name] = slices.Clone(values)
		}
	}
}

// refused returns the error of the refusal, or nil.
func (c *guardedConn) refused() error {
	if denial := c.denial.Load(); denial != nil {
		return connectError(denial, c.Spec(), c.Peer())
	}
	return nil
}

// refuse tells the observer and locks the connection. The first refusal counts.
func (c *guardedConn) refuse(denial *Denial) error {
	if c.denial.CompareAndSwap(nil, denial) {
		_ = c.guard.observe(c.ctx, Event{Procedure: c.admission.rule.Procedure, Claims: c.admission.claims, Denial: denial})
	}
	return c.refused()
}

// finish decides how the call ends, given what the handler returned: a refusal
// stands even if the handler swallowed it.
func (c *guardedConn) finish(err error) error {
	if err == nil && !c.proved.Load() {
		return c.refuse(deny(ReasonOrganizationMismatch, "the handler returned before a message named the organization"))
	}
	if refused := c.refused(); refused != nil {
		return refused
	}
	if c.proved.Load() {
		c.handOnHeader()
		c.trailer.handOn(c.StreamingHandlerConn.ResponseTrailer())
	}
	return err
}

var errExited = errors.New("interceptor: the handler called runtime.Goexit")

// expiryGrace is how long an expired call waits for a handler that is not blocked in
// Receive, and then for a Send that is under way before it is interrupted.
const expiryGrace = 500 * time.Millisecond

// finishBefore runs the handler until the deadline. Unless [Interruptible] does, nothing
// wakes a handler that is blocked in Receive but the end of the request, so the handler
// has a goroutine of its own, which ends soon after the request does; the connection is locked
// before.
func (c *guardedConn) finishBefore(deadline time.Time, next connect.StreamingHandlerFunc) error {
	left := time.Until(deadline)
	ctx, cancel := context.WithTimeoutCause(c.ctx, left, token.ErrExpired)
	defer cancel()
	type outcome struct {
		err      error
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		result := outcome{err: errExited}
		defer func() {
			result.panicked = recover()
			done <- result
		}()
		result.err = next(ctx, c)
	}()
	timer := time.NewTimer(left)
	defer timer.Stop()
	var result outcome
	await := func(until <-chan time.Time) (returned bool) {
		select {
		case result = <-done:
			return true
		case <-until:
			return false
		}
	}
	returned := await(timer.C)
	// The context may be ahead of a wall clock that has been set back.
	if returned && time.Now().Before(deadline) && !errors.Is(context.Cause(ctx), token.ErrExpired) {
		if result.panicked != nil {
			panic(result.panicked) // where net/http and connect.WithRecover expect it
		}
		return c.finish(result.err)
	}
	if !returned {
		<-ctx.Done() // by itself, so that its cause is ErrExpired and not the deferred cancel
	}
	err := c.refuse(denyToken(token.ErrExpired))
	if !returned {
		endReads(c.ctx, c.RequestHeader(), 0)
	}
	if !returned && !c.receiving.Load() {
		// A handler that heeds its context returns now. What stands around it should
		// not see it run on.
		await(time.After(expiryGrace))
	}
	c.lockSending()
	defer c.sending.Unlock()
	if result.panicked != nil {
		panic(result.panicked)
	}
	return err
}

// lockSending waits for the Send that is under way, which is the last. If the client takes
// too long to read it and can be interrupted, it is.
func (c *guardedConn) lockSending() {
	if c.sending.TryLock() {
		return
	}
	cut := make(chan struct{})
	timer := time.AfterFunc(expiryGrace, func() {
		defer close(cut)
		endWrites(c.ctx, c.RequestHeader())
	})
	c.sending.Lock()
	if !timer.Stop() {
		<-cut // the connection may serve another request after this one
	}
}
