package interceptor_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// refusing is a guard that refuses every token as expired.
func refusing(t *testing.T, options ...interceptor.Option) *interceptor.Guard {
	t.Helper()
	return harness.Expiring(t, -time.Hour, options...)
}

// TestOutsideInProcess makes sure that a call that a handler makes in process, with its own context, does
// not get the connection of the handler's call, and that the handler's call keeps its connection.
func TestOutsideInProcess(t *testing.T) {
	t.Parallel()
	inners := map[string]harness.Inner{
		"gate":             {Handler: handlers{}.mux(refusing(t).HandlerOption())},
		"interceptor only": {Handler: handlers{}.mux(connect.WithInterceptors(refusing(t).Interceptor()))},
		"let in":           {Handler: handlers{}.mux(harness.Expiring(t, time.Hour).HandlerOption())},
	}
	good, bad := harness.Expiring(t, time.Hour), refusing(t)
	all := []string{harness.SameToken, harness.VeryHeader}
	type calling = func(ctx context.Context, header http.Header)
	handling := func(call calling, options ...connect.HandlerOption) http.Handler {
		return handlers{client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			call(ctx, stream.RequestHeader())
			return connect.NewResponse(new(answer)), nil
		}}.mux(options...)
	}
	early := func(call calling) connect.Interceptor {
		return streamInterceptor(func(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
			return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
				call(ctx, conn.RequestHeader())
				return next(ctx, conn)
			}
		})
	}
	harness.CallsInProcess(t, map[string]harness.Outer{
		"guarded": {Handler: func(call calling) http.Handler { return handling(call, good.HandlerOption()) }, Forwarded: all},
		"guarded without the gate": {Handler: func(call calling) http.Handler {
			return handling(call, connect.WithInterceptors(good.Interceptor()))
		}, Forwarded: all},
		"guarded twice": {Handler: func(call calling) http.Handler {
			return handling(call, good.HandlerOption(), harness.Expiring(t, time.Hour).HandlerOption())
		}, Forwarded: all},
		"connect-go's, without a guard": {Handler: func(call calling) http.Handler { return handling(call) }, Forwarded: all},
		"another one's":                 {Handler: harness.Unguarded},
		"an interceptor before a guard": {Handler: func(call calling) http.Handler {
			return handling(nil, connect.WithInterceptors(early(call), bad.Interceptor()))
		}, Own: 1},
		"an interceptor behind a gate": {Handler: func(call calling) http.Handler {
			return handling(func(context.Context, http.Header) {}, connect.WithInterceptors(early(call)), good.HandlerOption())
		}, Forwarded: []string{harness.SameToken}},
		"middleware before a guard": {Handler: func(call calling) http.Handler {
			guarded := handling(nil, bad.HandlerOption())
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				call(r.Context(), r.Header)
				guarded.ServeHTTP(w, r)
			})
		}, Own: 1},
	}, inners)
}

// TestOutsideAgain makes sure that, of two calls that a middleware makes of one request, the second gets no
// connection once the first was let in.
func TestOutsideAgain(t *testing.T) {
	t.Parallel()
	path := procedure("Token", connect.StreamTypeClient)
	let, refused := handlers{}.mux(harness.Expiring(t, time.Hour).HandlerOption()), handlers{}.mux(refusing(t).HandlerOption())
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
			w := harness.NewDeadlineWriter()
			interceptor.DeadlineHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				for _, handler := range test.handlers {
					again := harness.Streaming(r.Context(), path, r.Header.Clone(), acme)
					again.Body = io.NopCloser(io.MultiReader(r.Body, strings.NewReader("more")))
					handler.ServeHTTP(httptest.NewRecorder(), again)
				}
			})).ServeHTTP(w, harness.Streaming(t.Context(), path, http.Header{"Authorization": {"Bearer any"}}, acme))
			if got := w.Reads.Load(); got != test.want {
				t.Errorf("the body is ended %d times, want %d", got, test.want)
			}
		})
	}
}
