package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestErrorBesideClaims makes sure that the error of a verifier counts, also beside claims.
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

// A revoking verifier accepts no token, although the verifier that it embeds would.
type revoking struct{ *token.Verifier }

func (revoking) Verify(context.Context, string) (*token.Claims, error) { return nil, token.ErrExpired }

// TestEmbeddedVerifier makes sure that a guard calls the Verify of a type that embeds [token.Verifier].
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

// TestNew makes sure that New panics, and names the mistake, without a verifier or a table, or with a nil
// option, and that options panic for nil.
func TestNew(t *testing.T) {
	t.Parallel()
	verifier, table := shared(t).verifier, rules(t)
	const (
		incomplete = "interceptor: New needs a verifier and a table: check the errors of NewVerifier and Compile"
		nilOption  = "interceptor: an option of New is nil"
		noFunction = "interceptor: WithObserver needs a function: without one, leave the option out"
		noLogger   = "interceptor: WithLogger needs a logger: for slog.Default use WithDefaultLog"
		noTable    = "interceptor: WithShadow needs a table: check the error of Compile"
	)
	for name, test := range map[string]struct {
		make func()
		want string
	}{
		"no verifier":      {func() { interceptor.New(nil, table) }, incomplete},
		"no table":         {func() { interceptor.New(verifier, nil) }, incomplete},
		"nothing":          {func() { interceptor.New(nil, nil) }, incomplete},
		"nil pointer":      {func() { interceptor.New((*token.Verifier)(nil), table) }, incomplete},
		"nil introspector": {func() { interceptor.New((*token.Introspector)(nil), table) }, incomplete},
		"nil option":       {func() { interceptor.New(verifier, table, nil) }, nilOption},
		"nil observer":     {func() { interceptor.WithObserver(nil) }, noFunction},
		"nil logger":       {func() { interceptor.WithLogger(nil) }, noLogger},
		"nil second table": {func() { interceptor.WithShadow(nil) }, noTable},
	} {
		if got := recovered(test.make); got != test.want {
			t.Errorf("%s: panics with %v", name, got)
		}
	}
}
