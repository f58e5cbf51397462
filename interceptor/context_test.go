package interceptor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// telling are handlers that report their caller.
func telling() handlers {
	tell := func(ctx context.Context) {
		claims := interceptor.ClaimsFromContext(ctx)
		if claims == nil {
			harness.Saw(ctx, "nobody")
			return
		}
		harness.Saw(ctx, claims.Subject())
	}
	return handlers{
		unary: func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[answer], error) {
			tell(ctx)
			return connect.NewResponse(new(answer)), nil
		},
		server: func(ctx context.Context, _ *connect.Request[message], _ *connect.ServerStream[answer]) error {
			tell(ctx)
			return nil
		},
		client: func(ctx context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
			tell(ctx) // before the first message
			for stream.Receive() {
				tell(ctx)
			}
			return connect.NewResponse(new(answer)), stream.Err()
		},
		bidi: func(ctx context.Context, stream *connect.BidiStream[message, answer]) error {
			for {
				tell(ctx)
				if _, err := stream.Receive(); err != nil {
					return ended(err)
				}
			}
		},
	}
}

func TestClaimsFromContext(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	open := interceptor.New(unverified(`{"sub":"somebody else","exp":4102444800}`), rules(t))
	for name, test := range map[string]struct {
		options []connect.HandlerOption
		service string
		want    string
	}{
		"HandlerOption":         {[]connect.HandlerOption{guard.HandlerOption()}, "Field", "alice"},
		"WithInterceptors":      {[]connect.HandlerOption{connect.WithInterceptors(guard.Interceptor())}, "Field", "alice"},
		"twice":                 {[]connect.HandlerOption{guard.HandlerOption(), guard.HandlerOption()}, "Field", "alice"},
		"gate and interceptors": {[]connect.HandlerOption{connect.WithInterceptors(guard.Interceptor()), guard.HandlerOption()}, "Field", "alice"},
		"public":                {[]connect.HandlerOption{guard.HandlerOption()}, "Public", "nobody"},
		"public by service":     {[]connect.HandlerOption{guard.HandlerOption()}, opened, "nobody"},
		"public, interceptor":   {[]connect.HandlerOption{connect.WithInterceptors(guard.Interceptor())}, "Public", "nobody"},
		"public inside":         {[]connect.HandlerOption{connect.WithInterceptors(open.Interceptor(), guard.Interceptor())}, "Public", "nobody"},
		"no guard":              {nil, "Field", "nobody"},
	} {
		server := serve(t, telling().mux(test.options...))
		for kind := range kinds {
			header := bearer(t, with(resource(acme, "read:data"), "sub", "alice"))
			call := server.Record(header)
			if _, err := server.do(t.Context(), wires[3], test.service, kind, header, acme); err != nil {
				t.Errorf("%s, %s: %v", name, kinds[kind], err)
			}
			_, told := call.Seen()
			if len(told) == 0 || slices.ContainsFunc(told, func(s string) bool { return s != test.want }) {
				t.Errorf("%s, %s: called by %q, want %q", name, kinds[kind], told, test.want)
			}
		}
	}
	if claims := interceptor.ClaimsFromContext(t.Context()); claims != nil {
		t.Errorf("claims from nowhere: %v", claims)
	}
}

// TestContextWithClaims makes sure that a test can give a handler claims, and that the context admits no
// call.
func TestContextWithClaims(t *testing.T) {
	t.Parallel()
	claims := guardtest.Claims(t, token.Logto(issuerEndpoint), `{"sub":"alice","exp":4102444800}`)
	ctx := interceptor.ContextWithClaims(t.Context(), claims)
	if got := interceptor.ClaimsFromContext(ctx); *got != *claims {
		t.Errorf("%v", got)
	}
	if got := interceptor.ClaimsFromContext(interceptor.ContextWithClaims(ctx, nil)); got != nil {
		t.Errorf("%v", got)
	}
	guard := interceptor.New(shared(t).verifier, rules(t))
	for _, option := range []connect.HandlerOption{guard.HandlerOption(), connect.WithInterceptors(guard.Interceptor())} {
		mux := handlers{}.mux(option)
		if got := post(ctx, mux, "Global", nil); got.Code != http.StatusUnauthorized {
			t.Errorf("%d: %s", got.Code, got.Body)
		}
	}
}

// post makes a call in process, with the context and header as they are.
func post(ctx context.Context, handler http.Handler, service string, header http.Header) *httptest.ResponseRecorder {
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, procedure(service, connect.StreamTypeUnary), http.NoBody)
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Content-Type", "application/proto")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// counting counts verifications.
func counting(verifier interceptor.Verifier) (interceptor.Verifier, *atomic.Int64) {
	var count atomic.Int64
	return verifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
		count.Add(1)
		return verifier.Verify(ctx, raw)
	}), &count
}

