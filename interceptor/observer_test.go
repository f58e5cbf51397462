package interceptor_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestEvents makes sure of the fields of an event. TestCatalogue makes sure that each decision has one
// event.
func TestEvents(t *testing.T) {
	t.Parallel()
	var got []interceptor.Event
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		got = append(got, event)
	}))
	mux := handlers{}.mux(guard.HandlerOption())
	for _, test := range []struct {
		service string
		claims  claims
		subject string // "" without claims
		reason  interceptor.Reason
		cause   error
		scopes  []string
	}{
		{service: "Public", claims: global("")},
		{service: opened},
		{service: unruled, claims: global(""), reason: ruleless.reason},
		{service: "Any", reason: missing.reason, cause: token.ErrMissing},
		{service: "Any", claims: with(global("buy"), "exp", 1), reason: expired.reason, cause: token.ErrExpired},
		{service: "Any", claims: global("buy read:a"), subject: "devissuer"},
		{service: "Any", claims: with(global("buy"), "sub", "alice"), subject: "alice", reason: "SCOPE_INSUFFICIENT", scopes: []string{"read:a", "sell", "buy"}},
		{service: "User", claims: global(""), subject: "devissuer", reason: callerKind.reason},
		{service: "Header", claims: resource(acme, "read:data"), subject: "devissuer", reason: organization.reason},
		{service: "Field", claims: resource(acme, "read:data"), subject: "devissuer", reason: organization.reason},
	} {
		got = nil
		header := bearer(t, test.claims)
		if test.claims == nil {
			header.Del("Authorization")
		}
		post(t.Context(), mux, test.service, header)
		if len(got) != 1 {
			t.Errorf("%s: %d events", test.service, len(got))
			continue
		}
		event := got[0]
		called := procedure(test.service, connect.StreamTypeUnary)
		switch test.service {
		case opened:
			called = "/test.v1.Opened/*"
		case unruled:
			called = interceptor.UnknownProcedure
		}
		if event.Peer != "192.0.2.1:1234" || event.Protocol != connect.ProtocolConnect {
			t.Errorf("%s: from %s by %s", test.service, event.Peer, event.Protocol)
		}
		if event.Procedure != called || event.Claims.Subject() != test.subject ||
			(event.Claims == nil) != (test.subject == "") {
			t.Errorf("%s: %q, %v", test.service, event.Procedure, event.Claims)
		}
		if test.reason == "" {
			if event.Denial != nil {
				t.Errorf("%s: %v", test.service, event.Denial)
			}
			continue
		}
		denial := event.Denial
		if denial == nil || denial.Reason() != test.reason || denial.Unwrap() == nil || test.cause != nil && !errors.Is(denial, test.cause) {
			t.Errorf("%s: %+v, want %s", test.service, denial, test.reason)
		} else if got := slices.Concat(denial.Scopes(), denial.AnyScopes()); !slices.Equal(got, test.scopes) {
			t.Errorf("%s: scopes %q, want %q", test.service, got, test.scopes)
		}
	}
}

// TestEventOrganization makes sure that the event of a refusal has the organization that the request names, and that the
// event of a call that is let in has the organization of the token.
func TestEventOrganization(t *testing.T) {
	t.Parallel()
	var got []string
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		got = append(got, event.Organization)
	}))
	mux := handlers{}.mux(guard.HandlerOption())
	for _, test := range []struct{ service, header, body, want string }{
		{"Field", "", `{"organizationId": "globex"}`, globex},
		{"Field", "", `{"organizationId": "acme"}`, acme},
		{"Field", globex, `{"organizationId": ""}`, ""},
		{"Field", "", `{"organizationId": "glo\nbex"}`, `glo\nbex`},
		{"Header", globex, `{"organizationId": "acme"}`, globex},
		{"Header", "", `{"organizationId": "globex"}`, ""},
		{"Token", globex, `{"organizationId": "globex"}`, acme},
	} {
		got = nil
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, procedure(test.service, connect.StreamTypeUnary), strings.NewReader(test.body))
		request.Header = bearer(t, resource(acme, "read:data"))
		request.Header.Set("Content-Type", "application/json")
		if test.header != "" {
			request.Header.Set("X-Organization-Id", test.header)
		}
		mux.ServeHTTP(httptest.NewRecorder(), request)
		if !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s, %q, %s: got %q, want %q", test.service, test.header, test.body, got, test.want)
		}
	}
}

