package connectv2guard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectinprocess"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// cloning is middleware that copies requests.
func cloning(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.Clone(r.Context())) })
}

// TestOutsideRefused is about a refused call over HTTP/1.1 whose body does not come, behind
// middleware that copies the request.
func TestOutsideRefused(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	for name, sent := range map[string]struct {
		fields string
		took   time.Duration
	}{
		"B1 its body does not come":      {"Content-Length: 2\r\n", time.Second},
		"B7 its client waits":            {"Expect: 100-continue\r\nContent-Length: 2\r\n", 0},
		"B7 its client waits, in chunks": {"expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", 0},
	} {
		for format, method := range map[string]catalogue.Method{"application/json": catalogue.Unary, "application/connect+json": catalogue.Client} {
			t.Run(name+", "+method.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					served := interceptor.DeadlineHandler(cloning(mount(newServer(harness.Expiring(t, -time.Hour), echo))))
					connection := dial(t, harness.ServePiped(t, served))
					start := time.Now()
					_, err := io.WriteString(connection, "POST "+catalogue.Procedure("Token", method)+" HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer any\r\n"+
						"Content-Type: "+format+"\r\n"+sent.fields+"\r\n")
					if err != nil {
						t.Fatal(err)
					}
					answers := bufio.NewReader(connection)
					response, err := http.ReadResponse(answers, nil)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(response.Body)
					if err := errors.Join(err, response.Body.Close()); err != nil {
						t.Error(err)
					}
					if took := time.Since(start); took != sent.took || !strings.Contains(string(body), `"unauthenticated"`) {
						t.Errorf("%s after %v: %s", response.Status, took, body)
					}
					if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
						t.Errorf("what comes next is taken for a request: %v", err)
					}
				})
			})
		}
	}
}

// TestOutsideIdle is about a stream over HTTP/1.1 whose client sends nothing more: it ends with
// its token, or when it is refused. It is in no bubble, whose clock stands still while net/http
// waits for a body.
func TestOutsideIdle(t *testing.T) {
	t.Parallel()
	waiting := func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
		<-ctx.Done()
		return nil
	}
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for name, test := range map[string]struct {
		handler connect.ServerFunc
		guards  []time.Duration // how long their tokens are good, the outermost first
		names   string
		want    connect.Code
	}{
		"receives":                 {echo, []time.Duration{2 * time.Second}, acme, connect.CodeUnauthenticated},
		"does not read":            {waiting, []time.Duration{2 * time.Second}, acme, connect.CodeUnauthenticated},
		"inside of a guard":        {echo, []time.Duration{time.Hour, 2 * time.Second}, acme, connect.CodeUnauthenticated},
		"around a guard":           {echo, []time.Duration{2 * time.Second, time.Hour}, acme, connect.CodeUnauthenticated},
		"a message":                {echo, []time.Duration{time.Hour}, "globex", connect.CodePermissionDenied},
		"a message, of two guards": {echo, []time.Duration{time.Hour, time.Hour}, "globex", connect.CodePermissionDenied},
	} {
		var interceptors []connect.ServerInterceptor
		for _, lifetime := range test.guards {
			interceptors = append(interceptors, connectv2guard.Interceptor(harness.Expiring(t, lifetime)))
		}
		server := connect.NewServer(interceptors...)
		spec := specOf("Field", catalogue.Client)
		server.Register(connect.Method{Spec: spec, Handler: test.handler})
		returned := make(chan struct{})
		inner := interceptor.DeadlineHandler(cloning(mount(server)))
		served := harness.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(returned)
			inner.ServeHTTP(w, r)
		}))
		calls.Go(func() {
			ctx, _ := authorized(t.Context())
			stream, err := connect.NewClient(connecthttp.NewTransport(served.HTTP1, served.URL)).CallClientStream(ctx, spec)
			if err != nil {
				t.Errorf("B1 %s: %v", name, err)
				return
			}
			if err := stream.Send(&message{OrganizationId: test.names}); err != nil && !errors.Is(err, io.EOF) { // it has ended by now, where all processors are busy
				t.Errorf("B1 %s: %v", name, err)
			}
			select {
			case <-returned:
			case <-time.After(patience):
				t.Errorf("B1 %s: it does not end", name)
			}
			if err := errors.Join(stream.CloseSend(), stream.Receive(new(answer)), stream.Close()); connect.CodeOf(err) != test.want {
				t.Errorf("B1 %s: %v", name, err)
			}
		})
	}
	calls.Wait()
}

