package interceptor_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// A replacedConn has the header of an interceptor.
type replacedConn struct {
	connect.StreamingHandlerConn
	header http.Header
}

func (c replacedConn) RequestHeader() http.Header { return c.header }

// replacing copies the header of streams.
func replacing(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, replacedConn{conn, conn.RequestHeader().Clone()})
	}
}

// behindCopy installs a guard behind a copy of the header.
func behindCopy(install installing) harness.Mount {
	return mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
		return connect.WithHandlerOptions(connect.WithInterceptors(streamInterceptor(replacing)), install(guard, outermost))
	})
}

// behindClaims installs a gate, and an interceptor that puts claims into the context.
func behindClaims(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
	claiming := streamInterceptor(func(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
		return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
			return next(interceptor.ContextWithClaims(ctx, nil), conn)
		}
	})
	return connect.WithHandlerOptions(connect.WithInterceptors(claiming), gate(guard, outermost))
}

// TestRefusedBody makes sure that a refused call is answered although its body does not come. Without the
// gate the body of a unary call is read.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	harness.RefusedBodies(t, "", mounting(gate), catalogue.Unary, catalogue.Client)
	harness.RefusedBodies(t, ", interceptor only", mounting(interceptorOnly), catalogue.Client)
}

// TestOutsideIdle makes sure that a stream ends with its token although its client sends nothing more.
func TestOutsideIdle(t *testing.T) {
	t.Parallel()
	harness.IdleStreams(t, map[string]harness.Mount{
		"gate":                     mounting(gate),
		"interceptor only":         mounting(interceptorOnly),
		"a copy of the header":     behindCopy(gate),
		"a copy, interceptor only": behindCopy(interceptorOnly),
		"claims in the context":    mounting(behindClaims),
	}, map[string]harness.Mount{
		"gates": mounting(gate),
		"an interceptor inside": mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
			if outermost {
				return gate(guard, true)
			}
			return interceptorOnly(guard, false)
		}),
		"an interceptor outside": mounting(func(guard *interceptor.Guard, outermost bool) connect.HandlerOption {
			if outermost {
				return interceptorOnly(guard, true)
			}
			return gate(guard, false)
		}),
	})
}

// TestUnreadStream makes sure that a stream ends with its token although its client does not read.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	harness.UnreadStreams(t, mounting(gate))
}

// TestOutsideNextRequest makes sure that a stream whose body was read and that ends with its token does
// no harm to the next request on its connection.
func TestOutsideNextRequest(t *testing.T) {
	t.Parallel()
	bubble(t, "B1", func(t *testing.T) {
		streams := mounting(gate)(new(harness.Wire), func(_ context.Context, stream harness.ServerStream) error {
			err := stream.Receive(new(message))
			time.Sleep(time.Minute) // the bubble's clock: until after the token and the grace for the handler
			return err
		}, harness.Expiring(t, time.Second))
		mux := http.NewServeMux()
		mux.Handle("/", interceptor.DeadlineHandler(streams))
		mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
			if err := r.Context().Err(); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		connection := harness.ServePiped(t, mux).DialByHand(t)
		for _, sent := range []string{
			"POST " + procedure("Token", connect.StreamTypeServer) + " HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer any\r\n" +
				"Content-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n" + harness.Envelope("{}"),
			"GET /next HTTP/1.1\r\nHost: test\r\n\r\n",
		} {
			reply, err := connection.Ask(sent)
			if err != nil {
				t.Fatal(err)
			}
			if reply.Status != http.StatusOK || reply.Closes {
				t.Errorf("%+v", reply)
			}
		}
	})
}

// TestOutsideTimeout makes sure that the connection of a call whose handler was left behind by
// http.TimeoutHandler is left alone when the token expires.
func TestOutsideTimeout(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{true, false} {
		bubble(t, map[bool]string{true: "B1 HTTP/1.1", false: "B1 HTTP/2"}[http1], func(t *testing.T) {
			returned := make(chan struct{})
			mounted := mounting(gate)(new(harness.Wire), func(context.Context, harness.ServerStream) error {
				time.Sleep(time.Hour) // the bubble's clock
				return nil
			}, harness.Expiring(t, time.Minute))
			streams := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(returned)
				mounted.ServeHTTP(w, r)
			})
			mux := http.NewServeMux()
			mux.Handle("/", interceptor.DeadlineHandler(http.TimeoutHandler(streams, time.Second, "too late")))
			mux.HandleFunc("/next", func(http.ResponseWriter, *http.Request) {})
			server := server{harness.ServePiped(t, mux)}
			client := server.HTTP2
			if http1 {
				client = server.HTTP1
			}
			call := func(path string) (code int, reused bool) {
				ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) { reused = got.Reused }})
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader(harness.Envelope("{}")))
				if err != nil {
					t.Fatal(err)
				}
				request.Header = http.Header{"Authorization": {"Bearer any"}, "Content-Type": {"application/connect+json"}}
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.Copy(io.Discard, response.Body)
				if err := errors.Join(err, response.Body.Close()); err != nil {
					t.Error(err)
				}
				return response.StatusCode, reused
			}
			if code, _ := call(procedure("Token", connect.StreamTypeClient)); code != http.StatusServiceUnavailable {
				t.Errorf("the handler is not left behind: %d", code)
			}
			<-returned // once the token has expired
			if code, reused := call("/next"); code != http.StatusOK || !reused {
				t.Errorf("the connection has been closed: %d, %t", code, reused)
			}
		})
	}
}