// TestPanickingObserver makes sure that a call is refused if its observer panics, and that a refused call
// stays refused for its own reason.
func TestPanickingObserver(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(func(context.Context, interceptor.Event) {
		panic("an observer's panic")
	}))
	for _, option := range []connect.HandlerOption{guard.HandlerOption(), connect.WithInterceptors(guard.Interceptor())} {
		server := serve(t, handlers{}.mux(option))
		for _, wire := range http2() {
			for kind := range kinds {
				for _, test := range []struct {
					service      string
					claims       claims
					organization string
					want         refusal
				}{
					{"Global", global("read:a write:b"), acme, failed},
					{"Public", global(""), acme, failed},
					{"Field", resource(acme, "read:data"), acme, failed},
					{"Field", resource(acme, "read:data"), globex, organization},
					{"Field", global("read:data"), acme, model},
					{unruled, global("read:data"), acme, ruleless},
				} {
					header := bearer(t, test.claims)
					call := server.Record(header)
					_, err := server.do(t.Context(), wire, test.service, kind, header, test.organization)
					got := refused(err)
					got.challenge = ""
					if got != test.want {
						t.Errorf("%s, %s, %s: %+v, want %+v", test.service, kinds[kind], wire.name, got, test.want)
					}
					if _, seen := call.Seen(); len(seen) > 0 {
						t.Errorf("%s, %s, %s: the handler saw %q", test.service, kinds[kind], wire.name, seen)
					}
				}
			}
		}
	}
}

// TestVerificationTime makes sure that the first event of a call, and no other, tells how long the verifier took.
func TestVerificationTime(t *testing.T) {
	t.Parallel()
	for service, want := range map[string][]time.Duration{
		"Public": {0}, unruled: {0}, "Read": {time.Second}, "Header": {time.Second}, "Token": {time.Second, 0},
	} {
		bubble(t, service, func(t *testing.T) {
			seen := new(events)
			verify := func(context.Context, string) (*token.Claims, error) {
				time.Sleep(time.Second) // the bubble's clock
				return token.NewClaims(token.ClaimValues{
					Issuer: "keys", Subject: "a", Audience: []string{api}, Scopes: []string{"read:data"}, OrganizationID: acme,
					Expiry: time.Now().Add(time.Minute), // the bubble's clock
				})
			}
			guard := interceptor.New(verifierFunc(verify), rules(t), interceptor.WithObserver(seen.observe))
			call, _ := guard.Admit(t.Context(), procedure(service, connect.StreamTypeUnary), bearerOf("Bearer any"))
			if call != nil {
				time.Sleep(time.Hour) // the bubble's clock
				_ = call.Judge(naming(acme))
			}
			var got []time.Duration
			for _, event := range seen.all {
				got = append(got, event.Verification)
			}
			if !slices.Equal(got, want) {
				t.Errorf("the times are %v, want %v", got, want)
			}
		})
	}
	bubble(t, "public, beside a second table", func(t *testing.T) {
		seen := new(events)
		alice := verifying(t, ofAlice)
		guard := interceptor.New(verifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
			time.Sleep(time.Millisecond) // the bubble's clock
			return alice(ctx, raw)
		}), harness.PublicRules(t), interceptor.WithShadow(rules(t)), interceptor.WithObserver(seen.observe))
		if _, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("Bearer any")); denial != nil {
			t.Error(denial)
		}
		if len(seen.all) != 2 || seen.all[0].Verification.Round(time.Microsecond) != time.Millisecond || !seen.all[1].Public || seen.all[1].Verification != 0 {
			t.Errorf("%q: %+v", seen.outcomes(), seen.all)
		}
	})
}

// TestPanickingObserverIsTold makes sure that the other observers and the log learn that a call is refused since an
// observer has panicked.
func TestPanickingObserverIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scopes []string
		want   []string
		log    string
	}{
		"let in":  {[]string{"read:a"}, []string{" allowed", " refused GUARD_FAILED"}, "level=ERROR msg=\"protoauthz: refused\" procedure=/test.v1.Read/Unary reason=GUARD_FAILED "},
		"refused": {nil, []string{" refused SCOPE_INSUFFICIENT"}, "level=WARN msg=\"protoauthz: refused\" procedure=/test.v1.Read/Unary reason=SCOPE_INSUFFICIENT "},
	} {
		before, after, text := new(events), new(events), new(bytes.Buffer)
		guard := interceptor.New(verifying(t, func(v *token.ClaimValues) { v.Scopes = test.scopes }), rules(t),
			interceptor.WithObserver(before.observe), interceptor.WithObserver(func(context.Context, interceptor.Event) { panic("observer") }),
			interceptor.WithObserver(after.observe), interceptor.WithLogger(untimed(text)))
		_, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("Bearer any"))
		if denial == nil {
			t.Errorf("%s: the call is let in", name)
		}
		for place, seen := range map[string]*events{"before": before, "after": after} {
			if got := seen.outcomes(); !slices.Equal(got, test.want) {
				t.Errorf("%s: the observer %s has heard %q, want %q", name, place, got, test.want)
			}
		}
		if !strings.HasPrefix(text.String(), test.log) || strings.Count(text.String(), "\n") != 1 {
			t.Errorf("%s: logged %s, want %s", name, text, test.log)
		}
	}
}

