package interceptor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// returning tells when a handler has returned.
func returning(handler http.Handler) (http.Handler, <-chan time.Time) {
	returned := make(chan time.Time, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { returned <- time.Now() }()
		handler.ServeHTTP(w, r)
	}), returned
}

// TestIdleHTTP1 is about a client that streams over HTTP/1.1 and sends nothing more. If
// the server can be interrupted, the client is told when its token expires.
func TestIdleHTTP1(t *testing.T) {
	t.Parallel()
	for name, interruptible := range map[string]bool{"told once it sends": false, "told at once": true} {
		bubble(t, name, func(t *testing.T) {
			var handler http.Handler = handlers{
				client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
					for stream.Receive() {
						harness.Saw(ctx, stream.Msg().GetOrganizationId())
					}
					return connect.NewResponse(text("done")), stream.Err()
				},
			}.mux(expiring(t, time.Minute, interceptor.WithObserver(harness.Observe)).HandlerOption())
			if interruptible {
				handler = interceptor.DeadlineHandler(handler)
			}
			handler, returned := returning(handler)
			server := server{harness.ServePiped(t, handler)}
			header := http.Header{"Authorization": {"Bearer any"}}
			call := server.Record(header)
			stream := server.connect(wireNamed("Connect JSON, HTTP/1.1"), procedure("Field", connect.StreamTypeClient)).CallClientStream(t.Context())
			merge(stream.RequestHeader(), header)
			if err := stream.Send(naming(acme)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the bubble's clock: the message has arrived before it moves
			// From here on it may stand still: net/http holds a lock while it waits for a body.
			if !harness.HappensWithin(harness.ManyYields, func() bool { return len(call.Decisions()) == 2 }) {
				t.Error("no end was decided")
			}
			yields := map[bool]int{false: harness.FewYields, true: harness.ManyYields}[interruptible]
			told := harness.HappensWithin(yields, func() bool { return len(returned) > 0 })
			if told != interruptible {
				t.Errorf("ended before the client sent anything: %t, the documentation says %t", told, interruptible)
			}
			if !told {
				_ = stream.Send(naming(acme))
			}
			if _, err := stream.CloseAndReceive(); refused(err) != expired {
				t.Errorf("%v", err)
			}
			if _, seen := call.Seen(); len(seen) != 1 {
				t.Errorf("the handler saw %q", seen)
			}
		})
	}
}

// patience is how long a test waits for what must come before it fails.
const patience = 2 * time.Minute

// TestUnreadStream is about a client that does not read, so that a Send blocks. It is in no
// bubble, since who waits for that Send waits for a lock.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for _, wire := range slices.Concat(http2(), []wire{wireNamed("Connect JSON, HTTP/1.1"), wireNamed("gRPC-Web, HTTP/1.1")}) {
		// The token expires four seconds after it was verified, however long the call took to get there.
		guard := expiring(t, 4*time.Second, interceptor.WithObserver(harness.Observe))
		handler, returned := returning(interceptor.DeadlineHandler(handlers{
			server: func(_ context.Context, _ *connect.Request[message], stream *connect.ServerStream[answer]) error {
				large := text(strings.Repeat("x", 1<<20))
				for {
					if err := stream.Send(large); err != nil {
						return err
					}
				}
			},
		}.mux(guard.HandlerOption())))
		server := serve(t, handler)
		request := connect.NewRequest(naming(acme))
		request.Header().Set("Authorization", "Bearer any")
		call := server.Record(request.Header())
		calls.Go(func() {
			stream, err := server.connect(wire, procedure("Token", connect.StreamTypeServer)).CallServerStream(t.Context(), request)
			if err != nil {
				t.Errorf("%s: %v", wire.name, err)
				return
			}
			defer func() { _ = stream.Close() }()
			select {
			case at := <-returned:
				if got, want := call.Decisions(), []interceptor.Reason{"", expired.reason}; !slices.Equal(got, want) {
					t.Errorf("%s: decisions are %q, want %q", wire.name, got, want)
				} else if late := at.Sub(call.Event(0).Claims.Deadline()); late < 0 {
					t.Errorf("%s: it ended %v before exp", wire.name, -late)
				}
			case <-time.After(patience):
				t.Errorf("%s: it does not end", wire.name)
			}
		})
	}
	calls.Wait()
}