// TestCallsInProcess makes sure that a call that a handler makes in process, with its own context, is
// decided by itself.
func TestCallsInProcess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call     func(ctx context.Context, header http.Header, inner http.Handler) int
		want     int
		verified int64
	}{
		"without a token": {func(ctx context.Context, _ http.Header, inner http.Handler) int {
			return post(ctx, inner, "Global", nil).Code
		}, http.StatusUnauthorized, 1},
		"of another method with the same header": {func(ctx context.Context, header http.Header, inner http.Handler) int {
			return post(ctx, inner, "Field", header).Code
		}, http.StatusForbidden, 2},
		"of a client method with the same header": {func(ctx context.Context, header http.Header, inner http.Handler) int {
			return post(ctx, inner, "User", header).Code
		}, http.StatusForbidden, 2},
		"of the same method with the same header": {func(ctx context.Context, header http.Header, inner http.Handler) int {
			return post(ctx, inner, "Global", header).Code
		}, http.StatusOK, 2},
		"of the same method, twice": {func(ctx context.Context, header http.Header, inner http.Handler) int {
			return max(post(ctx, inner, "Global", header).Code, post(ctx, inner, "Global", header).Code)
		}, http.StatusOK, 3},
		"of the same method, the token gone": {func(ctx context.Context, header http.Header, inner http.Handler) int {
			header.Del("Authorization")
			return post(ctx, inner, "Global", header).Code
		}, http.StatusUnauthorized, 1},
		"by a client": {func(ctx context.Context, _ http.Header, inner http.Handler) int {
			client := connect.NewClient[message, answer](&http.Client{Transport: inProcess(inner)}, "http://inner"+procedure("Global", connect.StreamTypeUnary))
			_, err := client.CallUnary(ctx, connect.NewRequest(new(message)))
			if reasonOf(err) != missing.reason {
				return 0
			}
			return http.StatusUnauthorized
		}, http.StatusUnauthorized, 1},
	} {
		for i := range 4 {
			verifier, count := counting(shared(t).verifier)
			guard := interceptor.New(verifier, rules(t))
			options := []connect.HandlerOption{guard.HandlerOption(), connect.WithInterceptors(guard.Interceptor())}
			inner := handlers{}.mux(options[i%2])
			outer := handlers{unary: func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
				if got := test.call(ctx, request.Header(), inner); got != test.want {
					t.Errorf("%s, %d: %d, want %d", name, i, got, test.want)
				}
				return connect.NewResponse(new(answer)), nil
			}}.mux(options[i/2])
			if got := post(t.Context(), outer, "Global", bearer(t, global("read:a write:b"))); got.Code != http.StatusOK {
				t.Errorf("%s: %s", name, got.Body)
			}
			if got := count.Load(); got != test.verified {
				t.Errorf("%s, %d: verified %d times, want %d", name, i, got, test.verified)
			}
		}
	}
}

// TestInterceptorBeforeGuard makes sure that an interceptor before the guard cannot use the call that the gate
// has admitted for a call of its own.
func TestInterceptorBeforeGuard(t *testing.T) {
	t.Parallel()
	verifier, count := counting(shared(t).verifier)
	guard := interceptor.New(verifier, rules(t))
	inner := handlers{}.mux(connect.WithInterceptors(guard.Interceptor()))
	for name, test := range map[string]struct {
		call     func(ctx context.Context, header http.Header) int
		want     int
		verified int64
	}{
		"another header": {func(ctx context.Context, _ http.Header) int {
			return post(ctx, inner, "Global", http.Header{}).Code
		}, http.StatusUnauthorized, 1},
		"a copy of the header": {func(ctx context.Context, header http.Header) int {
			return post(ctx, inner, "Global", header.Clone()).Code
		}, http.StatusOK, 2},
		"another method": {func(ctx context.Context, header http.Header) int {
			return post(ctx, inner, "User", header).Code
		}, http.StatusForbidden, 2},
		"the same call": {func(ctx context.Context, header http.Header) int {
			return post(ctx, inner, "Global", header).Code
		}, http.StatusOK, 2}, // the inner call passes the gate, so the outer one is admitted again
	} {
		before := count.Load()
		early := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
				if got := test.call(ctx, request.Header()); got != test.want {
					t.Errorf("%s: %d, want %d", name, got, test.want)
				}
				return next(ctx, request)
			}
		})
		outer := handlers{}.mux(connect.WithInterceptors(early), guard.HandlerOption())
		if got := post(t.Context(), outer, "Global", bearer(t, global("read:a write:b"))); got.Code != http.StatusOK {
			t.Errorf("%s: %s", name, got.Body)
		}
		if got := count.Load() - before; got != test.verified {
			t.Errorf("%s: verified %d times, want %d", name, got, test.verified)
		}
	}
}

