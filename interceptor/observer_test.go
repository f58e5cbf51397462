package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestEvents holds what an event says. That there is one for each decision is
// TestCatalogue's business.
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
			called = ""
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

// TestPanickingObserver makes sure that what cannot be observed does not happen,
// and that what was refused stays refused for its own reason.
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

// TestErrorBesideClaims makes sure that a verifier's error counts, whatever comes with
// it.
func TestErrorBesideClaims(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{http.StatusOK: nil, http.StatusUnauthorized: token.ErrInvalid} {
		guard := interceptor.New(verifierFunc(func(ctx context.Context, raw string) (*token.Claims, error) {
			claims, _ := shared(t).verifier.Verify(ctx, raw)
			return claims, err
		}), rules(t))
		got := post(t.Context(), handlers{}.mux(guard.HandlerOption()), "Token", bearer(t, resource(acme, "read:data")))
		if got.Code != want {
			t.Errorf("%v: %d, want %d: %s", err, got.Code, want, got.Body)
		}
	}
}

// A revoking verifier accepts nothing, although what it embeds would.
type revoking struct{ *token.Verifier }

func (revoking) Verify(context.Context, string) (*token.Claims, error) { return nil, token.ErrExpired }

func TestEmbeddedVerifier(t *testing.T) {
	t.Parallel()
	header := bearer(t, global("read:a"))
	for name, test := range map[string]struct {
		verifier interceptor.Verifier
		want     error
	}{
		"alone":    {shared(t).verifier, nil},
		"embedded": {revoking{shared(t).verifier}, token.ErrExpired},
	} {
		unary := interceptor.New(test.verifier, rules(t)).Interceptor().WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return nil, nil })
		request := &unaryRequest{spec: connect.Spec{Procedure: procedure("Read", connect.StreamTypeUnary)}, header: header}
		if _, err := unary(t.Context(), request); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestNew makes sure that a guard without a verifier or table is none.
func TestNew(t *testing.T) {
	t.Parallel()
	verifier, table := shared(t).verifier, rules(t)
	for name, make := range map[string]func(){
		"no verifier": func() { interceptor.New(nil, table) },
		"no table":    func() { interceptor.New(verifier, nil) },
		"nothing":     func() { interceptor.New(nil, nil) },
		"nil pointer": func() { interceptor.New((*token.Verifier)(nil), table) },
		"nil option":  func() { interceptor.New(verifier, table, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			make()
		}()
	}
}
