package interceptor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestZeroDenial makes sure that the zero Denial and nil are refusals, too.
func TestZeroDenial(t *testing.T) {
	t.Parallel()
	for name, denial := range map[string]*interceptor.Denial{"zero": {}, "nil": nil} {
		if denial.Reason() != interceptor.ReasonGuardFailed || denial.Error() != failed.text || denial.Code() != connect.CodeInternal ||
			denial.Challenge() != "" || denial.Unwrap() != nil || denial.Scopes() != nil || denial.AnyScopes() != nil {
			t.Errorf("%s: %s, %q, %v", name, denial.Reason(), denial.Error(), denial.Code())
		}
		if info := denial.ErrorInfo(); info.GetReason() != string(failed.reason) || len(info.GetMetadata()) != 0 {
			t.Errorf("%s: %v", name, info)
		}
	}
}

// TestOthersDenial makes sure that a handler's error with the refusal of another call does not pass for a
// refusal of the handler's own call, neither at a client nor at an interceptor.
func TestOthersDenial(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	kept := keptDenial(t, guard)
	refusal := func(service string) error { // of another call, in process
		_, err := guard.Interceptor().WrapUnary(nil)(t.Context(), &unaryRequest{
			spec: connect.Spec{Procedure: procedure(service, connect.StreamTypeUnary)}, header: bearer(t, global("buy")),
		})
		return err
	}
	if err := refusal("Any"); refused(err).challenge == "" || refused(err).reason != kept.Reason() {
		t.Fatal(err)
	}
	own := connect.NewError(connect.CodeAborted, fmt.Errorf("handler: %w", kept))
	own.Meta().Set("Handler", "1")
	detail, err := connect.NewErrorDetail(&errdetails.RetryInfo{})
	if err != nil {
		t.Fatal(err)
	}
	own.AddDetail(detail)
	text := "another call was refused: " + kept.Error()
	for name, test := range map[string]struct {
		err  error
		want refusedOther
	}{
		"kept":                 {kept, refusedOther{code: connect.CodeUnknown, text: text}},
		"zero":                 {new(interceptor.Denial), refusedOther{code: connect.CodeUnknown, text: "another call was refused: " + failed.text}},
		"nil":                  {(*interceptor.Denial)(nil), refusedOther{code: connect.CodeUnknown, text: "another call was refused: " + failed.text}},
		"wrapped":              {fmt.Errorf("read: %w", kept), refusedOther{code: connect.CodeUnknown, text: "another call was refused: read: " + kept.Error()}},
		"joined":               {errors.Join(errors.New("read"), kept), refusedOther{code: connect.CodeUnknown, text: "another call was refused: read\n" + kept.Error()}},
		"received":             {interceptor.DenialFrom(received(t, connect.CodeUnauthenticated, info("TOKEN_EXPIRED", map[string]string{"challenge": `Bearer realm="a"`}))), refusedOther{code: connect.CodeUnknown, text: "another call was refused: the bearer token has expired"}},
		"with a code":          {own, refusedOther{code: connect.CodeAborted, text: "handler: " + kept.Error(), details: 1, meta: "1"}},
		"with a code, wrapped": {fmt.Errorf("wrapped: %w", own), refusedOther{code: connect.CodeAborted, text: "handler: " + kept.Error(), details: 1, meta: "1"}},
		"of a call in process": {refusal("Any"), refusedOther{code: connect.CodePermissionDenied, text: kept.Error()}},
		"of the procedure":     {refusal("Token"), refusedOther{code: connect.CodePermissionDenied, text: "the token is of another permission model"}},
	} {
		failing := handlers{
			unary: func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
				return nil, test.err
			},
			server: func(context.Context, *connect.Request[message], *connect.ServerStream[answer]) error { return test.err },
			client: func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
				stream.Receive()
				return nil, test.err
			},
			bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
				_, _ = stream.Receive()
				return test.err
			},
		}
		for install, option := range map[string]connect.HandlerOption{
			"option": guard.HandlerOption(), "interceptor": connect.WithInterceptors(guard.Interceptor()),
		} {
			outer := &witness{t: t}
			server := serve(t, failing.mux(connect.WithInterceptors(outer), option))
			for _, wire := range http2() {
				for kind := range kinds {
					for _, service := range []string{"Public", "Token", "Field"} {
						_, err := server.do(t.Context(), wire, service, kind, bearer(t, resource(acme, "read:data")), acme)
						if got := otherOf(err); got != test.want {
							t.Errorf("%s, %s, %s, %s, %s: %+v, want %+v", name, install, wire.name, kinds[kind], service, got, test.want)
						}
					}
				}
			}
		}
	}
}

