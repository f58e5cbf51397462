package interceptor_test

import (
	"context"
	"io"
	"net/http"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A conn is a connection without a network. Its client sends the same message again and again, or none.
type conn struct {
	connect.StreamingHandlerConn

	spec                     connect.Spec
	request, header, trailer http.Header
	names                    string // the organization, or "" for no message
}

func newConn(service string, kind connect.StreamType, names string) *conn {
	return &conn{
		spec:    connect.Spec{Procedure: procedure(service, kind), StreamType: kind},
		request: http.Header{"Authorization": {"Bearer any"}},
		header:  http.Header{}, trailer: http.Header{},
		names: names,
	}
}

func (c *conn) Spec() connect.Spec           { return c.spec }
func (*conn) Peer() connect.Peer             { return connect.Peer{Protocol: connect.ProtocolGRPC} }
func (c *conn) RequestHeader() http.Header   { return c.request }
func (c *conn) ResponseHeader() http.Header  { return c.header }
func (c *conn) ResponseTrailer() http.Header { return c.trailer }

func (c *conn) Receive(into any) error {
	m, ok := into.(*message)
	if !ok || c.names == "" {
		return io.EOF
	}
	m.OrganizationId = c.names
	return nil
}

func (*conn) Send(any) error { return nil }

// guardedBy serves the connection behind a guard, and returns the error with which the call ends.
func (c *conn) guardedBy(ctx context.Context, guard *interceptor.Guard, handler connect.StreamingHandlerFunc) error {
	return guard.Interceptor().WrapStreamingHandler(handler)(ctx, c)
}
