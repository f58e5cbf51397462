package connectv2guard_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
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

// transports lead to a server in a bubble.
var transports = map[string]func(testing.TB, *connect.Server) connect.Transport{
	"Connect":    overHTTP,
	"in process": func(_ testing.TB, server *connect.Server) connect.Transport { return connectinprocess.New(server) },
}

func overHTTP(t testing.TB, server *connect.Server) connect.Transport {
	t.Helper()
	served := harness.ServePiped(t, interceptor.DeadlineHandler(mount(server)))
	return connecthttp.NewTransport(served.HTTP2, served.URL)
}

// TestStreams runs the suite that all adapters share, over HTTP and in process.
func TestStreams(t *testing.T) {
	t.Parallel()
	for name, transport := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			harness.Streams(t, framework(transport))
		})
	}
}

// framework serves and calls streams of connect-go's second version.
func framework(transport func(testing.TB, *connect.Server) connect.Transport) harness.Framework {
	return harness.Framework{
		Methods:     catalogue.Methods,
		SendsHeader: true,
		AwaitsSend:  true,
		Answer:      func(err error) harness.Answer { return answerOf(err, new(connect.CallInfo)) },
		Serve: func(t testing.TB, guard *interceptor.Guard, wire *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
			t.Helper()
			client := connect.NewClient(transport(t, wired(wire, handler, guard)))
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

// wired serves streams behind guards, the outermost first.
func wired(wire *harness.Wire, handler harness.StreamHandler, guards ...*interceptor.Guard) *connect.Server {
	outside := []connect.ServerInterceptor{func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			return wire.Run(ctx, info.ResponseHeader().Values, func(ctx context.Context) error {
				return next(ctx, spec, wiredStream{stream, wire})
			})
		}
	}}
	last := len(guards) - 1
	for _, guard := range guards[:last] {
		outside = append(outside, connectv2guard.Interceptor(guard))
	}
	return newServer(guards[last], func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		info, _ := connect.CallInfoForServerContext(ctx)
		return handler(ctx, serverStream{stream, info})
	}, outside...)
}

func mounted(wire *harness.Wire, handler harness.StreamHandler, guards ...*interceptor.Guard) http.Handler {
	return mount(wired(wire, handler, guards...))
}

// A wiredStream is the stream that the guard gets.
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
