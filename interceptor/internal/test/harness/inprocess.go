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

// A DeadlineWriter counts the deadlines that are set for what its request came over.
type DeadlineWriter struct {
	http.ResponseWriter
	Reads atomic.Int64
}

// NewDeadlineWriter returns a writer of an answer that nobody reads.
func NewDeadlineWriter() *DeadlineWriter {
	return &DeadlineWriter{ResponseWriter: httptest.NewRecorder()}
}

// SetReadDeadline is looked for by net/http.
func (w *DeadlineWriter) SetReadDeadline(at time.Time) error {
	if !at.IsZero() {
		w.Reads.Add(1)
	}
	return nil
}

// Streaming is a request of a client stream over HTTP/1.1 whose first message has arrived.
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
	Forwarded []string // the calls that look like its own and are told apart
	Own       int64    // how often the body of its own call is ended
}

// Unguarded is the handler of an Outer that no guard knows.
func Unguarded(call func(ctx context.Context, header http.Header)) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { call(r.Context(), r.Header) })
}

// An Inner is what is called in process.
type Inner struct {
	http.Handler
	Apart bool // for all that a call looks like its caller's own
}

// nested are calls that a handler makes in process.
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

// Calls that look like the handler's own.
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

// CallsInProcess makes sure that no call that a handler makes in process, with its own context, is taken for the one
// whose body the handler reads, and that this one is known all the same.
func CallsInProcess(t *testing.T, outers map[string]Outer, inners map[string]Inner) {
	t.Helper()
	path := catalogue.Procedure("Token", catalogue.Client)
	for outerName, outer := range outers {
		for innerName, inner := range inners {
			for _, calls := range []map[string]func(context.Context, http.Handler, string, http.Header){nested, forwarded} {
				for call, make := range calls {
					if _, alike := forwarded[call]; alike && !inner.Apart && !slices.Contains(outer.Forwarded, call) {
						continue // for all that can be told it is the call itself
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
