package telemetry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	connect2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"
	"go.opentelemetry.io/otel/codes"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestStatus makes sure that the span of a call is an error if the server cannot verify the token, whatever the
// status of HTTP is, and that the span of a call that may not be made is none.
func TestStatus(t *testing.T) {
	t.Parallel()
	known := call{column: "the token cannot be verified", procedure: unary, messages: []*message{naming(harness.Acme)}, reason: interceptor.ReasonVerifierUnavailable}
	unknown := call{column: "no token", procedure: unary, bare: true, messages: known.messages, reason: interceptor.ReasonTokenMissing}
	for _, r := range []row{
		{framework: "connect-go", order: []string{"otelhttp", "guard", "otelconnect"}},
		{framework: "connect-go", order: []string{"otelconnect", "guard.Interceptor"}},
		{framework: "connect v2", order: []string{"otelhttp", "guard"}},
		{framework: "grpc-go", order: []string{"otelgrpc", "guard"}},
	} {
		for c, want := range map[*call]codes.Code{&known: codes.Error, &unknown: codes.Unset} {
			r.make(t, c, func(t *testing.T, b *backend) *interceptor.Guard { t.Helper(); return b.unavailable(t) }, func(t *testing.T, b *backend, over string) {
				t.Helper()
				spans := b.exporter.GetSpans()
				if len(spans) != 1 || spans[0].Status.Code != want {
					t.Errorf("%s %s over %s: %s: %s, status %v, want %v", r.framework, r.order, over, c.column, b.spans(t), spans[0].Status, want)
				}
			})
		}
	}
}

// TestInProcess makes sure that the refusal of a call that a handler makes in process is an event on the span of
// the handler's call, and not its code: the handler may go on.
func TestInProcess(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*testing.T, *backend) http.Handler{
		"connect-go": func(t *testing.T, b *backend) http.Handler {
			t.Helper()
			mux, inner := http.NewServeMux(), b.handler1(t, []string{"guard"}, b.unavailable(t))
			caller := connect.NewClient[message, answer](&http.Client{Transport: tokens.Handler(func(request *http.Request) (*http.Response, error) {
				recorder := httptest.NewRecorder()
				inner.ServeHTTP(recorder, request)
				return recorder.Result(), nil
			})}, "http://in.process"+unary)
			mux.Handle(unary, connect.NewUnaryHandler(unary, func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
				sent := connect.NewRequest(request.Msg)
				sent.Header().Set("Authorization", "Bearer any")
				if _, err := caller.CallUnary(ctx, sent); connect.CodeOf(err) != connect.CodeUnavailable {
					t.Errorf("the call in process ends with %v", err)
				}
				return connect.NewResponse(new(answer)), nil
			}, b.guard(t).HandlerOption()))
			return b.traced([]string{"otelhttp"}, mux)
		},
		"connect v2": func(t *testing.T, b *backend) http.Handler {
			t.Helper()
			caller := connect2.NewClient(connectinprocess.New(server2(drain2, connectv2guard.Interceptor(b.unavailable(t)))))
			mux := http.NewServeMux()
			connecthttp.Mount(mux, server2(func(ctx context.Context, spec connect2.Spec, stream connect2.ServerStream) error {
				if err := stream.Receive(new(message)); err != nil {
					return err
				}
				inner, info := connect2.NewClientContext(ctx)
				info.RequestHeader().Set("Authorization", "Bearer any")
				if err := caller.CallUnary(inner, spec, naming(harness.Acme), new(answer)); connect2.CodeOf(err) != connect2.CodeUnavailable {
					t.Errorf("the call in process ends with %v", err)
				}
				return stream.Send(new(answer))
			}, connectv2guard.Interceptor(b.guard(t))))
			return b.traced([]string{"otelhttp"}, mux)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			let := call{column: "let in", procedure: unary, messages: []*message{naming(harness.Acme)}}
			let.overHTTP(t, handler(t, b))
			if got := b.spans(t); got != "http+ –" {
				t.Errorf("the spans are %s", got)
			}
			if status := b.exporter.GetSpans()[0].Status; status.Code != codes.Unset {
				t.Errorf("the status is %v", status)
			}
		})
	}
}
