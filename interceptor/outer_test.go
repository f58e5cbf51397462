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

// TestForwardedRequest makes sure that a request which an interceptor has sent on to
// another server, and which bears a client's spec since then, is still judged.
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

// TestForwardedOverAnotherProtocol makes sure that the challenge goes by the protocol of
// the call and not by that of the client which an interceptor used.
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

// TestReplacedRequest makes sure that behind a gate no request passes as a client's,
// whatever an interceptor has made of it and of the context.
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

// TestRewrittenHeader makes sure that the organization which the handler reads in a
// header is the one that was judged.
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

// TestHeaderOfRefusal makes sure that a handler's header and trailer do not go out
// with a refusal.
func TestHeaderOfRefusal(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]interceptor.Option{"expiry": nil, "no expiry": {interceptor.WithoutStreamExpiry()}} {
		for _, organization := range []string{acme, globex} {
			conn := newConn("Field", connect.StreamTypeBidi)
			go func() { conn.in <- naming(organization) }()
			err := conn.serve(t.Context(), expiring(t, 1<<40, options...), func(_ context.Context, conn connect.StreamingHandlerConn) error {
				conn.ResponseHeader().Set("Secret", "1")
				conn.ResponseTrailer().Set("Secret", "1")
				_, err := receive(conn)
				return err
			})
			want := map[string]string{acme: "1", globex: ""}[organization]
			if got := conn.headers.Get("Secret") + conn.trailer.Get("Secret"); got != want+want || (err == nil) != (want == "1") {
				t.Errorf("%s, %s: header and trailer hold %q, %v", name, organization, got, err)
			}
		}
	}
}

// TestHeaderOfOthers makes sure that a handler's changes to header and trailer arrive,
// and those that others make on the connection meanwhile, too; and that nothing of the
// handler's does if its organization was never proved.
func TestHeaderOfOthers(t *testing.T) {
	t.Parallel()
	own := connect.NewError(connect.CodeDataLoss, errors.New("the handler's own"))
	for _, proved := range []bool{true, false} {
		conn := newConn("Field", connect.StreamTypeBidi)
		conn.header.Set("Removed", "before")
		if proved {
			go func() { conn.in <- naming(acme) }()
		}
		err := conn.serve(t.Context(), expiring(t, 1<<40), func(_ context.Context, guarded connect.StreamingHandlerConn) error {
			guarded.ResponseHeader().Del("Removed")
			guarded.ResponseHeader().Set("Handler", "h")
			guarded.ResponseTrailer().Set("Handler", "t")
			if proved {
				_, _ = receive(guarded)
			}
			conn.header.Set("Other", "1")
			conn.trailer.Set("Other", "2")
			return own
		})
		got := conn.headers.Get("Removed") + conn.headers.Get("Handler") + conn.trailer.Get("Handler") + conn.headers.Get("Other") + conn.trailer.Get("Other")
		if want := map[bool]string{true: "ht12", false: "before12"}[proved]; got != want || !errors.Is(err, own) {
			t.Errorf("proved %v: %q, want %q, %v", proved, got, want, err)
		}
	}
}

// TestExpiredStart makes sure that a handler does not start with claims that have expired,
// whoever verified them.
func TestExpiredStart(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]interceptor.Option{"expiry": nil, "no expiry": {interceptor.WithoutStreamExpiry()}} {
		ran := false
		err := newConn("Token", connect.StreamTypeServer).serve(t.Context(), expiring(t, -1<<40, options...),
			func(context.Context, connect.StreamingHandlerConn) error {
				ran = true
				return nil
			})
		if got := reasonOf(err); got != interceptor.ReasonTokenExpired || ran {
			t.Errorf("%s: %q, ran %v, %v", name, got, ran, err)
		}
	}
}

// TestReusedMessage makes sure that the end of a stream takes nothing from a message
// that was received before.
func TestReusedMessage(t *testing.T) {
	t.Parallel()
	conn := newConn("Field", connect.StreamTypeBidi)
	go func() {
		conn.in <- naming(acme)
		close(conn.in)
	}()
	err := conn.serve(t.Context(), expiring(t, 1<<40), func(_ context.Context, guarded connect.StreamingHandlerConn) error {
		reused := new(message)
		for guarded.Receive(reused) == nil {
			continue
		}
		if reused.GetOrganizationId() != acme {
			t.Errorf("the handler has %q", reused)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A breakingConn decodes a part of each message and then fails.
type breakingConn struct{ *conn }

func (c breakingConn) Receive(into any) error {
	return errors.Join(c.conn.Receive(into), errors.New("unexpected end"))
}

// TestPartOfMessage makes sure that what was decoded of a message before an error
// is not left where a handler that does not look at errors finds it.
func TestPartOfMessage(t *testing.T) {
	t.Parallel()
	conn := newConn("Field", connect.StreamTypeBidi)
	go func() { conn.in <- naming(globex) }()
	_ = expiring(t, 1<<40).Interceptor().WrapStreamingHandler(func(_ context.Context, conn connect.StreamingHandlerConn) error {
		if organization, err := receive(conn); organization != "" || err == nil {
			t.Errorf("the handler reads %q, %v", organization, err)
		}
		return nil
	})(t.Context(), breakingConn{conn})
}