// TestOthersDenialInProcess makes sure of the same for a call that a handler makes in process, with its own
// context. A second guard's refusal of the very same call stays a refusal.
func TestOthersDenialInProcess(t *testing.T) {
	t.Parallel()
	lenient := interceptor.New(unverified(`{"sub":"s","aud":"`+api+`","scope":"read:data","organization_id":"acme","exp":4102444800}`), rules(t))
	strict := interceptor.New(shared(t).verifier, rules(t))
	refuse := func(ctx context.Context, service string, header http.Header) error {
		_, err := strict.Interceptor().WrapUnary(nil)(ctx, &unaryRequest{spec: connect.Spec{Procedure: procedure(service, connect.StreamTypeUnary)}, header: header})
		return err
	}
	var kept error
	for _, test := range []struct {
		name    string
		refused func(context.Context, http.Header) error
		same    bool // call
	}{
		{"another procedure", func(ctx context.Context, header http.Header) error { return refuse(ctx, "Any", header) }, false},
		{"another header", func(ctx context.Context, header http.Header) error { return refuse(ctx, "Token", header.Clone()) }, false},
		{"a context without a call", func(_ context.Context, header http.Header) error { return refuse(t.Context(), "Token", header) }, false},
		{"claims alone", func(ctx context.Context, header http.Header) error {
			return refuse(interceptor.ContextWithClaims(ctx, nil), "Token", header)
		}, false},
		{"the same call", func(ctx context.Context, header http.Header) error {
			kept = refuse(ctx, "Token", header)
			return kept
		}, true},
		{"the same call, kept for another", func(context.Context, http.Header) error { return kept }, false},
	} {
		mux := handlers{unary: func(ctx context.Context, request *connect.Request[message]) (*connect.Response[answer], error) {
			return nil, test.refused(ctx, request.Header())
		}}.mux(lenient.HandlerOption())
		recorder := post(t.Context(), mux, "Token", http.Header{"Authorization": {"Bearer a.b.c"}})
		challenge := recorder.Header().Get("Www-Authenticate") != ""
		if recorder.Code != http.StatusUnauthorized || strings.Contains(recorder.Body.String(), "ErrorInfo") != test.same || challenge != test.same {
			t.Errorf("%s: %d, %s, challenge %t", test.name, recorder.Code, recorder.Body, challenge)
		}
	}
}

// keptDenial is a denial that an observer has kept, with scopes and a challenge.
func keptDenial(t *testing.T, guard *interceptor.Guard) *interceptor.Denial {
	t.Helper()
	_, denial := guard.Admit(t.Context(), procedure("Any", connect.StreamTypeUnary), bearer(t, global("buy")))
	if denial.Reason() != interceptor.ReasonScopeInsufficient {
		t.Fatal(denial)
	}
	return denial
}

// A refusedOther is the part of another call's refusal that a client may learn.
type refusedOther struct {
	code      connect.Code
	text      string
	details   int // other than an ErrorInfo
	meta      string
	errorInfo bool
	challenge bool
}

func otherOf(err error) refusedOther {
	r := refused(err)
	other := refusedOther{code: r.code, text: r.text, details: r.more, errorInfo: r.domain != "" || r.reason != "", challenge: r.challenge != ""}
	if coded, ok := errors.AsType[*connect.Error](err); ok {
		other.meta = coded.Meta().Get("Handler")
	}
	return other
}

// A witness is an interceptor that stands before the guard.
type witness struct{ t *testing.T }

func (w *witness) see(err error) error {
	if denial, ok := errors.AsType[*interceptor.Denial](err); ok || err == nil {
		w.t.Errorf("an interceptor before the guard finds %v in %v", denial, err)
	}
	return err
}

// WrapUnary implements [connect.Interceptor].
func (w *witness) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, request)
		return response, w.see(err)
	}
}

// WrapStreamingClient implements [connect.Interceptor].
func (*witness) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements [connect.Interceptor].
func (w *witness) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error { return w.see(next(ctx, conn)) }
}

