package callctx_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// call asks as the guard for the first version of connect-go does.
func arrival(r *http.Request, of string) callctx.Arrival {
	return callctx.Arrival{ID: callctx.HeaderID(r.Header), Procedure: of, Authorization: r.Header.Values("Authorization")}
}

// arrival2 is a call as the guard for the second version tells it.
func arrival2(r *http.Request, of string) callctx.Arrival {
	r.Header["Host"] = []string{r.Host} // as connecthttp does
	return callctx.Arrival{ID: new(int), Procedure: of, Authorization: r.Header.Values("Authorization"), Host: r.Header["Host"]}
}

var versions = map[string]func(*http.Request, string) callctx.Arrival{"connect v1": arrival, "connect v2": arrival2}

// TestOutside makes sure that a call finds the connection that it came over, whatever middleware has
// copied, and that no other call finds the connection.
func TestOutside(t *testing.T) {
	t.Parallel()
	const token = "Bearer a"
	for name, test := range map[string]struct {
		path   string // of the request; by default the procedure
		token  []string
		change func(next http.Handler) http.Handler
		call   string // by default the procedure
		want   bool
	}{
		"the request":       {want: true},
		"without a token":   {token: []string{}, want: true},
		"with two tokens":   {token: []string{token, "Bearer b"}, want: true},
		"behind a prefix":   {path: "/api" + procedure, want: true},
		"of another path":   {path: "/acme.v1.Orders/Get"},
		"of no path":        {path: "/"},
		"of a longer name":  {path: "/x.acme.v1.Orders/List"},
		"of a longer path":  {path: procedure + "/all"},
		"another procedure": {call: "/acme.v1.Orders/Get"},
		"a stripped prefix": {path: "/api" + procedure, want: true, change: func(next http.Handler) http.Handler {
			return http.StripPrefix("/api", next)
		}},
		"a clone": {want: true, change: changing(func(r *http.Request) *http.Request { return r.Clone(r.Context()) })},
		"a clone of a clone, behind a prefix": {path: "/api" + procedure, want: true, change: changing(func(r *http.Request) *http.Request {
			r = r.Clone(r.Context())
			r.URL.Path = strings.TrimPrefix(r.URL.Path, "/api")
			return r.Clone(context.WithoutCancel(r.Context()))
		})},
		"a clone in place": {want: true, change: changing(func(r *http.Request) *http.Request {
			*r = *r.Clone(r.Context())
			return r
		})},
		"a copy of the header": {want: true, change: changing(func(r *http.Request) *http.Request {
			r.Header = r.Header.Clone()
			r.Header.Set("Added", "1")
			return r
		})},
		"a shallow copy of the header": {want: true, change: changing(func(r *http.Request) *http.Request {
			r = r.WithContext(r.Context())
			r.Header = maps.Clone(r.Header)
			return r
		})},
		"another token in place": {want: true, change: changing(func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", "Bearer b")
			return r
		})},
		"a token added in place": {token: []string{}, want: true, change: changing(func(r *http.Request) *http.Request {
			r.Header.Set("Authorization", token)
			return r.WithContext(r.Context())
		})},
		"another path and another token in place": {want: true, change: changing(func(r *http.Request) *http.Request {
			r.URL.Path = "/v1/orders"
			r.Header.Set("Authorization", "Bearer b")
			return r
		})},
		"another path in place": {path: "/v1/orders", want: true, change: changing(func(r *http.Request) *http.Request {
			r.URL.Path = procedure
			return r
		})},
		"another path in place, for a copy of the header": {path: "/v1/orders", change: changing(func(r *http.Request) *http.Request {
			r.URL.Path = procedure
			r.Header = r.Header.Clone()
			return r
		})},
		"another token on a clone": {change: changing(func(r *http.Request) *http.Request {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer b")
			return r
		})},
		"another token on a shallow copy": {change: changing(func(r *http.Request) *http.Request {
			r = r.WithContext(r.Context())
			r.Header = maps.Clone(r.Header)
			r.Header.Set("Authorization", "Bearer b")
			return r
		})},
		"no token on a clone": {change: changing(func(r *http.Request) *http.Request {
			r = r.Clone(r.Context())
			r.Header.Del("Authorization")
			return r
		})},
		"two tokens on a clone": {change: changing(func(r *http.Request) *http.Request {
			r = r.Clone(r.Context())
			r.Header.Add("Authorization", token)
			return r
		})},
		"the token made unreadable in the original": {want: true, change: changing(func(r *http.Request) *http.Request {
			clone := r.Clone(r.Context())
			r.Header["Authorization"][0] = "***"
			return clone
		})},
		"another context": {change: changing(func(r *http.Request) *http.Request { return r.WithContext(t.Context()) })},
	} {
		for version, ask := range versions {
			t.Run("B1 "+name+", "+version, func(t *testing.T) {
				t.Parallel()
				request := newRequest(t)
				request.Header.Set("Host", request.Host)
				request.Header["Authorization"] = test.token
				if test.token == nil {
					request.Header["Authorization"] = []string{token}
				}
				if test.path != "" {
					request.URL = &url.URL{Path: test.path}
				}
				called := test.call
				if called == "" {
					called = procedure
				}
				w := newWriter()
				var handler http.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					call := ask(r, called)
					callctx.FromContext(r.Context()).Refuse(call)
					if got := !w.read.IsZero(); got != test.want {
						t.Errorf("the body of the call ends: %t, want %t", got, test.want)
					}
					c := callctx.FromContext(r.Context()).Claim(call)
					if got := c != nil; got != test.want {
						t.Errorf("the call has the connection: %t, want %t", got, test.want)
					}
					if again := callctx.FromContext(r.Context()).Claim(call); again != c {
						t.Error("another guard of the call has another connection")
					}
				})
				if test.change != nil {
					handler = test.change(handler)
				}
				callctx.Handler(handler).ServeHTTP(w, request)
			})
		}
	}
}

