package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
)

// installed are the two ways to install a guard behind another interceptor.
func installed(outer connect.Interceptor, guard *interceptor.Guard) map[string][]connect.HandlerOption {
	return map[string][]connect.HandlerOption{
		"gate":             {connect.WithInterceptors(outer), guard.HandlerOption()},
		"interceptor only": {connect.WithInterceptors(outer, guard.Interceptor())},
	}
}

// TestForwardedRequest makes sure that a request is judged although an interceptor has sent it on to
// another server, whose client has replaced its spec.
func TestForwardedRequest(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	mirror := serve(t, handlers{}.mux()).connect(wires[0], procedure("Field", connect.StreamTypeUnary))
	forward := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			typed, ok := request.(*connect.Request[message])
			if !ok {
				return nil, errors.New("another request")
			}
			if _, err := mirror.CallUnary(ctx, typed); err != nil || !request.Spec().IsClient {
				t.Errorf("not forwarded: %v", err)
			}
			return next(ctx, request)
		}
	})
	for name, options := range installed(forward, guard) {
		server := serve(t, handlers{}.mux(options...))
		for _, test := range []struct {
			name   string
			header http.Header
			want   interceptor.Reason
		}{
			{"no token", http.Header{}, interceptor.ReasonTokenMissing},
			{"another organization", bearer(t, resource(globex, "read:data")), interceptor.ReasonOrganizationMismatch},
			{"good", bearer(t, resource(acme, "read:data")), ""},
		} {
			_, err := server.do(t.Context(), wires[0], "Field", connect.StreamTypeUnary, test.header, acme)
			if got := reasonOf(err); got != test.want || (err == nil) != (test.want == "") {
				t.Errorf("%s, %s: %q, %v", name, test.name, got, err)
			}
		}
	}
}

// TestForwardedOverAnotherProtocol makes sure that the challenge goes by the protocol of the call, and not
// by the protocol of a client to which an interceptor has sent the request.
func TestForwardedOverAnotherProtocol(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	for _, test := range []struct {
		caller, mirror wire
		challenged     bool
	}{{wires[0], wires[3], true}, {wires[3], wires[0], false}} {
		mirror := serve(t, handlers{}.mux()).connect(test.mirror, procedure("Field", connect.StreamTypeUnary))
		forward := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
				if typed, ok := request.(*connect.Request[message]); ok {
					_, _ = mirror.CallUnary(ctx, typed)
				}
				return next(ctx, request)
			}
		})
		server := serve(t, handlers{}.mux(connect.WithInterceptors(forward, guard.Interceptor())))
		_, err := server.do(t.Context(), test.caller, "Field", connect.StreamTypeUnary, http.Header{}, acme)
		if got := refused(err); got.reason != interceptor.ReasonTokenMissing || (got.challenge != "") != test.challenged {
			t.Errorf("%s, forwarded over %s: %+v", test.caller.name, test.mirror.name, got)
		}
	}
}

// TestReplacedRequest makes sure that behind a gate no request passes as a client's, even if an interceptor
// has replaced the request or the context.
func TestReplacedRequest(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	mirror := serve(t, handlers{}.mux()).connect(wires[0], procedure("Field", connect.StreamTypeUnary))
	for _, test := range []struct {
		name     string
		lost     bool // the context of the call
		want     interceptor.Reason
		wantGood interceptor.Reason
	}{
		{"a copy", false, interceptor.ReasonOrganizationMismatch, ""},
		{"a copy and another context", true, interceptor.ReasonGuardFailed, interceptor.ReasonGuardFailed},
	} {
		replace := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
				replaced := connect.NewRequest(naming(acme))
				merge(replaced.Header(), request.Header())
				if _, err := mirror.CallUnary(ctx, replaced); err != nil || !replaced.Spec().IsClient {
					t.Errorf("not sent: %v", err)
				}
				if test.lost {
					ctx = t.Context()
				}
				return next(ctx, replaced)
			}
		})
		server := serve(t, handlers{}.mux(connect.WithInterceptors(replace), guard.HandlerOption()))
		for organization, want := range map[string]interceptor.Reason{globex: test.want, acme: test.wantGood} {
			_, err := server.do(t.Context(), wires[0], "Field", connect.StreamTypeUnary, bearer(t, resource(organization, "read:data")), acme)
			if got := reasonOf(err); got != want || (err == nil) != (want == "") {
				t.Errorf("%s, %s: %q, %v", test.name, organization, got, err)
			}
		}
	}
}

// TestReplacedContext makes sure that a stream is judged although an interceptor behind the gate has
// replaced its context.
func TestReplacedContext(t *testing.T) {
	t.Parallel()
	replace := streamInterceptor(func(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
		return func(_ context.Context, conn connect.StreamingHandlerConn) error { return next(t.Context(), conn) }
	})
	guard := interceptor.New(shared(t).verifier, rules(t))
	server := serve(t, handlers{}.mux(connect.WithInterceptors(replace), guard.HandlerOption()))
	for organization, want := range map[string]interceptor.Reason{globex: interceptor.ReasonOrganizationMismatch, acme: ""} {
		_, err := server.do(t.Context(), wires[0], "Field", connect.StreamTypeClient, bearer(t, resource(organization, "read:data")), acme)
		if got := reasonOf(err); got != want || (err == nil) != (want == "") {
			t.Errorf("%s: %q, %v", organization, got, err)
		}
	}
}

// TestClientInHandler makes sure that the interceptor does nothing in a client, also in a client that a
// handler calls with its own context.
func TestClientInHandler(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	path := procedure("Field", connect.StreamTypeUnary)
	other := serve(t, handlers{}.mux())
	client := connect.NewClient[message, answer](other.HTTP1, other.URL+path, connect.WithInterceptors(guard.Interceptor()))
	server := serve(t, handlers{unary: func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
		return client.CallUnary(ctx, connect.NewRequest(request.Msg)) // without the token
	}}.mux(guard.HandlerOption()))
	if _, err := server.do(t.Context(), wires[0], "Field", connect.StreamTypeUnary, bearer(t, resource(acme, "read:data")), acme); err != nil {
		t.Error(err)
	}
}

// TestRewrittenHeader makes sure that the handler reads, in the header, the organization that was judged.
func TestRewrittenHeader(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	for _, written := range []string{acme, globex} {
		rewrite := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
			return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
				request.Header().Set("X-Organization-Id", written)
				return next(ctx, request)
			}
		})
		for name, options := range installed(rewrite, guard) {
			header := bearer(t, resource(acme, "read:data"))
			header.Set("X-Organization-Id", acme)
			got := post(t.Context(), handlers{}.mux(options...), "Header", header)
			if want := map[string]int{acme: http.StatusOK, globex: http.StatusForbidden}[written]; got.Code != want {
				t.Errorf("%s, %s: %d, want %d: %s", name, written, got.Code, want, got.Body)
			}
		}
	}
}