// TestTwoGuards makes sure that each of two guards can refuse a call, in either order.
func TestTwoGuards(t *testing.T) {
	t.Parallel()
	strict := interceptor.New(shared(t).verifier, rules(t))
	lenient := interceptor.New(unverified(`{"sub":"s","aud":"`+api+`","scope":"read:data","organization_id":"acme","exp":4102444800}`), rules(t))
	globexOnly := interceptor.New(unverified(`{"sub":"s","aud":"`+api+`","scope":"read:data","organization_id":"globex","exp":4102444800}`), rules(t))
	server := serve(t, handlers{}.mux(globexOnly.HandlerOption(), strict.HandlerOption()))
	for kind := range kinds {
		if _, err := server.do(t.Context(), wires[3], "Field", kind, bearer(t, resource(acme, "read:data")), globex); reasonOf(err) != organization.reason {
			t.Errorf("a message for the outer guard alone, %s: %v", kinds[kind], err)
		}
	}
	for name, options := range map[string][]connect.HandlerOption{
		"lenient, strict":              {lenient.HandlerOption(), strict.HandlerOption()},
		"strict, lenient":              {strict.HandlerOption(), lenient.HandlerOption()},
		"lenient gate, strict inside":  {lenient.HandlerOption(), connect.WithInterceptors(strict.Interceptor())},
		"lenient gate, strict outside": {connect.WithInterceptors(strict.Interceptor()), lenient.HandlerOption()},
		"interceptors":                 {connect.WithInterceptors(lenient.Interceptor(), strict.Interceptor())},
		"interceptors, strict first":   {connect.WithInterceptors(strict.Interceptor(), lenient.Interceptor())},
	} {
		server := serve(t, handlers{}.mux(options...))
		for kind := range kinds {
			header := bearer(t, resource(acme, "read:data"))
			if _, err := server.do(t.Context(), wires[3], "Field", kind, header, acme, acme); err != nil {
				t.Errorf("%s, %s: %v", name, kinds[kind], err)
			}
			header.Set("Authorization", "Bearer a.b.c")
			if _, err := server.do(t.Context(), wires[3], "Field", kind, header, acme); reasonOf(err) != malformed.reason {
				t.Errorf("%s, %s: %v", name, kinds[kind], err)
			}
		}
	}
}

// TestClients makes sure that a guard does nothing in a client.
func TestClients(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(context.Context, interceptor.Event) {
		t.Error("the observer was called")
	}))
	server := serve(t, handlers{}.mux())
	for _, wire := range http2() {
		wire.options = append(slices.Clone(wire.options), connect.WithInterceptors(guard.Interceptor()))
		for kind := range kinds {
			texts, err := server.do(t.Context(), wire, "Field", kind, nil, globex)
			if err != nil || !slices.Equal(texts, []string{globex}) {
				t.Errorf("%s, %s: %q, %v", wire.name, kinds[kind], texts, err)
			}
		}
	}
}

// TestContextWithWay makes sure that a test can give a handler its way.
func TestContextWithWay(t *testing.T) {
	t.Parallel()
	claims, err := shared(t).verifier.Verify(t.Context(), shared(t).good.Token(t, resource(acme, "read:data")))
	if err != nil {
		t.Fatal(err)
	}
	for number, ctx := range map[int]context.Context{
		0: interceptor.ContextWithClaims(t.Context(), claims), 1: interceptor.ContextWithWay(t.Context(), claims, 1), 15: interceptor.ContextWithWay(t.Context(), claims, 15),
	} {
		if way, ok := interceptor.WayFromContext(ctx); !ok || way != (interceptor.Way{Number: number, Organization: acme}) || interceptor.ClaimsFromContext(ctx).OrganizationID() != acme {
			t.Errorf("%d: %+v, %t", number, way, ok)
		}
	}
	if way, ok := interceptor.WayFromContext(interceptor.ContextWithWay(t.Context(), nil, 1)); ok {
		t.Errorf("no claims: %+v", way)
	}
	const want = "interceptor: ContextWithWay needs a number from 0 to 15: 0 is the rule's own way, and 1 its first alternative"
	for _, number := range []int{-1, 16, 1 << 20} {
		if got := recovered(func() { interceptor.ContextWithWay(t.Context(), claims, number) }); got != want {
			t.Errorf("%d: panics with %v", number, got)
		}
	}
}
