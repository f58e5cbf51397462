package harness

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

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// A DeadlineWriter counts the read deadlines that are set on the connection of its request.
type DeadlineWriter struct {
	http.ResponseWriter
	Reads atomic.Int64
}

// NewDeadlineWriter returns a writer that drops the answer.
func NewDeadlineWriter() *DeadlineWriter {
	return &DeadlineWriter{ResponseWriter: httptest.NewRecorder()}
}

// SetReadDeadline is the method that an [http.ResponseController] calls.
func (w *DeadlineWriter) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		w.Reads.Add(1)
	}
	return nil
}

// Streaming returns a request of a client stream over HTTP/1.1 whose first message has arrived.
func Streaming(ctx context.Context, path string, header http.Header, organization string) *http.Request {
	body := io.MultiReader(strings.NewReader(Envelope(`{"organizationId":"`+organization+`"}`)), strings.NewReader("more"))
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, path, body)
	request.Header = header
	request.Header.Set("Content-Type", "application/connect+json")
	return request
}

// An Outer is a handler that makes a call in process.
type Outer struct {
	Handler   func(call func(ctx context.Context, header http.Header)) http.Handler
	Forwarded []string // the calls that look like its own, and that the guard tells apart
	Own       int64    // how often the guard ends the body of its own call
}

// Unguarded is the handler of an Outer without a guard.
func Unguarded(call func(ctx context.Context, header http.Header)) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { call(r.Context(), r.Header) })
}

// An Inner is a handler that is called in process.
type Inner struct {
	http.Handler
	Apart bool // told apart from its caller, even if the call looks like the caller's own
}

// nested are calls that a handler makes in process, and that do not look like its own.
var nested = map[string]func(ctx context.Context, inner http.Handler, path string, header http.Header){
	"of another procedure": func(ctx context.Context, inner http.Handler, _ string, header http.Header) {
		nest(ctx, inner, catalogue.Procedure("Global", catalogue.Client), header.Clone())
	},
	"of another procedure, with the very header": func(ctx context.Context, inner http.Handler, _ string, header http.Header) {
		nest(ctx, inner, catalogue.Procedure("Global", catalogue.Client), header)
	},
	"of another procedure, for its message": func(ctx context.Context, inner http.Handler, _ string, header http.Header) {
		inner.ServeHTTP(httptest.NewRecorder(), Streaming(ctx, catalogue.Procedure("Field", catalogue.Client), header.Clone(), globex))
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

// Calls that look like the handler's own call.
const (
	SameToken  = "with the same token"
	VeryHeader = "with the very header"
)

var forwarded = map[string]func(ctx context.Context, inner http.Handler, path string, header http.Header){
	SameToken: func(ctx context.Context, inner http.Handler, path string, header http.Header) {
		nest(ctx, inner, path, header.Clone())
	},
	VeryHeader: nest,
}

func nest(ctx context.Context, inner http.Handler, path string, header http.Header) {
	inner.ServeHTTP(httptest.NewRecorder(), Streaming(ctx, path, header, Acme))
}

// CallsInProcess makes sure that a call that a handler makes in process, with its own context, is not taken for the
// handler's own call, whose body it would end, and that the guard knows the handler's own call all the same.
func CallsInProcess(t *testing.T, outers map[string]Outer, inners map[string]Inner) {
	t.Helper()
	path := catalogue.Procedure("Token", catalogue.Client)
	for outerName, outer := range outers {
		for innerName, inner := range inners {
			for _, calls := range []map[string]func(context.Context, http.Handler, string, http.Header){nested, forwarded} {
				for call, make := range calls {
					if _, alike := forwarded[call]; alike && !inner.Apart && !slices.Contains(outer.Forwarded, call) {
						continue // the guard cannot tell it from the call itself
					}
					t.Run("B1 "+outerName+", "+call+", "+innerName, func(t *testing.T) {
						t.Parallel()
						w, called := NewDeadlineWriter(), false
						handler := outer.Handler(func(ctx context.Context, header http.Header) {
							called = true
							make(ctx, inner, path, header)
							if got := w.Reads.Load(); got != 0 {
								t.Errorf("the body of the handler's own call is ended %d times", got)
							}
						})
						interceptor.DeadlineHandler(handler).ServeHTTP(w, Streaming(t.Context(), path, http.Header{"Authorization": {"Bearer any"}}, Acme))
						if got := w.Reads.Load(); !called || got != outer.Own {
							t.Errorf("the body is ended %d times, want %d; called: %t", got, outer.Own, called)
						}
					})
				}
			}
		}
	}
}
