package callctx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// A writer records its deadlines.
type writer struct {
	http.ResponseWriter
	read, write time.Time
	cutting     func() // called while writes are being ended, if not nil
}

func newWriter() *writer { return &writer{ResponseWriter: httptest.NewRecorder()} }

func (w *writer) SetReadDeadline(at time.Time) error {
	w.read = at
	return nil
}

func (w *writer) SetWriteDeadline(at time.Time) error {
	if w.cutting != nil {
		w.cutting()
	}
	w.write = at
	return nil
}

const procedure = "/acme.v1.Orders/List"

// newRequest is a request of the procedure without a token.
func newRequest(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure, strings.NewReader("body"))
}

// claimed runs a handler with the connection of its request.
func claimed(t *testing.T, w http.ResponseWriter, handler func(c *callctx.Connection)) {
	t.Helper()
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := callctx.FromContext(r.Context()).Claim(callctx.Arrival{ID: new(int), Procedure: procedure})
		if c == nil {
			t.Error("the call does not find its connection")
		}
		handler(c)
	})).ServeHTTP(w, newRequest(t))
}

// TestConnection makes sure that a call can end the reads and the writes of its connection, each
// alone, until the request has been served.
func TestConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock stands still
		if callctx.FromContext(t.Context()) != nil {
			t.Error("a connection is found where none was put")
		}
		w := newWriter()
		var kept *callctx.Connection
		claimed(t, w, func(c *callctx.Connection) {
			kept = c
			if c.EndReads(callctx.RefusedBody); !w.read.Equal(time.Now().Add(time.Second)) || !w.write.IsZero() {
				t.Errorf("a body ends at %v, writes at %v", w.read, w.write)
			}
			if c.EndReads(0); !w.read.Equal(time.Now()) || !w.write.IsZero() {
				t.Errorf("reads end at %v, writes at %v", w.read, w.write)
			}
			if c.AwaitSend(new(sync.Mutex)); !w.write.IsZero() {
				t.Errorf("writes end at %v though there are none", w.write)
			}
		})
		w.read = time.Time{}
		kept.EndReads(callctx.RefusedBody)
		kept.EndReads(0)
		if !w.read.IsZero() {
			t.Error("the connection, which may serve another request, is interrupted")
		}
	})
}

// A wrapper is the writer of a middleware.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestConnectionCloses makes sure that a connection whose reads were ended serves no other request,
// since the rest of the body must not pass as a request.
func TestConnectionCloses(t *testing.T) {
	t.Parallel()
	ending := callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		callctx.FromContext(r.Context()).Claim(callctx.Arrival{ID: new(int), Procedure: procedure}).EndReads(0)
	}))
	for name, handler := range map[string]http.Handler{
		"alone": ending,
		"inside of middleware": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ending.ServeHTTP(wrapper{wrapper{w}}, r)
		}),
	} {
		server := httptest.NewServer(handler)
		defer server.Close()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+procedure, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusOK || !response.Close {
			t.Errorf("%s: %s, closes: %t, %v", name, response.Status, response.Close, err)
		}
	}
}

// A brokenBody cannot be closed.
type brokenBody struct{ io.Reader }

func (brokenBody) Close() error { return errors.New("broken") }

// TestBody makes sure that reads have a deadline only while there is a body to read, and that a
// connection whose body was read in time has none for the next request.
func TestBody(t *testing.T) {
	t.Parallel()
	whole := func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	closes := func(r *http.Request) { _ = r.Body.Close() }
	sleeps := func(r *http.Request) {
		whole(r)
		time.Sleep(callctx.RefusedBody) // the bubble's clock
	}
	nothing := func(*http.Request) {}
	for name, test := range map[string]struct {
		body          io.ReadCloser
		before, after func(*http.Request) // EndReads
		ends, ended   bool                // there is a deadline after EndReads, and after the request
	}{
		"nil":                       {nil, nothing, nothing, false, false},
		"none":                      {http.NoBody, nothing, nothing, false, false},
		"not read":                  {io.NopCloser(strings.NewReader("body")), nothing, nothing, true, true},
		"read before":               {io.NopCloser(strings.NewReader("body")), whole, nothing, false, false},
		"closed before":             {io.NopCloser(strings.NewReader("body")), closes, nothing, false, false},
		"not closed, for an error":  {brokenBody{strings.NewReader("body")}, closes, nothing, true, true},
		"read in time":              {io.NopCloser(strings.NewReader("body")), nothing, whole, true, false},
		"read, and served too late": {io.NopCloser(strings.NewReader("body")), nothing, sleeps, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				request := newRequest(t)
				request.Body = test.body
				w := newWriter()
				callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					test.before(r)
					callctx.FromContext(r.Context()).Claim(arrival(r, procedure)).EndReads(callctx.RefusedBody)
					if got := !w.read.IsZero(); got != test.ends {
						t.Errorf("reads have a deadline: %t, want %t", got, test.ends)
					}
					test.after(r)
				})).ServeHTTP(w, request)
				if got := !w.read.IsZero(); got != test.ended {
					t.Errorf("reads have a deadline after the request: %t, want %t", got, test.ended)
				}
			})
		})
	}
}

