package interceptor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestStreams makes sure that streams are guarded in both ways to install a guard.
func TestStreams(t *testing.T) {
	t.Parallel()
	t.Run("HandlerOption", func(t *testing.T) {
		t.Parallel()
		harness.Streams(t, gated())
	})
	t.Run("interceptor only", func(t *testing.T) {
		t.Parallel()
		harness.Streams(t, framework(wires[3], func(guard *interceptor.Guard) connect.HandlerOption {
			return connect.WithInterceptors(guard.Interceptor())
		}))
	})
}

// TestStreamPanics makes sure that a panic is logged once.
func TestStreamPanics(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	harness.StreamPanics(t, gated())
}

func gated() harness.Framework {
	gated := framework(wires[1], (*interceptor.Guard).HandlerOption)
	gated.AdmitsFirst = true
	return gated
}

// framework serves and calls streams of connect-go.
func framework(wire wire, install func(*interceptor.Guard) connect.HandlerOption) harness.Framework {
	return harness.Framework{
		Methods:    []catalogue.Method{catalogue.Server, catalogue.Client, catalogue.Bidi},
		AwaitsSend: true,
		Answer: func(err error) harness.Answer {
			got := refused(err)
			return harness.Answer{Answer: catalogue.Answer{
				Code: int(got.code), Reason: string(got.reason), Required: got.required, Any: got.any, Text: got.text, Told: got.told,
			}, Domain: got.domain, More: got.more, Error: err}
		},
		Serve: func(t testing.TB, guard *interceptor.Guard, wired *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
			t.Helper()
			served := server{harness.ServePiped(t, interceptor.DeadlineHandler(handlers{}.mux(
				connect.WithInterceptors(wiring{wire: wired}), install(guard), connect.WithInterceptors(handling{handler: handler}),
			)))}
			return func(ctx context.Context, service string, method catalogue.Method) (harness.ClientStream, error) {
				stream := served.connect(wire, catalogue.Procedure(service, method)).CallBidiStream(ctx)
				stream.RequestHeader().Set("Authorization", "Bearer any")
				err := stream.Send(nil) // the header
				conn, connErr := stream.Conn()
				return clientStream{conn}, errors.Join(err, connErr)
			}
		},
	}
}

// wiring is an interceptor around the guard's.
type wiring struct {
	earlyInterceptor
	wire *harness.Wire
}

// WrapStreamingHandler implements [connect.Interceptor].
func (w wiring) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return w.wire.Run(ctx, conn.ResponseHeader().Values, func(ctx context.Context) error { return next(ctx, wiredConn{conn, w.wire}) })
	}
}

type wiredConn struct {
	connect.StreamingHandlerConn
	wire *harness.Wire
}

func (c wiredConn) Receive(message any) error {
	return c.wire.Receive(message, c.StreamingHandlerConn.Receive)
}
func (c wiredConn) Send(message any) error { return c.wire.Send(message, c.StreamingHandlerConn.Send) }

// handling is an interceptor in place of the handler.
type handling struct {
	earlyInterceptor
	handler harness.StreamHandler
}

// WrapStreamingHandler implements [connect.Interceptor].
func (h handling) WrapStreamingHandler(connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return h.handler(ctx, serverStream{conn})
	}
}

type serverStream struct{ connect.StreamingHandlerConn }

func (serverStream) SendHeader() error               { return nil }
func (s serverStream) SetHeader(name, value string)  { s.ResponseHeader().Set(name, value) }
func (s serverStream) SetTrailer(name, value string) { s.ResponseTrailer().Set(name, value) }

type clientStream struct{ connect.StreamingClientConn }

func (s clientStream) CloseSend() error { return s.CloseRequest() }
func (s clientStream) Close() error     { return errors.Join(s.CloseRequest(), s.CloseResponse()) }

func (s clientStream) Values(name string) []string {
	return slices.Concat(s.ResponseHeader().Values(name), s.ResponseTrailer().Values(name))
}

// TestHeaderOfOthers makes sure that a handler's changes to header and trailer arrive,
// and those that others make on the connection meanwhile, too; and that nothing of the
// handler's does if its organization was never proved.
func TestHeaderOfOthers(t *testing.T) {
	t.Parallel()
	own := connect.NewError(connect.CodeDataLoss, errors.New("the handler's own"))
	for _, proved := range []bool{true, false} {
		conn := newConn("Field", connect.StreamTypeBidi)
		conn.header.Set("Removed", "before")
		if proved {
			go func() { conn.in <- naming(acme) }()
		}
		err := conn.serve(t.Context(), expiring(t, 1<<40), func(_ context.Context, guarded connect.StreamingHandlerConn) error {
			guarded.ResponseHeader().Del("Removed")
			guarded.ResponseHeader().Set("Handler", "h")
			guarded.ResponseTrailer().Set("Handler", "t")
			if proved {
				_, _ = receive(guarded)
			}
			conn.header.Set("Other", "1")
			conn.trailer.Set("Other", "2")
			return own
		})
		got := conn.headers.Get("Removed") + conn.headers.Get("Handler") + conn.trailer.Get("Handler") + conn.headers.Get("Other") + conn.trailer.Get("Other")
		if want := map[bool]string{true: "ht12", false: "before12"}[proved]; got != want || !errors.Is(err, own) {
			t.Errorf("proved %v: %q, want %q, %v", proved, got, want, err)
		}
	}
}