// TestNothingIsShared makes sure that a user who overwrites a result of a guard or of its table, or an
// event of its observer, changes no rule, no claims and no answer to a call.
func TestNothingIsShared(t *testing.T) {
	t.Parallel()
	table := rules(t)
	spoilRules(table)
	spoil := func(_ context.Context, event interceptor.Event) {
		spoilRules(table)
		clear(event.Claims.Scopes())
		clear(event.Claims.Audience())
		if event.Claims != nil {
			*event.Claims = token.Claims{}
		}
		if denial := event.Denial; denial != nil {
			overwrite(denial.Scopes(), "buy")
			overwrite(denial.AnyScopes(), "buy")
			denial.ErrorInfo().Metadata = map[string]string{"required_scopes": "buy"}
			*denial = interceptor.Denial{}
		}
	}
	guard := interceptor.New(shared(t).verifier, table, interceptor.WithObserver(spoil))
	spoilRules(table)
	mux := handlers{}.mux(guard.HandlerOption())
	honest := handlers{}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption())
	for range 2 { // the second round would see what the first has spoiled
		for _, service := range append(slices.Collect(maps.Keys(catalogue.Services)), unruled, opened) {
			for _, header := range []http.Header{
				{}, {"Authorization": {"Bearer a"}}, bearer(t, global("buy")), bearer(t, global("read:a buy")), bearer(t, resource(acme, "read:data")),
			} {
				// The order of the metadata's bytes differs from call to call.
				readable := func(r *httptest.ResponseRecorder) string {
					_, debug, _ := strings.Cut(r.Body.String(), `"debug":`)
					return fmt.Sprint(r.Code, r.Header().Get("Www-Authenticate"), debug)
				}
				got, want := post(t.Context(), mux, service, header.Clone()), post(t.Context(), honest, service, header.Clone())
				if readable(got) != readable(want) {
					t.Errorf("%s: %d %s, want %d %s", service, got.Code, got.Body, want.Code, want.Body)
				}
			}
		}
	}
	unary := guard.Interceptor().WrapUnary(nil)
	for _, header := range []http.Header{{}, bearer(t, global("buy"))} {
		var before refusal
		for round := range 2 {
			_, err := unary(t.Context(), &unaryRequest{spec: connect.Spec{Procedure: procedure("Any", connect.StreamTypeUnary)}, header: header})
			coded, ok := errors.AsType[*connect.Error](err)
			if !ok || len(coded.Details()) != 1 {
				t.Fatal(err)
			}
			if got := refused(err); round == 0 {
				before = got
			} else if got != before {
				t.Errorf("the second refusal is %+v, want %+v", got, before)
			}
			detail := coded.Details()[0]
			clear(detail.Bytes())
			if info, err := detail.Value(); err == nil {
				info.(*errdetails.ErrorInfo).Reason = "SPOILT" //nolint:errcheck,forcetypeassert // so says refused
			}
			coded.Meta().Set("Www-Authenticate", "spoilt")
			*detail = connect.ErrorDetail{}
			if denial, ok := errors.AsType[*interceptor.Denial](err); ok {
				*denial = interceptor.Denial{}
			}
		}
	}
}

// TestOwnClaims makes sure that a handler which overwrites the claims of its caller changes no other claims.
func TestOwnClaims(t *testing.T) {
	t.Parallel()
	var seen []string
	mux := handlers{unary: func(ctx context.Context, _ *connect.Request[message]) (*connect.Response[answer], error) {
		claims := interceptor.ClaimsFromContext(ctx)
		seen = append(seen, claims.Subject())
		*claims = token.Claims{}
		seen = append(seen, interceptor.ClaimsFromContext(ctx).Subject())
		return connect.NewResponse(new(answer)), nil
	}}.mux(interceptor.New(shared(t).verifier, rules(t)).HandlerOption())
	header := bearer(t, global("read:a write:b"))
	for range 2 {
		if got := post(t.Context(), mux, "Global", header.Clone()); got.Code != http.StatusOK {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	}
	if len(seen) != 4 || seen[0] == "" || len(slices.Compact(seen)) != 1 {
		t.Errorf("the handler saw %q", seen)
	}
}

func overwrite(list []string, value string) {
	for n := range list {
		list[n] = value
	}
}

// spoilRules makes every rule that a table returns public.
func spoilRules(table *policy.Table) {
	for _, rule := range table.Rules() {
		found, _ := table.Lookup(rule.Procedure)
		for _, rule := range []*policy.Rule{rule, found} {
			overwrite(rule.Scopes, "buy")
			overwrite(rule.AnyScopes, "buy")
			if organization := rule.Organization; organization != nil {
				clear(organization.Path())
				*organization = policy.Organization{Location: policy.LocationToken}
			}
			*rule = policy.Rule{Procedure: rule.Procedure, Public: true}
		}
	}
}

// TestHandlersDenial makes sure that a handler cannot change the refusal of its own call.
func TestHandlersDenial(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	server := serve(t, handlers{bidi: func(_ context.Context, stream *connect.BidiStream[message, answer]) error {
		for range 2 {
			_, err := stream.Receive()
			denial, ok := errors.AsType[*interceptor.Denial](err)
			if !ok || denial.Reason() != organization.reason {
				t.Errorf("the handler gets %v", err)
				return err
			}
			*denial = interceptor.Denial{}
		}
		return nil
	}}.mux(guard.HandlerOption()))
	for _, wire := range http2() {
		_, err := server.do(t.Context(), wire, "Field", connect.StreamTypeBidi, bearer(t, resource(acme, "read:data")), globex)
		if got := refused(err); got != organization {
			t.Errorf("%s: %+v", wire.name, got)
		}
	}
}
