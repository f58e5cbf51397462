package clientauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// forwarding makes the handlers of a world call another world as their caller.
func forwarding(t testing.TB, from, to *world) {
	client := to.connect(clientauth.Forward(), "Read", catalogue.Unary)
	from.unary = func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[answer], error) {
		text, err := call(ctx, client, catalogue.Unary)
		if err != nil {
			return nil, err
		}
		return connect.NewResponse(saying(text)), nil
	}
	to.unary = func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
		if subject := interceptor.ClaimsFromContext(ctx).Subject(); subject != "shop" {
			t.Errorf("called by %q", subject)
		}
		return connect.NewResponse(saying(request.Msg.GetDocument().GetText())), nil
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := newWorld(t)
			from := newWorldOf(t, to.issuer)
			forwarding(t, from, to)
			client := from.connect(from.source, "Read", catalogue.Unary, protocol)
			does(t, client, catalogue.Unary)
			from.counts(t, 1, 0)
			to.counts(t, 0, 0)

			// A token that is refused is not tried again, and no other one either.
			to.refuse.Store("all", nil)
			anybody := from.connect(from.source, "Read", catalogue.Unary, protocol)
			refuses(t, anybody, catalogue.Unary, connect.CodeUnauthenticated)
			if calls := to.refused.Load(); calls != 2 { // one for each of the caller's own attempts
				t.Errorf("%d calls", calls)
			}
			to.counts(t, 0, 2)

			// Where a token was not asked for, none is taken.
			calls := len(to.headers)
			refuses(t, from.connect(from.source, catalogue.Opened, catalogue.Unary, protocol), catalogue.Unary, connect.CodeInternal)
			if len(to.headers) != calls {
				t.Error("the call went out")
			}
		})
	}
}

// TestForwardInProcess makes sure that a handler without a guard forwards no token if a guarded
// handler calls it in process with its own context.
func TestForwardInProcess(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(*interceptor.Guard) connect.HandlerOption{
		"gate": (*interceptor.Guard).HandlerOption,
		"interceptor": func(guard *interceptor.Guard) connect.HandlerOption {
			return connect.WithInterceptors(guard.Interceptor())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			served := harness.Serve(t, w.mux(options(w.guard)))
			w.url, w.http = served.URL, served.HTTP2
			const path = "/inner.v1.Inner/Do"
			inner := connect.NewUnaryHandler(path, func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[answer], error) {
				_, err := clientauth.Forward().Token(ctx)
				checkError(t, err, clientauth.ErrNoCaller)
				return connect.NewResponse(saying("hello")), nil
			})
			client := connect.NewClient[message, answer](&http.Client{Transport: tokens.Handler(func(request *http.Request) (*http.Response, error) {
				recorder := httptest.NewRecorder()
				inner.ServeHTTP(recorder, request)
				return recorder.Result(), nil
			})}, "https://inner.test"+path)
			w.unary = func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[answer], error) {
				if token, err := clientauth.Forward().Token(ctx); err != nil || token.AccessToken != get(t, w.source) {
					t.Error(err, "or another token")
				}
				request := connect.NewRequest(hearing("hello"))
				request.Header().Set("Authorization", "Bearer secret")
				return client.CallUnary(ctx, request)
			}
			does(t, w.connect(w.source, "Read", catalogue.Unary), catalogue.Unary)
		})
	}
}

// TestForwardNobody has contexts of other calls than guarded ones.
func TestForwardNobody(t *testing.T) {
	t.Parallel()
	claims := guardtest.Claims(t, token.Logto("https://idp.test"), `{"sub": "user_1", "exp": 4102444800}`)
	guarded := interceptor.ContextWithClaims(t.Context(), claims)
	const good = "Bearer secret"
	for _, test := range []struct {
		name   string
		ctx    context.Context
		header []string
		reason error
	}{
		{"good", guarded, []string{good}, nil},
		{"no guard", t.Context(), []string{good}, clientauth.ErrNoCaller},
		{"no header", guarded, nil, clientauth.ErrNoCaller},
		{"two", guarded, []string{good, good}, clientauth.ErrNoCaller},
		{"another scheme", guarded, []string{"Basic secret"}, clientauth.ErrNoCaller},
		{"no token", guarded, []string{"Bearer secret, secret"}, clientauth.ErrNoCaller},
	} {
		source := clientauth.ForwardFrom(func(context.Context) []string { return test.header })
		token, err := source.Token(test.ctx)
		if test.reason == nil {
			if err != nil || token.AccessToken != "secret" || token.Type() != "Bearer" {
				t.Errorf("%s: %v, or another token", test.name, err)
			}
			_, err = source.Replace(test.ctx, token)
			checkError(t, err, clientauth.ErrSameToken)
			continue
		}
		checkError(t, err, test.reason)
	}
	panicking := clientauth.ForwardFrom(func(context.Context) []string { panic("secret") })
	if token, err := panicking.Token(guarded); token != nil || err == nil {
		t.Error("no error after a panic")
	} else {
		checkSecrets(t, err)
	}
	for _, ctx := range []context.Context{t.Context(), guarded} {
		_, err := clientauth.Forward().Token(ctx)
		checkError(t, err, clientauth.ErrNoCaller)
	}
}
