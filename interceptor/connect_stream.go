package interceptor

import (
	"context"
	"net/http"
	"slices"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// serveConn runs a streaming handler on a guarded connection. The connection of HTTP may be nil.
func (c *Call) serveConn(ctx context.Context, within *Call, conn connect.StreamingHandlerConn, connection *callctx.Connection, next connect.StreamingHandlerFunc) error {
	guarded := &guardedConn{
		StreamingHandlerConn: conn,
		header:               newOwnHeader(conn.ResponseHeader()),
		trailer:              newOwnHeader(conn.ResponseTrailer()),
	}
	transport := Transport{
		Receive:       conn.Receive,
		Send:          conn.Send,
		Refuse:        func(denial *Denial) error { return connectError(denial, within, conn.Spec(), conn.Peer()) },
		WithoutDenial: withoutDenial,
		Header: func() error {
			guarded.header.release(conn.ResponseHeader())
			return nil
		},
		Trailer:    func() { guarded.trailer.release(conn.ResponseTrailer()) },
		Connection: connection,
	}
	return c.serve(ctx, transport, conn.Peer(), func(ctx context.Context, stream *Stream) error {
		guarded.stream = stream
		return next(ctx, guarded)
	})
}

// watchConn runs a streaming handler whose messages are judged, and none of which is refused.
func (c *Call) watchConn(ctx context.Context, conn connect.StreamingHandlerConn, next connect.StreamingHandlerFunc) error {
	transport := Transport{
		Receive: conn.Receive, Send: conn.Send, WithoutDenial: withoutDenial,
		Refuse: func(denial *Denial) error { return connectError(denial, nil, conn.Spec(), conn.Peer()) },
	}
	return c.serve(ctx, transport, conn.Peer(), func(ctx context.Context, stream *Stream) error {
		return next(ctx, &watchedConn{conn, stream})
	})
}

// A watchedConn is the connection of a handler whose rule is not enforced.
type watchedConn struct {
	connect.StreamingHandlerConn
	stream *Stream
}

// Receive implements [connect.StreamingHandlerConn].
func (c *watchedConn) Receive(message any) error { return c.stream.Receive(message) }

// Send implements [connect.StreamingHandlerConn].
func (c *watchedConn) Send(message any) error { return c.stream.Send(message) }

// A guardedConn is the connection of a handler, with copies of the header and the trailer, since the
// handler may outlive the call.
type guardedConn struct {
	connect.StreamingHandlerConn
	stream          *Stream
	header, trailer ownHeader
}

// Receive implements [connect.StreamingHandlerConn].
func (c *guardedConn) Receive(message any) error { return c.stream.Receive(message) }

// Send implements [connect.StreamingHandlerConn].
func (c *guardedConn) Send(message any) error { return c.stream.Send(message) }

// ResponseHeader implements [connect.StreamingHandlerConn].
func (c *guardedConn) ResponseHeader() http.Header { return c.header.Header }

// ResponseTrailer implements [connect.StreamingHandlerConn].
func (c *guardedConn) ResponseTrailer() http.Header { return c.trailer.Header }

// An ownHeader is a copy of a header for a handler, and a copy that stays as the header was.
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

// release makes the changes of the handler in the original, too. Others may have added to the original
// since it was copied.
func (h ownHeader) release(into http.Header) {
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
