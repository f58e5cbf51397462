package token_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestIntrospectorOfDevIssuer accepts opaque tokens of a granted request as a server does, of any key.
func TestIntrospectorOfDevIssuer(t *testing.T) {
	t.Parallel()
	const endpoint, api = "http://127.0.0.1:3001", "https://api.example.com"
	for _, algorithm := range []string{"ES384", "ES256", "RS256"} {
		scopes := map[string][]string{api: {"read:data"}}
		issuer, err := devissuer.New(endpoint+"/oidc", devissuer.Config{
			SigningAlgorithm: algorithm, Opaque: true, Resources: scopes, Organizations: []string{"acme"},
			Clients: []devissuer.Client{{ID: "reader", Secret: "reader-secret"}},
			Users:   []devissuer.User{{ID: "alice", Organizations: map[string]devissuer.Membership{"acme": {Scopes: scopes}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		inMemory := tokens.Handler(func(request *http.Request) (*http.Response, error) {
			recorder := httptest.NewRecorder()
			issuer.ServeHTTP(recorder, request)
			return recorder.Result(), nil
		})
		trusted := token.Logto(endpoint)
		trusted.IntrospectionURL = issuer.URL() + "/introspect"
		how := token.Introspection{Client: token.ClientSecretBasic("reader", "reader-secret")}
		verifier, err := token.NewIntrospector(trusted, how, token.WithTransport(inMemory))
		if err != nil {
			t.Fatal(err)
		}
		raw, leftOut, err := issuer.Grant(devissuer.Request{Subject: "alice", Organization: "acme", Resource: api, Scopes: scopes[api]})
		if err != nil || leftOut != nil {
			t.Fatal(leftOut, err)
		}
		claims, err := verifier.Verify(t.Context(), raw)
		if err != nil {
			t.Fatal(algorithm, err)
		}
		if claims.Subject() != "alice" || claims.Caller() != token.CallerUser || claims.OrganizationID() != "acme" || !claims.HasScope("read:data") {
			t.Errorf("%s: %v", algorithm, claims)
		}
		expired := issuer.Token(t, map[string]any{"exp": time.Now().Add(-time.Hour).Unix(), "aud": api}, devissuer.WithOpaque())
		for _, bad := range []string{"A" + raw, expired} {
			if _, err := verifier.Verify(t.Context(), bad); err == nil {
				t.Errorf("%s: the token %q is accepted", algorithm, bad)
			}
		}
	}
}
