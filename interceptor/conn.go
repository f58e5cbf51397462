package interceptor

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// serveConn runs a streaming handler on a guarded connection. What the call came over may be nil.
func serveConn(call *Call, within *admission, conn connect.StreamingHandlerConn, connection *callctx.Connection, next connect.StreamingHandlerFunc) error {
	guarded := &guardedConn{
		StreamingHandlerConn: conn,
		within:               within,
		connection:           connection,
		header:               newOwnHeader(conn.ResponseHeader()),
		trailer:              newOwnHeader(conn.ResponseTrailer()),
	}
	guarded.open.Store(!call.AwaitsMessage())
	defer guarded.end()
	err := call.Serve((*lowerConn)(guarded), func(ctx context.Context, stream Stream) error {
		guarded.stream = stream
		return next(ctx, guarded)
	})
	if denial, ok := err.(*Denial); ok { //nolint:errorlint // the guard's, and not what another error is about
		guarded.expired = denial.reason == ReasonTokenExpired
		if !guarded.interrupted {
			guarded.connection.EndReads(callctx.RefusedBody)
		}
		return guarded.refusal(denial)
	}
	if guarded.open.Load() {
		guarded.handOnHeader()
		guarded.trailer.handOn(conn.ResponseTrailer())
	}
	return err
}

// A guardedConn is the connection that a handler has.
type guardedConn struct {
	connect.StreamingHandlerConn
	stream     Stream // which checks, and goes on to the lowerConn
	connection *callctx.Connection
	within     *admission  // see sameCall
	open       atomic.Bool // the client may read what the handler says

	// Held while sending, so that the end of the call never races with a Send.
	sending     sync.Mutex
	sent        bool
	interrupted bool // the call ends before its handler
	expired     bool // the call ends with its token
	// The handler's own, since it may outlive the call: handed on to the
	// connection when nothing else reads them there, and not if it is refused.
	header, trailer ownHeader
}

// Receive implements [connect.StreamingHandlerConn].
func (c *guardedConn) Receive(message any) error {
	err := c.stream.Receive(message)
	if err == nil {
		c.open.Store(true)
	}
	return c.answer(err)
}

// Send implements [connect.StreamingHandlerConn].
func (c *guardedConn) Send(message any) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.answer(c.stream.Send(message))
}

// ResponseHeader returns the header to send.
func (c *guardedConn) ResponseHeader() http.Header { return c.header.Header }

// ResponseTrailer returns the trailer to send.
func (c *guardedConn) ResponseTrailer() http.Header { return c.trailer.Header }

func (c *guardedConn) answer(err error) error {
	if denial, ok := err.(*Denial); ok { //nolint:errorlint // ours, and not what another error is about
		return c.refusal(denial)
	}
	return err
}

func (c *guardedConn) refusal(denial *Denial) error {
	return connectError(denial, c.within, c.Spec(), c.Peer())
}

// handOnHeader hands the handler's header on to the connection, once: it goes out
// with the first message, or with the end.
func (c *guardedConn) handOnHeader() {
	if !c.sent {
		c.sent = true
		c.header.handOn(c.StreamingHandlerConn.ResponseHeader())
	}
}

// end waits for the Send that is under way when a token expires, which is the last.
func (c *guardedConn) end() {
	if c.interrupted || c.expired {
		c.connection.AwaitSend(&c.sending)
	}
}

// A lowerConn is the side of a guardedConn that is turned to the connection.
type lowerConn guardedConn

// Receive implements [Stream].
func (c *lowerConn) Receive(message any) error { return c.StreamingHandlerConn.Receive(message) }

// Send implements [Stream].
func (c *lowerConn) Send(message any) error {
	(*guardedConn)(c).handOnHeader()
	return c.StreamingHandlerConn.Send(message)
}

// Interrupt wakes a handler that waits for the client.
func (c *lowerConn) Interrupt() {
	c.interrupted = true
	c.connection.EndReads(0)
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