// A countingWriter counts the deadlines that are set for what its request came over.
type countingWriter struct {
	http.ResponseWriter
	reads *atomic.Int64
}

func (w countingWriter) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		w.reads.Add(1)
	}
	return nil
}

// streaming is a request of a client stream over HTTP/1.1.
func streaming(ctx context.Context, path string, header http.Header) *http.Request {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader("more"))
	request.Header = header
	request.Header.Set("Content-Type", "application/connect+json")
	return request
}

// TestOutsideInProcess makes sure that no call that a handler makes in process, with its own
// context, is taken for the one whose body the handler reads.
func TestOutsideInProcess(t *testing.T) {
	t.Parallel()
	spec := specOf("Token", catalogue.Client)
	refusing := newServer(harness.Expiring(t, -time.Hour), echo)
	over := mount(refusing)
	nest := func(ctx context.Context, path string, header http.Header) {
		over.ServeHTTP(httptest.NewRecorder(), streaming(ctx, path, header))
	}
	outers := map[string]func(call func(context.Context, http.Header)) http.Handler{
		"guarded": func(call func(context.Context, http.Header)) http.Handler {
			return mount(newServer(harness.Expiring(t, time.Hour), func(ctx context.Context, _ connect.Spec, _ connect.ServerStream) error {
				info, _ := connect.CallInfoForServerContext(ctx)
				header := http.Header{}
				for name, values := range info.RequestHeader().All() {
					header[name] = values
				}
				call(ctx, header)
				return nil
			}))
		},
		"not guarded": func(call func(context.Context, http.Header)) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { call(r.Context(), r.Header) })
		},
	}
	for name, test := range map[string]struct {
		call func(ctx context.Context, header http.Header)
		from []string
	}{
		"of another procedure": {func(ctx context.Context, header http.Header) {
			nest(ctx, catalogue.Procedure("Global", catalogue.Client), header.Clone())
		}, []string{"guarded", "not guarded"}},
		"with another token": {func(ctx context.Context, header http.Header) {
			header = header.Clone()
			header.Set("Authorization", "Bearer other")
			nest(ctx, spec.Procedure, header)
		}, []string{"guarded", "not guarded"}},
		"with the same token": {func(ctx context.Context, header http.Header) {
			nest(ctx, spec.Procedure, header)
		}, []string{"guarded"}},
		"with the same token, by a transport in process": {func(ctx context.Context, header http.Header) {
			ctx, info := connect.NewClientContext(ctx)
			for name, values := range header {
				info.RequestHeader().SetValues(name, values)
			}
			stream, err := connect.NewClient(connectinprocess.New(refusing)).CallClientStream(ctx, spec)
			if err == nil {
				err = errors.Join(stream.CloseSend(), stream.Receive(new(answer)), stream.Close())
			}
			if connect.CodeOf(err) != connect.CodeUnauthenticated {
				t.Errorf("the call in process ends with %v", err)
			}
		}, []string{"guarded", "not guarded"}},
	} {
		for _, from := range test.from {
			t.Run("B1 "+name+", "+from, func(t *testing.T) {
				t.Parallel()
				called := false
				w := countingWriter{httptest.NewRecorder(), new(atomic.Int64)}
				outer := outers[from](func(ctx context.Context, header http.Header) {
					called = true
					test.call(ctx, header)
				})
				interceptor.DeadlineHandler(outer).ServeHTTP(w, streaming(t.Context(), spec.Procedure, http.Header{"Authorization": {"Bearer any"}}))
				if got := w.reads.Load(); got != 0 || !called {
					t.Errorf("the body of the handler's own call is ended %d times; called: %t", got, called)
				}
			})
		}
	}
}
