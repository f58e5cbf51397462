package interceptor_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// cloning is middleware that copies requests.
func cloning(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.Clone(r.Context())) })
}

// A replacedConn has a header that an interceptor has made.
type replacedConn struct {
	connect.StreamingHandlerConn
	header http.Header
}

func (c replacedConn) RequestHeader() http.Header { return c.header }

// replacing is an interceptor that copies the header of streams.
type replacing struct{ earlyInterceptor }

// WrapStreamingHandler implements [connect.Interceptor].
func (replacing) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, replacedConn{conn, conn.RequestHeader().Clone()})
	}
}

// TestOutsideIdle is about a stream over HTTP/1.1 whose client sends nothing more: it ends with
// its token, or when it is refused, however many guards and copies there are. It is in no bubble,
// whose clock stands still while net/http waits for a body.
func TestOutsideIdle(t *testing.T) {
	t.Parallel()
	short, long := expiring(t, 2*time.Second), expiring(t, time.Hour)
	receiving := func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
		for stream.Receive() {
			continue
		}
		return connect.NewResponse(new(answer)), stream.Err()
	}
	waiting := func(ctx context.Context, _ *connect.ClientStream[message]) (*connect.Response[answer], error) {
		<-ctx.Done()
		return connect.NewResponse(new(answer)), nil
	}
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for name, test := range map[string]struct {
		handler func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error)
		options []connect.HandlerOption
		names   string
		want    refusal
	}{
		"gate":                           {receiving, []connect.HandlerOption{short.HandlerOption()}, acme, expired},
		"interceptor only":               {receiving, []connect.HandlerOption{connect.WithInterceptors(short.Interceptor())}, acme, expired},
		"a copy of the header":           {receiving, []connect.HandlerOption{connect.WithInterceptors(replacing{}), short.HandlerOption()}, acme, expired},
		"a copy, interceptor only":       {receiving, []connect.HandlerOption{connect.WithInterceptors(replacing{}, short.Interceptor())}, acme, expired},
		"inside of a guard":              {receiving, []connect.HandlerOption{long.HandlerOption(), short.HandlerOption()}, acme, expired},
		"around a guard":                 {receiving, []connect.HandlerOption{short.HandlerOption(), long.HandlerOption()}, acme, expired},
		"interceptor inside of a guard":  {receiving, []connect.HandlerOption{long.HandlerOption(), connect.WithInterceptors(short.Interceptor())}, acme, expired},
		"interceptor around a guard":     {receiving, []connect.HandlerOption{connect.WithInterceptors(short.Interceptor()), long.HandlerOption()}, acme, expired},
		"a handler that does not read":   {waiting, []connect.HandlerOption{short.HandlerOption()}, acme, expired},
		"a message that is refused":      {receiving, []connect.HandlerOption{long.HandlerOption()}, globex, organization},
		"a message, interceptor only":    {receiving, []connect.HandlerOption{connect.WithInterceptors(long.Interceptor())}, globex, organization},
		"a message, inside of a guard":   {receiving, []connect.HandlerOption{short.HandlerOption(), long.HandlerOption()}, globex, organization},
		"a message, of another's stream": {waiting, []connect.HandlerOption{short.HandlerOption()}, globex, expired},
	} {
		mux := handlers{client: test.handler}.mux(test.options...)
		handler, returned := returning(interceptor.DeadlineHandler(cloning(mux)))
		server := serve(t, handler)
		calls.Go(func() {
			stream := server.connect(wireNamed("Connect JSON, HTTP/1.1"), procedure("Field", connect.StreamTypeClient)).CallClientStream(t.Context())
			stream.RequestHeader().Set("Authorization", "Bearer any")
			if err := stream.Send(naming(test.names)); err != nil && !errors.Is(err, io.EOF) { // it has ended by now, where all processors are busy
				t.Errorf("B1 %s: %v", name, err)
			}
			select {
			case <-returned:
			case <-time.After(patience):
				t.Errorf("B1 %s: it does not end", name)
			}
			if _, err := stream.CloseAndReceive(); refused(err) != test.want {
				t.Errorf("B1 %s: %v", name, err)
			}
		})
	}
	calls.Wait()
}

// TestOutsideNextRequest makes sure that a stream that ends with its token, whose body has been
// read, does no harm to the next request on its connection.
func TestOutsideNextRequest(t *testing.T) {
	t.Parallel()
	bubble(t, "B1", func(t *testing.T) {
		streams := handlers{server: func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error {
			time.Sleep(time.Minute) // the bubble's clock: longer than the token is good, and than a handler is waited for
			return nil
		}}.mux(expiring(t, time.Second).HandlerOption())
		mux := http.NewServeMux()
		mux.Handle("/", interceptor.DeadlineHandler(streams))
		mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
			if err := r.Context().Err(); err != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		connection := dial(t, server{harness.ServePiped(t, mux)})
		answers := bufio.NewReader(connection)
		for _, sent := range []string{
			"POST " + procedure("Token", connect.StreamTypeServer) + " HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer any\r\n" +
				"Content-Type: application/connect+json\r\nContent-Length: 7\r\n\r\n\x00\x00\x00\x00\x02{}",
			"GET /next HTTP/1.1\r\nHost: test\r\n\r\n",
		} {
			if _, err := io.WriteString(connection, sent); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err := errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK || response.Close {
				t.Errorf("%s, closes: %t, %s %v", response.Status, response.Close, body, err)
			}
		}
	})
}

// TestOutsideTimeout makes sure that a handler that http.TimeoutHandler has left behind leaves
// the connection of its call alone when its token expires.
func TestOutsideTimeout(t *testing.T) {
	t.Parallel()
	for _, http1 := range []bool{true, false} {
		bubble(t, map[bool]string{true: "B1 HTTP/1.1", false: "B1 HTTP/2"}[http1], func(t *testing.T) {
			streams, returned := returning(handlers{client: func(context.Context, *connect.ClientStream[message]) (*connect.Response[answer], error) {
				time.Sleep(time.Hour) // the bubble's clock
				return connect.NewResponse(new(answer)), nil
			}}.mux(expiring(t, time.Minute).HandlerOption()))
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
				request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader("\x00\x00\x00\x00\x02{}"))
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
			<-returned // when the token has expired
			if code, reused := call("/next"); code != http.StatusOK || !reused {
				t.Errorf("the connection has been closed: %d, %t", code, reused)
			}
		})
	}
}
