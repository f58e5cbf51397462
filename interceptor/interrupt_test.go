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
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(observer))
			started := make(chan struct{}, 2)
			var handler http.Handler = handlers{
				client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
					for stream.Receive() {
						saw(ctx, stream.Msg().GetOrganizationId())
						started <- struct{}{}
					}
					return connect.NewResponse(text("done")), stream.Err()
				},
			}.mux(guard.HandlerOption())
			if interruptible {
				handler = interceptor.Interruptible(handler)
			}
			handler, returned := returning(handler)
			server := serve(t, handler)
			expiry := time.Unix(time.Now().Unix()+2, 0)
			header := bearer(t, with(resource(acme, "read:data"), "exp", expiry.Unix()))
			call := server.record(header)
			stream := server.connect(wireNamed("Connect JSON, HTTP/1.1"), procedure("Field", connect.StreamTypeClient)).CallClientStream(t.Context())
			merge(stream.RequestHeader(), header)
			if err := stream.Send(naming(acme)); err != nil {
				t.Fatal(err)
			}
			<-started
			if interruptible {
				if late := (<-returned).Sub(expiry); late < 0 {
					t.Errorf("it ended %v before exp", -late)
				}
			}
			for len(call.decisions()) < 2 { // until the end has been decided
				select {
				case <-t.Context().Done():
					t.Fatal("it does not end")
				case <-time.After(10 * time.Millisecond):
				}
			}
			if !interruptible {
				select {
				case <-returned:
					t.Error("it ended before the client sent anything: the documentation says otherwise")
				case <-time.After(100 * time.Millisecond):
				}
				_ = stream.Send(naming(acme))
			}
			if _, err := stream.CloseAndReceive(); refused(err) != expired {
				t.Errorf("%v", err)
			}
			if _, seen := call.seen(); len(seen) != 1 {
				t.Errorf("the handler saw %q", seen)
			}
		})
	}
}

// TestUnreadStream is about a client that does not read, so that a Send blocks.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	for _, wire := range slices.Concat(http2(), []wire{wireNamed("Connect JSON, HTTP/1.1"), wireNamed("gRPC-Web, HTTP/1.1")}) {
		t.Run(wire.name, func(t *testing.T) {
			t.Parallel()
			guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(observer))
			handler, returned := returning(interceptor.Interruptible(handlers{
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
			expiry := time.Unix(time.Now().Unix()+2, 0)
			header := bearer(t, with(resource(acme, "read:data"), "exp", expiry.Unix()))
			call := server.record(header)
			request := connect.NewRequest(naming(acme))
			merge(request.Header(), header)
			stream, err := server.connect(wire, procedure("Field", connect.StreamTypeServer)).CallServerStream(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stream.Close() }()
			if late := (<-returned).Sub(expiry); late < 0 {
				t.Errorf("it ended %v before exp", -late)
			}
			if got, want := call.decisions(), []interceptor.Reason{"", expired.reason}; !slices.Equal(got, want) {
				t.Errorf("decisions are %q, want %q", got, want)
			}
		})
	}
}

// TestRefusedBody is about a call over HTTP/1.1 without a token, whose body does not come:
// net/http would wait for it before it answers.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	server := serve(t, interceptor.Interruptible(handlers{}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption())))
	connection := dial(t, server)
	answers := bufio.NewReader(connection)
	head := "POST " + procedure("Global", connect.StreamTypeUnary) + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
	for _, sent := range []struct {
		text  string
		close bool
	}{{head + "{}", false}, {head + "{}", false}, {head, true}} {
		if _, err := io.WriteString(connection, sent.text); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%q: %v", sent.text, err)
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Error(err)
		}
		if response.StatusCode != http.StatusUnauthorized || response.Close != sent.close {
			t.Errorf("%q: %s, closes: %t", sent.text, response.Status, response.Close)
		}
	}
}

// dial returns a connection to a server that a test can write on by hand.
func dial(t *testing.T, server *server) net.Conn {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(server.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return connection
}

// TestRefusedInProcess makes sure that a call which a handler makes in process, with its own
// context, is refused without an end to what the handler itself reads.
func TestRefusedInProcess(t *testing.T) {
	t.Parallel()
	guarded := handlers{}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption())
	refused := make(chan int, 1)
	server := serve(t, interceptor.Interruptible(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused <- post(r.Context(), guarded, "Global", http.Header{}).Code
		body, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %v", body, err)
	})))
	connection := dial(t, server)
	_, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\na")
	if code := <-refused; code != http.StatusUnauthorized {
		t.Errorf("the call in process is answered with %d", code)
	}
	<-time.After(1200 * time.Millisecond) // longer than a refused call has for its body
	_, err2 := io.WriteString(connection, "b")
	response, err3 := http.ReadResponse(bufio.NewReader(connection), nil)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil || string(body) != "ab <nil>" {
		t.Errorf("the handler read %q, %v", body, err)
	}
}
