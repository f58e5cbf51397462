package clientauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

var protocols = map[string]connect.ClientOption{
	"Connect":     connect.WithClientOptions(),
	"Connect GET": connect.WithHTTPGet(),
	"gRPC":        connect.WithGRPC(),
	"gRPC-Web":    connect.WithGRPCWeb(),
}

// does makes a call that must succeed.
func does(t testing.TB, client *connect.Client[message, answer], method catalogue.Method) {
	t.Helper()
	if text, err := call(t.Context(), client, method); err != nil || text != "hello" {
		t.Fatal(text, err)
	}
}

// refuses makes a call that must fail.
func refuses(t testing.TB, client *connect.Client[message, answer], method catalogue.Method, code connect.Code) {
	t.Helper()
	_ = refusal(t, client, method, code)
}

// refusal is the error of a call that must fail.
func refusal(t testing.TB, client *connect.Client[message, answer], method catalogue.Method, code connect.Code) error {
	t.Helper()
	_, err := call(t.Context(), client, method)
	if err == nil || connect.CodeOf(err) != code {
		t.Fatalf("%v instead of %v", err, code)
	}
	checkSecrets(t, err)
	return err
}

// counts checks how many tokens were fetched, and how many calls were refused.
func (w *world) counts(t testing.TB, fetches, refused int64) {
	t.Helper()
	if f, r := w.fetches.Load(), w.refused.Load(); f != fetches || r != refused {
		t.Fatalf("%d fetches instead of %d, %d refusals instead of %d", f, fetches, r, refused)
	}
}

// TestInterceptor makes calls of each kind, with tokens that are good and that are refused.
func TestInterceptor(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		for _, method := range catalogue.Methods {
			t.Run(name+"/"+method.Name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				client := w.connect(w.source, "Read", method, protocol)
				does(t, client, method)
				does(t, client, method)
				w.counts(t, 1, 0)
				w.refuseNow(t)
				if method != catalogue.Unary {
					refuses(t, client, method, connect.CodeInternal)
				}
				does(t, client, method)
				w.counts(t, 2, 1)
				// A server that refuses everything gets one call, and no token is fetched.
				w.refuse.Store("all", nil)
				refuses(t, client, method, connect.CodeInternal)
				refuses(t, client, method, connect.CodeInternal)
				w.counts(t, 2, 3)
			})
			t.Run(name+"/"+method.Name+"/permission denied", func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				client := w.connect(w.source, "Global", method, protocol)
				refuses(t, client, method, connect.CodeInternal)
				refuses(t, client, method, connect.CodeInternal)
				w.counts(t, 1, 0)
			})
		}
	}
}

// TestRetryOnce makes sure that a call is repeated once and no more.
func TestRetryOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuse.Store("all", nil)
	client := w.connect(w.source, "Read", catalogue.Unary)
	refuses(t, client, catalogue.Unary, connect.CodeInternal)
	w.counts(t, 2, 2)
}

// TestRetryCodes makes sure that no other code repeats a call.
func TestRetryCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var code connect.Code
	calls := 0
	w.unary = func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
		calls++
		return nil, connect.NewError(code, errors.New("no"))
	}
	client := w.connect(w.source, "Read", catalogue.Unary)
	for code = connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		calls = 0
		refuses(t, client, catalogue.Unary, code)
		if once := code != connect.CodeUnauthenticated; calls != 1 && once || calls != 2 && !once {
			t.Errorf("%v: %d calls", code, calls)
		}
	}
	w.counts(t, 2, 0)
}

// TestRefusedHerd makes sure that refused calls share one new token.
func TestRefusedHerd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := w.connect(w.source, "Read", catalogue.Unary)
	does(t, client, catalogue.Unary)
	w.refuseNow(t)
	var calls sync.WaitGroup
	for range 100 {
		calls.Go(func() {
			if text, err := call(t.Context(), client, catalogue.Unary); err != nil || text != "hello" {
				t.Error(text, err)
			}
		})
	}
	calls.Wait()
	if n := w.fetches.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

// TestRotation has an issuer that changes its keys without overlap.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	does(t, w.connect(w.source, "Read", catalogue.Unary), catalogue.Unary)
	if err := w.issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	w.issuer.TrimKeys()
	restarted := newWorldOf(t, w.issuer)
	w.url, w.http = restarted.url, restarted.http
	does(t, w.connect(w.source, "Read", catalogue.Unary), catalogue.Unary)
	w.counts(t, 2, 0)
}