// TestRefusedBody is about a call over HTTP/1.1 without a token, whose body does not come:
// net/http would wait for it before it answers.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	const sized, chunked = "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"
	for name, sent := range map[string]struct {
		field, body string
		took        time.Duration // until it is answered
		calls       int           // on one connection
	}{
		"it comes":                       {sized, "{}", 0, 2},
		"it does not come":               {sized, "", time.Second, 1},
		"it does not come in chunks":     {chunked, "", time.Second, 1},
		"it comes in part":               {chunked, "2\r\n{}\r\n", time.Second, 1},
		"B7 it is waited with":           {"Expect: 100-continue\r\n" + sized, "", 0, 1},
		"B7 it is waited with in chunks": {"Expect: 100-continue\r\n" + chunked, "", 0, 1},
		"B7 written otherwise":           {"expect: 100-Continue\r\n" + chunked, "", 0, 1},
		"B7 it comes all the same":       {"Expect: 100-continue\r\n" + sized, "{}", 0, 1},
	} {
		for method, want := range map[string]struct {
			kind   connect.StreamType
			format string
			code   int
			option func(*interceptor.Guard) connect.HandlerOption
		}{
			"unary":  {connect.StreamTypeUnary, "application/json", http.StatusUnauthorized, (*interceptor.Guard).HandlerOption},
			"stream": {connect.StreamTypeClient, "application/connect+json", http.StatusOK, (*interceptor.Guard).HandlerOption},
			"stream, interceptor only": {connect.StreamTypeClient, "application/connect+json", http.StatusOK, func(guard *interceptor.Guard) connect.HandlerOption {
				return connect.WithInterceptors(guard.Interceptor())
			}},
		} {
			bubble(t, name+", "+method, func(t *testing.T) {
				mux := handlers{}.mux(want.option(expiring(t, time.Minute)))
				connection := dial(t, server{harness.ServePiped(t, interceptor.DeadlineHandler(mux))})
				answers := bufio.NewReader(connection)
				for n := range sent.calls {
					start := time.Now()
					_, err := io.WriteString(connection, "POST "+procedure("Global", want.kind)+" HTTP/1.1\r\nHost: test\r\nContent-Type: "+want.format+"\r\n"+sent.field+"\r\n"+sent.body)
					if err != nil {
						t.Fatal(err)
					}
					response, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(response.Body)
					if err := errors.Join(err, response.Body.Close()); err != nil {
						t.Error(err)
					}
					took := time.Since(start)
					if response.StatusCode != want.code || !strings.Contains(string(body), `"unauthenticated"`) || took != sent.took {
						t.Errorf("call %d: %s after %v: %s", n, response.Status, took, body)
					}
				}
				if sent.calls > 1 {
					return
				}
				if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("what comes next is taken for a request: %v", err)
				}
			})
		}
	}
}

// dial returns a connection to a server that a test can write on by hand.
func dial(t *testing.T, server server) net.Conn {
	t.Helper()
	connection, err := server.Dial(t.Context(), "tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return connection
}

// TestInProcess makes sure that a call which a handler makes in process, with its own
// context, is refused, or ends with its token, without an end to what the handler itself reads.
func TestInProcess(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(ctx context.Context) error{
		"refused": func(ctx context.Context) error {
			guarded := handlers{}.mux(expiring(t, time.Minute).HandlerOption())
			if got := post(ctx, guarded, "Global", http.Header{}); got.Code != http.StatusUnauthorized {
				return fmt.Errorf("%d: %s", got.Code, got.Body)
			}
			return nil
		},
		"expired": func(ctx context.Context) error {
			err := newConn("Token", connect.StreamTypeBidi).serve(ctx, expiring(t, time.Second), func(_ context.Context, conn connect.StreamingHandlerConn) error {
				_, err := receive(conn)
				return err
			})
			if refused(err) != expired {
				return fmt.Errorf("not expired: %w", err)
			}
			return nil
		},
	} {
		bubble(t, name, func(t *testing.T) {
			called := make(chan error, 1)
			server := server{harness.ServePiped(t, interceptor.DeadlineHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called <- call(r.Context())
				body, err := io.ReadAll(r.Body)
				_, _ = fmt.Fprintf(w, "%s %v", body, err)
			})))}
			connection := dial(t, server)
			_, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na")
			if err := <-called; err != nil {
				t.Errorf("the call in process ends with %v", err)
			}
			time.Sleep(2 * time.Second) // the bubble's clock: longer than a refused call has for its body
			_, err2 := io.WriteString(connection, "b")
			response, err3 := http.ReadResponse(bufio.NewReader(connection), nil)
			if err := errors.Join(err, err2, err3); err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err := errors.Join(err, response.Body.Close()); err != nil || string(body) != "ab <nil>" {
				t.Errorf("the handler read %q, %v", body, err)
			}
		})
	}
}
