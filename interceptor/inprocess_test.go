package interceptor_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A deadlineWriter counts the deadlines that are set for what its request came over.
type deadlineWriter struct {
	http.ResponseWriter
	reads atomic.Int64
}

func newDeadlineWriter() *deadlineWriter {
	return &deadlineWriter{ResponseWriter: httptest.NewRecorder()}
}

func (w *deadlineWriter) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		w.reads.Add(1)
	}
	return nil
}

// streaming is a request of a client stream over HTTP/1.1 whose first message has arrived.
func streaming(ctx context.Context, path string, header http.Header) *http.Request {
	const envelope = "\x00\x00\x00\x00\x19" + `{"organizationId":"acme"}`
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, path, io.MultiReader(strings.NewReader(envelope), strings.NewReader("more")))
	request.Header = header
	request.Header.Set("Content-Type", "application/connect+json")
	return request
}

// refusing is a guard that refuses all tokens, for they have expired.
func refusing(t *testing.T, options ...interceptor.Option) *interceptor.Guard {
	t.Helper()
	return expiring(t, -time.Hour, options...)
}

// nested are calls that a handler makes in process.
var nested = map[string]func(ctx context.Context, inner http.Handler, path string, header http.Header){
	"of another procedure": func(ctx context.Context, inner http.Handler, _ string, header http.Header) {
		nest(ctx, inner, procedure("Global", connect.StreamTypeClient), header.Clone())
	},
	"of another procedure, with the very header": func(ctx context.Context, inner http.Handler, _ string, header http.Header) {
		nest(ctx, inner, procedure("Global", connect.StreamTypeClient), header)
	},
	"with another token": func(ctx context.Context, inner http.Handler, path string, header http.Header) {
		header = header.Clone()
		header.Set("Authorization", "Bearer other")
		nest(ctx, inner, path, header)
	},
	"without a token": func(ctx context.Context, inner http.Handler, path string, _ http.Header) {
		nest(ctx, inner, path, http.Header{})
	},
	"with another token, later and at once": func(ctx context.Context, inner http.Handler, path string, header http.Header) {
		var calls sync.WaitGroup
		for range 4 {
			header := header.Clone()
			header.Set("Authorization", "Bearer other")
			calls.Go(func() { nest(context.WithoutCancel(ctx), inner, path, header) })
		}
		calls.Wait()
	},
}

// forwarded are those that look like the handler's own.
var forwarded = map[string]func(ctx context.Context, inner http.Handler, path string, header http.Header){
	"with the same token": func(ctx context.Context, inner http.Handler, path string, header http.Header) {
		nest(ctx, inner, path, header.Clone())
	},
	"with the very header": nest,
}

func nest(ctx context.Context, inner http.Handler, path string, header http.Header) {
	inner.ServeHTTP(httptest.NewRecorder(), streaming(ctx, path, header))
}

