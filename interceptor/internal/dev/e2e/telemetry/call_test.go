package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A call is a call of a client.
type call struct {
	column    string // of the guide's table
	procedure string
	bare      bool // without a token
	messages  []*message
	reason    interceptor.Reason // for which the guard refuses the call, or "" if the guard lets the call in
}

func naming(organization string) *message { return &message{OrganizationId: organization} }

var calls = []call{
	{column: "let in", procedure: unary, messages: []*message{naming(harness.Acme)}},
	{column: "let in", procedure: client, messages: []*message{naming(harness.Acme), naming(harness.Acme)}},
	{column: "refused by its header", procedure: unary, bare: true, messages: []*message{naming(harness.Acme)}, reason: interceptor.ReasonTokenMissing},
	{column: "refused by its header", procedure: client, bare: true, messages: []*message{naming(harness.Acme)}, reason: interceptor.ReasonTokenMissing},
	{column: "by its message", procedure: unary, messages: []*message{naming(elsewhere)}, reason: interceptor.ReasonOrganizationMismatch},
	{
		column: "by a stream's second message", procedure: client, reason: interceptor.ReasonOrganizationMismatch,
		messages: []*message{naming(harness.Acme), naming(elsewhere)},
	},
	{
		column: "by a message that is invalid, too", procedure: unary, reason: interceptor.ReasonOrganizationMismatch,
		messages: []*message{{OrganizationId: elsewhere, Document: &samplev1.Document{Name: invalid}}},
	},
}

// overHTTP makes a call with a client of connect-go, and waits until the handler has ended.
func (c *call) overHTTP(t *testing.T, handler http.Handler, options ...connect.ClientOption) {
	t.Helper()
	var running sync.WaitGroup
	server := harness.Serve(t, ending{handler, &running})
	defer running.Wait()
	caller := connect.NewClient[message, answer](server.HTTP2, server.URL+c.procedure, options...)
	if c.procedure == unary {
		request := connect.NewRequest(c.messages[0])
		c.authorize(request.Header().Set)
		_, err := caller.CallUnary(t.Context(), request)
		c.check(t, err)
		return
	}
	stream := caller.CallClientStream(t.Context())
	c.authorize(stream.RequestHeader().Set)
	for _, m := range c.messages {
		if stream.Send(m) != nil {
			break // CloseAndReceive returns the cause
		}
	}
	_, err := stream.CloseAndReceive()
	c.check(t, err)
}

func (c *call) authorize(set func(name, value string)) {
	if !c.bare {
		set("Authorization", "Bearer any")
	}
}

// check makes sure that a call has succeeded only if the guard lets it in.
func (c *call) check(t *testing.T, err error) {
	t.Helper()
	if (err != nil) != (c.reason != "") {
		t.Errorf("%s: %v", c.column, err)
	}
}

// overGRPC makes a call with a client of grpc-go, and waits until the server has ended.
func (c *call) overGRPC(t *testing.T, server *grpc.Server) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	c.check(t, c.invoke(t.Context(), conn))
	server.GracefulStop()
	serving.Wait()
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func (c *call) invoke(ctx context.Context, conn *grpc.ClientConn) error {
	c.authorize(func(name, value string) { ctx = metadata.AppendToOutgoingContext(ctx, name, value) })
	if c.procedure == unary {
		return conn.Invoke(ctx, unary, c.messages[0], new(answer))
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, client)
	if err != nil {
		return err
	}
	for _, m := range c.messages {
		if err := stream.SendMsg(m); err != nil {
			break // RecvMsg returns the cause
		}
	}
	if err := errors.Join(stream.CloseSend(), stream.RecvMsg(new(answer))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
