package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

var errBodyClosed = errors.New("read on closed body")

// A conn is a connection without a network, for bubbles of testing/synctest. As
// with a real one, nothing wakes Receive but a message and the end of the
// request, and nothing but header and trailer may be touched by two goroutines
// at a time: the race detector sees to that.
type conn struct {
	spec     connect.Spec
	protocol string
	request  http.Header
	header   http.Header
	trailer  http.Header
	in       chan *message // what the client sends; closed at the end of it
	body     chan struct{} // closed with the request's body
	headers  http.Header   // as of the first message
	writes   int
}

func newConn(service string, kind connect.StreamType) *conn {
	return &conn{
		spec:     connect.Spec{Procedure: procedure(service, kind), StreamType: kind},
		protocol: connect.ProtocolGRPC,
		request:  http.Header{"Authorization": {"Bearer any"}},
		header:   http.Header{"Content-Type": {"application/grpc"}},
		trailer:  http.Header{},
		in:       make(chan *message),
		body:     make(chan struct{}),
	}
}

func (c *conn) Spec() connect.Spec           { return c.spec }
func (c *conn) Peer() connect.Peer           { return connect.Peer{Protocol: c.protocol} }
func (c *conn) RequestHeader() http.Header   { return c.request }
func (c *conn) ResponseHeader() http.Header  { return c.header }
func (c *conn) ResponseTrailer() http.Header { return c.trailer }

func (c *conn) Receive(into any) error {
	select {
	case received, ok := <-c.in:
		if !ok {
			return io.EOF
		}
		m, ok := into.(proto.Message)
		if !ok {
			return fmt.Errorf("%T is no message", into)
		}
		proto.Merge(m, received)
		return nil
	case <-c.body:
		return errBodyClosed
	}
}

func (c *conn) Send(sent any) error {
	c.writes++
	if c.headers == nil {
		c.headers = c.header.Clone()
	}
	if _, ok := sent.(*answer); !ok {
		return fmt.Errorf("%T is no answer", sent)
	}
	c.writes++
	return nil
}

// serve runs a handler as connect does, up to the end of the request.
func (c *conn) serve(ctx context.Context, guard *interceptor.Guard, handler connect.StreamingHandlerFunc) error {
	defer close(c.body)
	err := guard.Interceptor().WrapStreamingHandler(handler)(ctx, c)
	// The end of the call writes, too.
	c.writes++
	if c.headers == nil {
		c.headers = c.header.Clone()
	}
	c.header.Set("End", "1")
	c.trailer.Set("End", "1")
	return err
}

// receive is what handlers do with a connection.
func receive(conn connect.StreamingHandlerConn) (string, error) {
	received := new(message)
	err := conn.Receive(received)
	return received.GetOrganizationId(), err
}

// until is the payload of a token that is good up to then.
func until(exp int64) string {
	return fmt.Sprintf(`{"sub":"s","aud":%q,"scope":"read:data","organization_id":%q,"exp":%d}`, api, acme, exp)
}

// expiring is a guard that lets in for so long, in whole seconds, from when it is asked.
func expiring(t testing.TB, lifetime time.Duration, options ...interceptor.Option) *interceptor.Guard {
	t.Helper()
	verifier := verifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
		return unverified(until(time.Now().Add(lifetime).Unix()))(ctx, raw)
	})
	return interceptor.New(verifier, rules(t), options...)
}