// TestSeveralPanickingObservers makes sure that the first observer that panics, which has refused the call, hears of the
// call once, and that the others hear of the refusal.
func TestSeveralPanickingObservers(t *testing.T) {
	t.Parallel()
	var first, second []interceptor.Outcome
	guard := interceptor.New(verifying(t, ofAlice), rules(t),
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			first = append(first, event.Outcome())
			panic("first")
		}),
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			second = append(second, event.Outcome())
			panic("second")
		}))
	_, denial := guard.Admit(t.Context(), procedure("Read", connect.StreamTypeUnary), bearerOf("Bearer any"))
	if denial == nil || denial.Reason() != failed.reason {
		t.Errorf("%v, want %s", denial, failed.reason)
	}
	if !slices.Equal(first, []interceptor.Outcome{interceptor.OutcomeAllowed}) || !slices.Equal(second, []interceptor.Outcome{interceptor.OutcomeAllowed, interceptor.OutcomeRefused}) {
		t.Errorf("the first observer has heard %q, and the second %q", first, second)
	}
}

// A clientRequest looks like a request of a client.
type clientRequest struct{ connect.AnyRequest }

func (c clientRequest) Spec() connect.Spec {
	spec := c.AnyRequest.Spec()
	spec.IsClient = true
	return spec
}

// TestLostContextIsObserved makes sure that a refusal is observed and logged if an interceptor before the guard has lost
// the context of the call.
func TestLostContextIsObserved(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"Read", "Public"} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			testLostContext(t, service)
		})
	}
}

func testLostContext(t *testing.T, service string) {
	t.Helper()
	seen, text := new(events), new(bytes.Buffer)
	guard := interceptor.New(verifying(t, ofAlice), rules(t), interceptor.WithObserver(seen.observe), interceptor.WithLogger(untimed(text)))
	losing := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(_ context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			return next(t.Context(), clientRequest{request})
		}
	})
	path := procedure(service, connect.StreamTypeUnary)
	handler := connect.NewUnaryHandler(path, func(context.Context, *connect.Request[message]) (*connect.Response[message], error) {
		t.Error("the handler is called")
		return connect.NewResponse(new(message)), nil
	}, connect.WithInterceptors(losing), guard.HandlerOption())
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("{}"))
	request.Header = bearerOf("Bearer any")
	request.Header.Set("Content-Type", "application/json")
	handler.ServeHTTP(recorder, request)
	if got := seen.outcomes(); recorder.Code != http.StatusInternalServerError || !slices.Equal(got, []string{" allowed", " refused GUARD_FAILED"}) {
		t.Errorf("%d %s: events %q", recorder.Code, recorder.Body, got)
	} else if seen.all[1].Public {
		t.Error("the refusal is public")
	}
	if line := text.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, " reason=GUARD_FAILED ") {
		t.Errorf("logged %s", line)
	}
}

// A panickingPeer is a header of an adapter whose Peer panics.
type panickingPeer struct{ http.Header }

func (panickingPeer) Peer() connect.Peer { panic("peer") }

// TestPanickingPeer makes sure that an adapter's Peer that panics changes no decision, and is logged.
func TestPanickingPeer(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	text := harness.Logged(t)
	for name, test := range map[string]struct {
		table   *policy.Table
		service string
		scopes  []string
		want    []string
	}{
		"let in":            {rules(t), "Read", []string{"read:a"}, []string{" allowed"}},
		"refused":           {rules(t), "Read", nil, []string{" refused SCOPE_INSUFFICIENT"}},
		"let in in shadow":  {harness.ShadowRules(t), "Read", []string{"read:a"}, []string{"service allowed"}},
		"refused in shadow": {harness.ShadowRules(t), "Read", nil, []string{"service refused SCOPE_INSUFFICIENT"}},
		"public":            {harness.PublicRules(t), "Read", nil, []string{" allowed"}},
		"without a rule":    {rules(t), unruled, nil, []string{" refused " + string(ruleless.reason)}},
	} {
		seen := new(events)
		guard := interceptor.New(verifying(t, func(v *token.ClaimValues) { v.Scopes = test.scopes }), test.table, interceptor.WithObserver(seen.observe))
		value := recovered(func() {
			_, denial := guard.Admit(t.Context(), procedure(test.service, connect.StreamTypeUnary), panickingPeer{bearerOf("Bearer any")})
			if refused := strings.HasPrefix(test.want[0], " refused"); refused != (denial != nil) {
				t.Errorf("%s: %v", name, denial)
			}
		})
		if got := seen.outcomes(); value != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: recovered %v, the events are %q, want %q", name, value, got, test.want)
		}
		called := procedure(test.service, connect.StreamTypeUnary)
		if test.service == unruled {
			called = `""` // no text of a client
		}
		if logged := text.String(); strings.Count(logged, `msg="protoauthz: Header.Peer panicked" procedure=`+called+` panic=string`) != 1 {
			t.Errorf("%s: logged %s", name, logged)
		}
		text.Reset()
	}
}