// TestOutsideInProcess makes sure that no call that a handler makes in process, with its own
// context, is taken for the one whose body the handler reads, and that this one is known
// all the same.
func TestOutsideInProcess(t *testing.T) {
	t.Parallel()
	path := procedure("Token", connect.StreamTypeClient)
	inner := map[string]http.Handler{
		"gate":             handlers{}.mux(refusing(t).HandlerOption()),
		"interceptor only": handlers{}.mux(connect.WithInterceptors(refusing(t).Interceptor())),
	}
	good, bad := expiring(t, time.Hour), refusing(t)
	all := []string{"with the same token", "with the very header"}
	type calling = func(ctx context.Context, header http.Header)
	unguarded := func(call calling) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { call(r.Context(), r.Header) })
	}
	handling := func(call calling, options ...connect.HandlerOption) http.Handler {
		return handlers{client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			call(ctx, stream.RequestHeader())
			return connect.NewResponse(new(answer)), nil
		}}.mux(options...)
	}
	early := func(call calling) connect.Interceptor {
		return earlyInterceptor(func(ctx context.Context, conn connect.StreamingHandlerConn) { call(ctx, conn.RequestHeader()) })
	}
	for name, test := range map[string]struct {
		outer     func(call calling) http.Handler
		forwarded []string // those that look like its own and are told apart
		own       int64    // how often its own body is ended
	}{
		"guarded": {func(call calling) http.Handler { return handling(call, good.HandlerOption()) }, all, 0},
		"guarded without the gate": {func(call calling) http.Handler {
			return handling(call, connect.WithInterceptors(good.Interceptor()))
		}, all, 0},
		"guarded twice": {func(call calling) http.Handler {
			return handling(call, good.HandlerOption(), expiring(t, time.Hour).HandlerOption())
		}, all, 0},
		"connect-go's, without a guard": {func(call calling) http.Handler { return handling(call) }, all, 0},
		"another one's":                 {unguarded, nil, 0},
		"an interceptor before a guard": {func(call calling) http.Handler {
			return handling(nil, connect.WithInterceptors(early(call), bad.Interceptor()))
		}, nil, 1},
		"an interceptor behind a gate": {func(call calling) http.Handler {
			return handling(func(context.Context, http.Header) {}, connect.WithInterceptors(early(call)), good.HandlerOption())
		}, []string{"with the same token"}, 0},
		"middleware before a guard": {func(call calling) http.Handler {
			guarded := handling(nil, bad.HandlerOption())
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				call(r.Context(), r.Header)
				guarded.ServeHTTP(w, r)
			})
		}, nil, 1},
	} {
		for innerName, inner := range inner {
			for _, calls := range []map[string]func(context.Context, http.Handler, string, http.Header){nested, forwarded} {
				for call, make := range calls {
					if _, alike := forwarded[call]; alike && !slices.Contains(test.forwarded, call) {
						continue // for all that can be told it is the call itself
					}
					t.Run("B1 "+name+", "+call+", "+innerName, func(t *testing.T) {
						t.Parallel()
						w, called := newDeadlineWriter(), false
						outer := test.outer(func(ctx context.Context, header http.Header) {
							called = true
							make(ctx, inner, path, header)
							if got := w.reads.Load(); got != 0 {
								t.Errorf("the body of the handler's own call is ended %d times", got)
							}
						})
						interceptor.DeadlineHandler(outer).ServeHTTP(w, streaming(t.Context(), path, http.Header{"Authorization": {"Bearer any"}}))
						if got := w.reads.Load(); !called || got != test.own {
							t.Errorf("the body is ended %d times, want %d; called: %t", got, test.own, called)
						}
					})
				}
			}
		}
	}
}

// An earlyInterceptor does something before a streaming handler.
type earlyInterceptor func(context.Context, connect.StreamingHandlerConn)

// WrapUnary implements [connect.Interceptor].
func (earlyInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingClient implements [connect.Interceptor].
func (earlyInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (f earlyInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		f(ctx, conn)
		return next(ctx, conn)
	}
}

// TestOutsideAgain makes sure that of two calls that a middleware makes of one request, the
// second has no connection once the first was let in.
func TestOutsideAgain(t *testing.T) {
	t.Parallel()
	path := procedure("Token", connect.StreamTypeClient)
	let, refused := handlers{}.mux(expiring(t, time.Hour).HandlerOption()), handlers{}.mux(refusing(t).HandlerOption())
	for name, test := range map[string]struct {
		handlers []http.Handler
		want     int64
	}{
		"let in, refused": {[]http.Handler{let, refused}, 0},
		"refused, let in": {[]http.Handler{refused, let}, 1},
		"refused":         {[]http.Handler{refused}, 1},
	} {
		t.Run("B1 "+name, func(t *testing.T) {
			t.Parallel()
			w := newDeadlineWriter()
			interceptor.DeadlineHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				for _, handler := range test.handlers {
					again := streaming(r.Context(), path, r.Header.Clone())
					again.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("more")))
					handler.ServeHTTP(httptest.NewRecorder(), again)
				}
			})).ServeHTTP(w, streaming(t.Context(), path, http.Header{"Authorization": {"Bearer any"}}))
			if got := w.reads.Load(); got != test.want {
				t.Errorf("the body is ended %d times, want %d", got, test.want)
			}
		})
	}
}