// changing is a middleware that changes the request.
func changing(change func(*http.Request) *http.Request) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, change(r)) })
	}
}

// TestClaimedOnce makes sure that one of several equal calls claims the connection, and that a call
// which is refused later leaves the connection alone.
func TestClaimedOnce(t *testing.T) {
	t.Parallel()
	w := newWriter()
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c := callctx.FromContext(r.Context())
		c.Refuse(arrival(r.Clone(r.Context()), procedure)) // which claims nothing
		w.read = time.Time{}
		var claims atomic.Int64
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				if c.Claim(arrival(r.Clone(r.Context()), procedure)) != nil {
					claims.Add(1)
				}
			})
		}
		calls.Wait()
		if got := claims.Load(); got != 1 {
			t.Errorf("%d calls have the connection", got)
		}
		c.Refuse(arrival(r, procedure))
		if !w.read.IsZero() {
			t.Error("the reads of another call end")
		}
		for name, other := range map[string]callctx.Arrival{
			"a header that is nil": arrival(&http.Request{}, procedure),
			"without an ID":        {Procedure: procedure},
		} {
			if c.Claim(other) != nil {
				t.Errorf("%s: it has another call's connection", name)
			}
		}
	})).ServeHTTP(w, newRequest(t))
}

// TestNoID makes sure that a call without an ID claims no connection.
func TestNoID(t *testing.T) {
	t.Parallel()
	request := newRequest(t)
	request.Header = nil
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if callctx.FromContext(r.Context()).Claim(arrival(r, procedure)) != nil {
			t.Error("the call has the connection")
		}
	})).ServeHTTP(newWriter(), request)
}

// TestServed makes sure that a handler that was left behind cannot claim the connection.
func TestServed(t *testing.T) {
	t.Parallel()
	w := newWriter()
	var left *http.Request
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { left = r })).ServeHTTP(w, newRequest(t))
	c := callctx.FromContext(left.Context())
	if c.Refuse(arrival(left, procedure)); c.Claim(arrival(left, procedure)) != nil || !w.read.IsZero() {
		t.Error("the call has a connection that may serve another request")
	}
}

// TestExpectation makes sure that a client that waits for a 100 Continue is refused at once.
func TestExpectation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		expect string
		major  int
		minor  int
		want   time.Duration
	}{
		"none":                {"", 1, 1, time.Second},
		"HTTP/1.1":            {"100-continue", 1, 1, 0},
		"in another case":     {"100-Continue", 1, 1, 0},
		"HTTP/1.0, no effect": {"100-continue", 1, 0, time.Second},
		"HTTP/2":              {"100-continue", 2, 0, 0},
	} {
		t.Run("B7 "+name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				request := newRequest(t)
				request.ProtoMajor, request.ProtoMinor = test.major, test.minor
				if test.expect != "" {
					request.Header.Set("Expect", test.expect)
				}
				w := newWriter()
				callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					callctx.FromContext(r.Context()).Refuse(arrival(r, procedure))
				})).ServeHTTP(w, request)
				if got := time.Until(w.read); got != test.want {
					t.Errorf("the body ends in %v, want %v", got, test.want)
				}
			})
		})
	}
}