// TestRepeatedHeaders makes sure that a call is repeated with its first header, without the
// additions of inner interceptors.
func TestRepeatedHeaders(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			attempts := 0
			client := w.connect(w.source, "Read", catalogue.Unary, protocol, connect.WithInterceptors(
				connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
					return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
						attempts++
						request.Header().Add("X-Attempt", "1")
						return next(ctx, request)
					}
				})))
			w.refuseNow(t)
			request := connect.NewRequest(hearing("hello"))
			request.Header().Set("X-Caller", "1")
			if _, err := client.CallUnary(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			header := w.headers[0]
			if attempts != 2 || len(header.Values("X-Attempt")) != 1 || len(header.Values("X-Caller")) != 1 || len(header.Values("Authorization")) != 1 {
				t.Error(attempts, header)
			}
			if _, told := request.Header()["Authorization"]; told {
				t.Error("the caller is told the token")
			}
		})
	}
}

// TestOwnAuthorization makes sure that the header of the caller is sent.
func TestOwnAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := get(t, w.client.Source(clientauth.Target{Resource: tokens.API, Scopes: []string{"read:a"}, Organization: "acme"}))
	set := func(header http.Header) { header["authorization"] = []string{"Bearer " + own} } // which is sent too
	check := func(err error, code connect.Code) {
		t.Helper()
		if connect.CodeOf(err) != code {
			t.Fatalf("%v instead of %v", err, code)
		}
	}
	// The token of an organization, which the source has none of.
	for _, code := range []connect.Code{connect.CodePermissionDenied, connect.CodeUnauthenticated} {
		request := connect.NewRequest(hearing("hello"))
		set(request.Header())
		_, err := w.connect(w.source, "Read", catalogue.Unary).CallUnary(t.Context(), request)
		check(err, code)
		stream := w.connect(w.source, "Read", catalogue.Bidi).CallBidiStream(t.Context())
		set(stream.RequestHeader())
		_ = stream.Send(hearing("hello")) // Receive returns the error
		_, err = stream.Receive()
		check(err, code)
		_ = stream.CloseRequest()
		_ = stream.CloseResponse()
		w.refuse.Store("all", nil)
	}
	w.counts(t, 1, 2)
}

// TestNotInstalled makes sure that a client without HTTPClient sends no token, and that the error
// tells so.
func TestNotInstalled(t *testing.T) {
	t.Parallel()
	for _, method := range catalogue.Methods {
		w := newWorld(t)
		client := func(service string) *connect.Client[message, answer] {
			return connect.NewClient[message, answer](w.http, w.url+catalogue.Procedure(service, method),
				connect.WithInterceptors(clientauth.NewInterceptor(w.source)))
		}
		err := refusal(t, client("Read"), method, connect.CodeInternal)
		checkError(t, err, clientauth.ErrNotInstalled)
		if ours, ok := errors.AsType[*connect.Error](err); !ok || connect.CodeOf(errors.Unwrap(ours)) != connect.CodeUnauthenticated {
			t.Errorf("%v does not hold the error of the server", err)
		}
		does(t, client(catalogue.Opened), method)
		w.counts(t, 0, 0)
	}
	// The server refuses the token of the caller, which was sent.
	w := newWorld(t)
	client := connect.NewClient[message, answer](w.http, w.url+catalogue.Procedure("Read", catalogue.Unary),
		connect.WithInterceptors(clientauth.NewInterceptor(w.source)))
	request := connect.NewRequest(hearing("hello"))
	request.Header().Set("Authorization", "Bearer secret")
	if _, err := client.CallUnary(t.Context(), request); connect.CodeOf(err) != connect.CodeUnauthenticated || errors.Is(err, clientauth.ErrNotInstalled) {
		t.Error(err)
	}
}

