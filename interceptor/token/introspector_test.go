package token_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A questioned is an introspection endpoint. It counts the requests.
type questioned struct {
	answer   func(form map[string][]string) (*http.Response, error)
	requests atomic.Int64
	tokens   sync.Map
}

// RoundTrip implements [http.RoundTripper].
func (q *questioned) RoundTrip(r *http.Request) (*http.Response, error) {
	q.requests.Add(1)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	q.tokens.Store(r.PostForm.Get("token"), true)
	return q.answer(r.PostForm)
}

func says(text string) func(map[string][]string) (*http.Response, error) {
	return func(map[string][]string) (*http.Response, error) { return respondWith(200, text), nil }
}

func respondWith(status int, text string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)),
	}
}

const opaqueToken = "mF_9.B5f-4.1JqM"

func introspected() token.Issuer {
	issuer := token.Logto(issuerURL)
	issuer.IntrospectionURL = issuerURL + "/token/introspection"
	return issuer
}

func newIntrospector(t testing.TB, endpoint *questioned, how token.Introspection, opts ...token.Option) *token.Introspector {
	t.Helper()
	how.Client = token.ClientSecretBasic("api", "hunter2")
	return must(token.NewIntrospector(introspected(), how, append(opts, token.WithTransport(endpoint))...))
}

// TestIntrospection reads answers about a token.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	const good = `"active": true, "token_type": "Bearer", "sub": "user_1"`
	for name, test := range map[string]struct {
		answer string
		want   error
	}{
		"good":   {`{` + good + `}`, nil},
		"active": {`{"active": "true", "token_type": "Bearer", "sub": "user_1"}`, token.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := newIntrospector(t, &questioned{answer: says(test.answer)}, token.Introspection{}).Verify(t.Context(), opaqueToken)
			if test.want != nil {
				checkError(t, err, test.want)
			} else if err != nil || claims.Subject() != "user_1" {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestOneRequest makes sure that calls with one token share a request.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &questioned{answer: func(map[string][]string) (*http.Response, error) {
			time.Sleep(time.Second)
			return respondWith(200, `{"active": true, "token_type": "Bearer", "sub": "user_1"}`), nil
		}}
		introspector := newIntrospector(t, endpoint, token.Introspection{})
		var calls sync.WaitGroup
		for range 1000 {
			calls.Go(func() {
				if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if n := endpoint.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// TestMadeUp makes sure that made-up tokens draw a bounded number of requests.
func TestMadeUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &questioned{answer: says(`{"active": false}`)}
		introspector := newIntrospector(t, endpoint, token.Introspection{})
		var busy int
		for n := range 10_000 {
			_, err := introspector.Verify(context.Background(), fmt.Sprintf("made-up-%d", n))
			if errors.Is(err, token.ErrBusy) {
				busy++
			}
			time.Sleep(time.Millisecond)
		}
		if n := endpoint.requests.Load(); n > 500 || n+int64(busy) != 10_000 {
			t.Errorf("%d requests, %d busy", n, busy)
		}
	})
}
