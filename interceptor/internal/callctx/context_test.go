package callctx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

var errGone = errors.New("the client is gone")

// TestContext makes sure that the context of a request ends with the client and with the request, and
// does not end when reads are ended: the handler still has to answer.
func TestContext(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		major int
		early bool // a context is derived before the end
		what  func(c *callctx.Connection, hangUp func())
		want  error
	}{
		"nothing":      {1, true, func(*callctx.Connection, func()) {}, nil},
		"client":       {1, true, func(_ *callctx.Connection, hangUp func()) { hangUp() }, errGone},
		"client, late": {1, false, func(_ *callctx.Connection, hangUp func()) { hangUp() }, errGone},
		"reads": {1, true, func(c *callctx.Connection, hangUp func()) {
			c.EndReads(0)
			hangUp() // as net/http does
		}, nil},
		"reads, late": {1, false, func(c *callctx.Connection, hangUp func()) {
			c.EndReads(0)
			hangUp()
		}, nil},
		"before the end of a body": {1, true, func(c *callctx.Connection, hangUp func()) {
			c.EndReads(callctx.RefusedBody)
			hangUp()
		}, errGone},
		"HTTP/2": {2, true, func(c *callctx.Connection, hangUp func()) {
			c.EndReads(0)
			hangUp()
		}, errGone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), http.ServerContextKey, "server"))
				request := newRequest(t).WithContext(ctx)
				request.ProtoMajor = test.major
				var left context.Context
				callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					left = r.Context()
					var child context.Context
					if test.early {
						var stop context.CancelFunc
						child, stop = context.WithCancel(left)
						defer stop()
					}
					test.what(callctx.FromContext(left).Claim(arrival(r, procedure)), func() { cancel(errGone) })
					synctest.Wait()
					for _, ctx := range []context.Context{left, child} {
						if ctx == nil {
							continue
						}
						if got := context.Cause(ctx); !errors.Is(got, test.want) || (ctx.Err() == nil) != (test.want == nil) {
							t.Errorf("the context ends with %v: %v, want %v", ctx.Err(), got, test.want)
						}
					}
					if left.Value(http.ServerContextKey) != "server" {
						t.Error("the context has lost a value")
					}
					if done := left.Done(); left.Done() != done {
						t.Error("each Done returns another channel")
					}
				})).ServeHTTP(newWriter(), request)
				cancel(nil) // as net/http does when it has served a request
				synctest.Wait()
				if left.Err() == nil {
					t.Error("the context goes on when the request has been served")
				}
				select {
				case <-left.Done():
				default:
					t.Error("nobody can wait for the end of the context")
				}
			})
		})
	}
}

// TestPrintedContext makes sure that a printed context holds nothing of the request.
func TestPrintedContext(t *testing.T) {
	t.Parallel()
	request := newRequest(t)
	request.Header.Set("Authorization", "Bearer secret")
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := fmt.Sprint(r.Context()); got != "callctx.Connection" {
			t.Error(got)
		}
		for _, ctx := range []context.Context{r.Context(), context.WithValue(r.Context(), http.ServerContextKey, "")} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				if got := fmt.Sprintf(verb, ctx); strings.Contains(got, "secret") || strings.Contains(got, fmt.Sprintf("%x", "secret")) {
					t.Errorf("%s: %s", verb, got)
				}
			}
		}
	})).ServeHTTP(newWriter(), request)
}

// TestDeadlineOfContext makes sure that the deadline of middleware outside ends the context with
// [context.DeadlineExceeded], and not as a client that is gone.
func TestDeadlineOfContext(t *testing.T) {
	t.Parallel()
	for _, major := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			request := newRequest(t).WithContext(ctx)
			request.ProtoMajor = major
			callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				child, stop := context.WithCancel(r.Context())
				defer stop()
				<-child.Done()
				synctest.Wait()
				if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(r.Context().Err(), context.DeadlineExceeded) {
					t.Errorf("HTTP/%d: the context ends with %v, its child with %v", major, r.Context().Err(), child.Err())
				}
			})).ServeHTTP(newWriter(), request)
		})
	}
}

// TestGone makes sure that the context of a request ends with the client if reads cannot be ended, also
// before a deadline of middleware outside.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			outside, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if told {
				var free context.CancelFunc
				outside, free = context.WithTimeout(outside, time.Minute)
				defer free()
			}
			callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				child, stop := context.WithCancel(r.Context())
				defer stop()
				callctx.FromContext(child).Claim(arrival(r, procedure)).EndReads(0)
				cancel(errGone)
				synctest.Wait()
				if got := context.Cause(child); !errors.Is(got, errGone) {
					t.Errorf("deadline told: %t: the context ends with %v", told, got)
				}
			})).ServeHTTP(failing{httptest.NewRecorder()}, newRequest(t).WithContext(outside))
		})
	}
}

// TestServedContext makes sure that the context of a request ends when the request has been served, and
// leaves no goroutine, although the context of middleware outside goes on.
func TestServedContext(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
			var left context.Context
			callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if left = r.Context(); early && left.Err() != nil {
					t.Error("the context ends before the request")
				}
			})).ServeHTTP(newWriter(), newRequest(t).WithContext(fast{t.Context(), make(chan struct{})}))
			if left.Err() == nil {
				t.Errorf("used before: %t: the context goes on when the request has been served", early)
			}
		})
	}
}

// A fast context ends with [context.DeadlineExceeded] before its Deadline.
type fast struct {
	context.Context

	done chan struct{}
}

func (c fast) Done() <-chan struct{} { return c.done }

func (c fast) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestFastDeadline makes sure that the context of a request ends with [context.DeadlineExceeded], also if
// the timer of middleware outside is ahead, or if its context does not tell a deadline.
func TestFastDeadline(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			outside := fast{t.Context(), make(chan struct{})}
			if told {
				var cancel context.CancelFunc
				outside.Context, cancel = context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
			}
			callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				child, stop := context.WithCancel(r.Context())
				defer stop()
				close(outside.done)
				<-child.Done()
				if !errors.Is(context.Cause(child), context.DeadlineExceeded) || errors.Is(child.Err(), context.DeadlineExceeded) != told {
					t.Errorf("deadline told: %t: the child ends with %v: %v", told, child.Err(), context.Cause(child))
				}
			})).ServeHTTP(newWriter(), newRequest(t).WithContext(outside))
		})
	}
}