// TestNoToken makes sure that a call without a token does not go out, and checks the errors.
func TestNoToken(t *testing.T) {
	t.Parallel()
	from := func(serve tokens.Handler) *clientauth.Source { return newClient(t, serve).Source(target) }
	noTarget := func(err error) *clientauth.Source {
		return newClient(t, granting(60)).SourceFunc(func(context.Context) (clientauth.Target, error) { return clientauth.Target{}, err })
	}
	for name, test := range map[string]struct {
		source *clientauth.Source
		reason error
		code   connect.Code
	}{
		"panic":         {newClient(t, granting(60)).SourceFunc(func(context.Context) (clientauth.Target, error) { panic("secret") }), nil, connect.CodeInternal},
		"endpoint down": {from(tokens.Respond(503, "secret")), clientauth.ErrUnavailable, connect.CodeUnavailable},
		"refused":       {from(tokens.Respond(401, "secret")), clientauth.ErrRefused, connect.CodeInternal},
		"no target":     {noTarget(connect.NewError(connect.CodeUnauthenticated, clientauth.ErrNoCaller)), clientauth.ErrNoCaller, connect.CodeUnauthenticated},
		"canceled":      {noTarget(context.Canceled), context.Canceled, connect.CodeCanceled},
		"too late":      {noTarget(context.DeadlineExceeded), context.DeadlineExceeded, connect.CodeDeadlineExceeded},
		"another source": {clientauth.FromTokenSource(tokenSource(func() (*oauth2.Token, error) { return nil, context.Canceled })),
			clientauth.ErrUnavailable, connect.CodeUnavailable},
		"nobody": {clientauth.Forward(), clientauth.ErrNoCaller, connect.CodeInternal},
	} {
		for _, method := range catalogue.Methods {
			t.Run(name+"/"+method.Name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				err := refusal(t, w.connect(test.source, catalogue.Opened, method), method, test.code)
				if test.reason != nil {
					checkError(t, err, test.reason)
				}
				if len(w.headers) != 0 {
					t.Error("the call went out")
				}
			})
		}
	}
}

// TestOrganizations calls for the organization of each call.
func TestOrganizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	source := w.client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
		id, _ := ctx.Value(organizationKey{}).(string)
		return clientauth.Target{Resource: tokens.API, Organization: id, Scopes: []string{"read:data"}}, nil
	})
	client := w.connect(source, "Token", catalogue.Unary)
	for _, id := range []string{"acme", "globex", "acme"} {
		text, err := call(context.WithValue(t.Context(), organizationKey{}, id), client, catalogue.Unary)
		if err != nil || text != id+"hello" {
			t.Error(text, err)
		}
	}
	w.counts(t, 2, 0)
}

// TestRepeatedTarget makes sure that a call is repeated for the same organization, even if an inner
// interceptor chooses it, and if the next call is for another one.
func TestRepeatedTarget(t *testing.T) {
	t.Parallel()
	for _, method := range catalogue.Methods {
		t.Run(method.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			choices := 0
			source := w.client.SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
				choices++
				id, ok := ctx.Value(organizationKey{}).(string)
				if next := method == catalogue.Unary && choices > 2; !ok || next {
					id = "globex"
				}
				return clientauth.Target{Resource: tokens.API, Organization: id, Scopes: []string{"read:data"}}, nil
			})
			acme := context.WithValue(t.Context(), organizationKey{}, "acme")
			old, err := source.Token(acme)
			if err != nil {
				t.Fatal(err)
			}
			w.refuse.Store(old.AccessToken, nil)
			client := w.connect(source, "Token", method, connect.WithInterceptors(choosing{}))
			if method != catalogue.Unary {
				refuses(t, client, method, connect.CodeInternal)
			}
			text, err := call(t.Context(), client, method)
			if err != nil || method == catalogue.Unary && text != "acmehello" {
				t.Error(text, err)
			}
			w.counts(t, 2, 1)
		})
	}
}

// choosing is an interceptor that calls for an organization, and hides the server of a stream.
type choosing struct{}

func (choosing) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, organizationKey{}, "acme")
}

func (c choosing) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		return next(c.in(ctx), request)
	}
}

func (c choosing) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		return hidden{next(c.in(ctx), spec)}
	}
}

type hidden struct{ connect.StreamingClientConn }

func (hidden) Peer() connect.Peer { return connect.Peer{} }

func (choosing) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// TestHandlerSide makes sure that the interceptor changes no handler.
func TestHandlerSide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	served := harness.Serve(t, w.mux(connect.WithInterceptors(clientauth.NewInterceptor(clientauth.Forward()))))
	of := func(method catalogue.Method) *connect.Client[message, answer] {
		return connect.NewClient[message, answer](served.HTTP2, served.URL+catalogue.Procedure("Read", method))
	}
	for _, method := range catalogue.Methods {
		does(t, of(method), method)
	}
	calls := 0
	w.unary = func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
		calls++
		return nil, connect.NewError(connect.CodeUnauthenticated, errors.New("no"))
	}
	refuses(t, of(catalogue.Unary), catalogue.Unary, connect.CodeUnauthenticated)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
	w.counts(t, 0, 0)
}