// TestEndRaces makes sure that no deadline is set once the request has been served, also if its
// handler has panicked.
func TestEndRaces(t *testing.T) {
	t.Parallel()
	var served atomic.Bool
	setting := make(chan struct{})
	w := newWriter()
	w.cutting = func() {
		close(setting)
		for range 100_000 {
			if served.Load() {
				t.Error("the connection, which may serve another request, is interrupted")
				return
			}
			runtime.Gosched()
		}
	}
	var writing sync.Mutex
	var left sync.WaitGroup
	writing.Lock()
	func() {
		defer func() { _ = recover() }()
		claimed(t, w, func(c *callctx.Connection) {
			left.Go(func() { c.AwaitSend(&writing) })
			<-setting
			panic("over")
		})
	}()
	served.Store(true)
	writing.Unlock()
	left.Wait()
}

// patience is how long a test waits for an event before it fails.
const patience = 2 * time.Minute

// TestAwaitSend makes sure that a write has half a second and is then ended, and that AwaitSend
// returns after both. The test runs in no bubble, since AwaitSend waits for a lock.
func TestAwaitSend(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var writing sync.Mutex
			var returned atomic.Bool
			turns := func() {
				for range 100_000 {
					if returned.Load() {
						t.Error("AwaitSend did not wait for the write or for its end")
						return
					}
					runtime.Gosched()
				}
			}
			end := sync.OnceFunc(writing.Unlock)
			w := newWriter()
			w.cutting = func() {
				end() // the write fails
				turns()
			}
			claimed(t, w, func(c *callctx.Connection) {
				writing.Lock()
				if ends {
					go func() {
						turns()
						end()
					}()
				}
				defer time.AfterFunc(patience, end).Stop()
				start := time.Now()
				c.AwaitSend(&writing)
				returned.Store(true)
				if !writing.TryLock() {
					t.Error("AwaitSend keeps the lock")
				}
				if cut := !w.write.IsZero(); !cut && !ends || cut && w.write.Sub(start) < time.Second/2 {
					t.Errorf("writes are ended: %t, after %v", cut, w.write.Sub(start))
				}
			})
		})
	}
}

// TestNoConnection makes sure that a call without a connection, and one whose connection is lost, are
// left alone.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	var none *callctx.Connection
	none.EndReads(0)
	none.EndReads(callctx.RefusedBody)
	none.Refuse(callctx.Arrival{ID: new(int)})
	if none.Claim(callctx.Arrival{ID: new(int)}) != nil {
		t.Error("a connection is claimed where there is none")
	}
	none.AwaitSend(new(sync.Mutex))
	var writing sync.Mutex
	writing.Lock()
	time.AfterFunc(time.Second, writing.Unlock) // longer than the last write may take
	none.AwaitSend(&writing)
	claimed(t, failing{httptest.NewRecorder()}, func(c *callctx.Connection) {
		c.EndReads(0)
		c.EndReads(callctx.RefusedBody)
	})
}

// A failing writer has lost its connection.
type failing struct{ http.ResponseWriter }

func (failing) SetReadDeadline(time.Time) error { return errors.New("closed") }

// TestPattern makes sure that what stands outside of the mux learns which route the mux has chosen, also after a panic.
func TestPattern(t *testing.T) {
	t.Parallel()
	const pattern = "GET /a/{b}"
	for name, handle := range map[string]func(){"an answer": func() {}, "a panic": func() { panic(http.ErrAbortHandler) }} {
		mux := http.NewServeMux()
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) { handle() })
		request := httptest.NewRequest(http.MethodGet, "/a/b", http.NoBody)
		func() {
			defer func() { _ = recover() }()
			callctx.Handler(mux).ServeHTTP(httptest.NewRecorder(), request)
		}()
		if request.Pattern != pattern {
			t.Errorf("%s: the pattern is %q, want %q", name, request.Pattern, pattern)
		}
	}
}
