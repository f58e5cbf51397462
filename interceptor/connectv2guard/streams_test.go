package connectv2guard_test

import (
	"context"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

const acme = harness.Acme

// authorized is a context for a client's call with a token.
func authorized(ctx context.Context) (context.Context, *connect.CallInfo) {
	ctx, info := connect.NewClientContext(ctx)
	info.RequestHeader().Set("Authorization", "Bearer any")
	return ctx, info
}

// A way is a client of a server.
type way struct {
	http1, inProcess bool
	options          []connecthttp.Option
}

var ways = map[string]way{
	"Connect":           {},
	"gRPC":              {options: []connecthttp.Option{connecthttp.WithGRPC()}},
	"Connect, HTTP/1.1": {http1: true},
	"in process":        {inProcess: true},
}

// client returns a client in a bubble.
func (w way) client(t testing.TB, server *connect.Server) *connect.Client {
	t.Helper()
	if w.inProcess {
		return connect.NewClient(connectinprocess.New(server))
	}
	served := harness.ServePiped(t, interceptor.DeadlineHandler(mount(server)))
	client := served.HTTP2
	if w.http1 {
		client = served.HTTP1
	}
	return connect.NewClient(connecthttp.NewTransport(client, served.URL, w.options...))
}

// TestStreams makes sure that calls are guarded, over HTTP and in process.
func TestStreams(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Connect", "in process"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			harness.Streams(t, framework(ways[name]))
		})
	}
}

// TestStreamPanics makes sure that a panic of a stream's handler is logged once, and a unary handler's is not.
func TestStreamPanics(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	harness.StreamPanics(t, framework(ways["Connect"]))
}

// framework serves and calls streams of connect-go's second version.
func framework(way way) harness.Framework {
	return harness.Framework{
		Methods:     catalogue.Methods,
		SendsHeader: true,
		AwaitsSend:  true,
		Answer:      func(err error) harness.Answer { return answerOf(err, new(connect.CallInfo)) },
		Serve: func(t testing.TB, guard *interceptor.Guard, wire *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
			t.Helper()
			wiring := func(next connect.ServerFunc) connect.ServerFunc {
				return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
					info, _ := connect.CallInfoForServerContext(ctx)
					return wire.Run(ctx, info.ResponseHeader().Values, func(ctx context.Context) error {
						return next(ctx, spec, wiredStream{stream, wire})
					})
				}
			}
			client := way.client(t, newServer(guard, func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
				info, _ := connect.CallInfoForServerContext(ctx)
				return handler(ctx, serverStream{stream, info})
			}, wiring))
			return func(ctx context.Context, service string, method catalogue.Method) (harness.ClientStream, error) {
				ctx, info := authorized(ctx)
				stream, err := client.CallClientStream(ctx, specOf(service, method))
				if err == nil && method.ClientStreams {
					err = stream.SendHeaders()
				}
				return clientStream{stream, info}, err
			}
		},
	}
}

// A wiredStream is the stream that the guard has.
type wiredStream struct {
	connect.ServerStream
	wire *harness.Wire
}

func (s wiredStream) Receive(message any) error {
	return s.wire.Receive(message, s.ServerStream.Receive)
}
func (s wiredStream) Send(message any) error { return s.wire.Send(message, s.ServerStream.Send) }
func (s wiredStream) SendHeaders() error     { return s.wire.SendHeader(s.ServerStream.SendHeaders) }

type serverStream struct {
	connect.ServerStream
	info *connect.CallInfo
}

func (s serverStream) SendHeader() error             { return s.SendHeaders() }
func (s serverStream) SetHeader(name, value string)  { s.info.ResponseHeader().Set(name, value) }
func (s serverStream) SetTrailer(name, value string) { s.info.ResponseTrailer().Set(name, value) }

type clientStream struct {
	connect.ClientStream
	info *connect.CallInfo
}

func (s clientStream) Values(name string) []string {
	return slices.Concat(s.info.ResponseHeader().Values(name), s.info.ResponseTrailer().Values(name))
}