// TestTold makes sure that one warning, with the procedure alone, tells that a call cannot be
// interrupted. A call in process that leaves the connection to its caller draws no warning.
func TestTold(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&log, nil)))
	defer slog.SetDefault(before)
	other := func(c *callctx.Connection, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer other")
		c.Claim(arrival(r, procedure))
	}
	for name, test := range map[string]struct {
		w    http.ResponseWriter
		call func(c *callctx.Connection, r *http.Request)
		want string
	}{
		"found":         {newWriter(), func(c *callctx.Connection, r *http.Request) { c.Claim(arrival(r, procedure)).EndReads(0) }, ""},
		"refused":       {newWriter(), func(c *callctx.Connection, r *http.Request) { c.Refuse(arrival(r, procedure)) }, ""},
		"no deadlines":  {httptest.NewRecorder(), func(c *callctx.Connection, r *http.Request) { c.Claim(arrival(r, procedure)).EndReads(0) }, "Unwrap"},
		"lost":          {failing{}, func(c *callctx.Connection, r *http.Request) { c.Claim(arrival(r, procedure)).EndReads(0) }, ""},
		"another token": {newWriter(), other, "on a copy"},
		"another path":  {newWriter(), func(c *callctx.Connection, r *http.Request) { c.Claim(arrival(r, "/other")) }, "on a copy"},
		"taken": {newWriter(), func(c *callctx.Connection, r *http.Request) {
			c.Claim(arrival(r, procedure))
			other(c, r)
		}, ""},
		"served twice": {newWriter(), func(c *callctx.Connection, r *http.Request) {
			c.Claim(arrival(r, procedure))
			c.Claim(arrival(r.Clone(r.Context()), procedure))
		}, "served a request twice"},
		"another guard of the same call": {newWriter(), func(c *callctx.Connection, r *http.Request) {
			c.Claim(arrival(r, procedure))
			c.Claim(arrival(r, procedure))
		}, ""},
		"another procedure of the same call": {newWriter(), func(c *callctx.Connection, r *http.Request) {
			c.Claim(arrival(r, procedure))
			c.Claim(arrival(r, "/other"))
		}, ""},
		"another procedure of the same call, whose path was changed in place": {newWriter(), func(c *callctx.Connection, r *http.Request) {
			c.Claim(arrival(r, procedure))
			r.URL.Path = "/other"
			c.Claim(arrival(r, "/other"))
		}, ""},
		"no deadlines for a refusal": {httptest.NewRecorder(), func(c *callctx.Connection, r *http.Request) { c.Refuse(arrival(r, procedure)) }, "Unwrap"},
		"no deadlines for writes": {httptest.NewRecorder(), func(c *callctx.Connection, r *http.Request) {
			var writing sync.Mutex
			writing.Lock()
			time.AfterFunc(time.Second, writing.Unlock)
			c.Claim(arrival(r, procedure)).AwaitSend(&writing)
		}, "Unwrap"},
	} {
		log.Reset()
		handler := callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			test.call(callctx.FromContext(r.Context()), r)
		}))
		for range 3 {
			request := newRequest(t)
			request.Header.Set("Authorization", "Bearer secret")
			handler.ServeHTTP(test.w, request)
		}
		got := log.String()
		if strings.Count(got, "\n") != min(len(test.want), 1) || !strings.Contains(got, test.want) || strings.Contains(got, "Bearer") {
			t.Errorf("%s: told %q, want %q", name, got, test.want)
		}
		if test.want != "" && (!strings.Contains(got, `"WARN"`) || !strings.Contains(got, `"procedure":"/`)) {
			t.Errorf("%s: told %q", name, got)
		}
	}
	for called, want := range map[string]string{
		"/pkg.Service/Method":                      `"procedure":"/pkg.Service/Method"`,
		"/a\n\x1b\u202e\"/b":                       `"procedure":"/a\\n\\x1b\\u202e\\\"/b"`,
		"/" + strings.Repeat("x", 20<<10) + "\n/b": `"procedure":"/` + strings.Repeat("x", 199) + `"`,
	} {
		log.Reset()
		callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			callctx.FromContext(r.Context()).Claim(arrival(r, called))
		})).ServeHTTP(newWriter(), newRequest(t))
		if got := log.String(); !strings.Contains(got, want) {
			t.Errorf("C14: told %q, want %q", got, want)
		}
	}
	log.Reset()
	var left *callctx.Connection
	callctx.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		left = callctx.FromContext(r.Context())
	})).ServeHTTP(newWriter(), newRequest(t))
	left.Claim(arrival(newRequest(t), procedure))
	if other(left, newRequest(t)); log.Len() > 0 {
		t.Errorf("told %q of a request that has been served", log.String())
	}
}
