package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestStreams makes sure that a guard judges streams, in both ways to install a guard.
func TestStreams(t *testing.T) {
	t.Parallel()
	t.Run("HandlerOption", func(t *testing.T) {
		t.Parallel()
		harness.Streams(t, gated())
	})
	t.Run("interceptor only", func(t *testing.T) {
		t.Parallel()
		harness.Streams(t, framework(wires[3], mounting(interceptorOnly)))
	})
}

func gated() harness.Framework {
	gated := framework(wires[1], mounting(gate))
	gated.AdmitsFirst = true
	return gated
}

// framework serves and calls streams of connect-go.
func framework(wire wire, mount harness.Mount) harness.Framework {
	return harness.Framework{
		Methods:    []catalogue.Method{catalogue.Server, catalogue.Client, catalogue.Bidi},
		AwaitsSend: true,
		Answer:     answerOf,
		Serve: func(t testing.TB, guard *interceptor.Guard, wired *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
			t.Helper()
			served := server{harness.ServePiped(t, interceptor.DeadlineHandler(mount(wired, handler, guard)))}
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

// A streamInterceptor is an interceptor of streaming handlers.
type streamInterceptor func(connect.StreamingHandlerFunc) connect.StreamingHandlerFunc

// WrapUnary implements [connect.Interceptor].
func (streamInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingClient implements [connect.Interceptor].
func (streamInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (f streamInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return f(next)
}

// An installing installs a guard, the outermost perhaps in another way.
type installing func(guard *interceptor.Guard, outermost bool) connect.HandlerOption

// mounting mounts streams behind guards.
func mounting(install installing) harness.Mount {
	return func(wire *harness.Wire, handler harness.StreamHandler, guards ...*interceptor.Guard) http.Handler {
		outside := streamInterceptor(func(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
			return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
				return wire.Run(ctx, conn.ResponseHeader().Values, func(ctx context.Context) error { return next(ctx, wiredConn{conn, wire}) })
			}
		})
		inside := streamInterceptor(func(connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
			return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
				return handler(ctx, serverStream{conn})
			}
		})
		options := []connect.HandlerOption{connect.WithInterceptors(outside)}
		for n, guard := range guards {
			options = append(options, install(guard, n == 0))
		}
		return handlers{}.mux(append(options, connect.WithInterceptors(inside))...)
	}
}

func gate(guard *interceptor.Guard, _ bool) connect.HandlerOption { return guard.HandlerOption() }

func interceptorOnly(guard *interceptor.Guard, _ bool) connect.HandlerOption {
	return connect.WithInterceptors(guard.Interceptor())
}

// A wiredConn is the connection that the guard has.
type wiredConn struct {
	connect.StreamingHandlerConn
	wire *harness.Wire
}

func (c wiredConn) Receive(message any) error {
	return c.wire.Receive(message, c.StreamingHandlerConn.Receive)
}
func (c wiredConn) Send(message any) error { return c.wire.Send(message, c.StreamingHandlerConn.Send) }

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

// TestHeaderOfOthers makes sure that a handler's changes to header and trailer arrive, together with the
// changes of others on the connection. Nothing of the handler arrives if no message has named the
// organization.
func TestHeaderOfOthers(t *testing.T) {
	t.Parallel()
	own := connect.NewError(connect.CodeDataLoss, errors.New("the handler's own"))
	for names, want := range map[string]string{acme: "ht12after3undated", "": "before12before3dated"} {
		conn := newConn("Field", connect.StreamTypeBidi, names)
		conn.header.Set("Removed", "before")
		conn.header.Set("Changed", "before")
		conn.header.Set("Shared", "before")
		err := conn.guardedBy(t.Context(), harness.Expiring(t, time.Hour), func(_ context.Context, guarded connect.StreamingHandlerConn) error {
			guarded.ResponseHeader().Del("Removed")
			guarded.ResponseHeader().Set("Changed", "after")
			guarded.ResponseHeader()["Date"] = nil // net/http then sends no date
			guarded.ResponseHeader().Set("Handler", "h")
			guarded.ResponseTrailer().Set("Handler", "t")
			conn.header.Set("Shared", "3")
			if names != "" {
				_ = errors.Join(guarded.Receive(new(message)), guarded.Send(new(answer)))
				guarded.ResponseHeader()["Handler"][0] = "too late"
			}
			conn.header.Set("Other", "1")
			conn.trailer.Set("Other", "2")
			return own
		})
		got := conn.header.Get("Removed") + conn.header.Get("Handler") + conn.trailer.Get("Handler") + conn.header.Get("Other") + conn.trailer.Get("Other")
		_, undated := conn.header["Date"]
		got += conn.header.Get("Changed") + conn.header.Get("Shared") + map[bool]string{false: "dated", true: "undated"}[undated]
		if got != want || !errors.Is(err, own) {
			t.Errorf("naming %q: %q, want %q, %v", names, got, want, err)
		}
	}
}

// TestNoHeader makes sure that the handler of a refused call may set the header and the trailer of a
// connection that has neither.
func TestNoHeader(t *testing.T) {
	t.Parallel()
	conn := newConn("Field", connect.StreamTypeBidi, "")
	conn.header, conn.trailer = nil, nil
	err := conn.guardedBy(t.Context(), harness.Expiring(t, time.Hour), func(_ context.Context, guarded connect.StreamingHandlerConn) error {
		guarded.ResponseHeader().Set("Handler", "h")
		guarded.ResponseTrailer().Set("Handler", "t")
		return nil
	})
	if refused(err) != organization {
		t.Error(err)
	}
}

// TestPublicStream makes sure that the handler of a public stream has the connection of connect-go itself.
func TestPublicStream(t *testing.T) {
	t.Parallel()
	conn := newConn("Public", connect.StreamTypeBidi, "")
	err := conn.guardedBy(t.Context(), harness.Expiring(t, time.Hour), func(_ context.Context, got connect.StreamingHandlerConn) error {
		if got != connect.StreamingHandlerConn(conn) {
			t.Errorf("the handler has a %T", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
