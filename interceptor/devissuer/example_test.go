package devissuer_test

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// A test server on a port of its own: the listener comes first, as the issuer must know its URL.
func ExampleNew() {
	server := httptest.NewUnstartedServer(nil)
	defer server.Close()
	issuer, err := devissuer.New("http://"+server.Listener.Addr().String()+"/oidc", devissuer.Config{
		Resources: map[string][]string{"https://api.example.com": {"read:orders", "write:orders"}},
		Clients: []devissuer.Client{{
			ID:     "shop",
			Secret: "shop-secret",
			Scopes: map[string][]string{"https://api.example.com": {"read:orders"}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	server.Config.Handler = issuer
	server.Start()

	request, err := http.NewRequest(http.MethodPost, issuer.TokenURL(), strings.NewReader(url.Values{
		"grant_type": {"client_credentials"},
		"resource":   {"https://api.example.com"},
		"scope":      {"read:orders write:orders"},
	}.Encode()))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("shop", "shop-secret")
	response, err := server.Client().Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}
	if err := json.NewDecoder(response.Body).Decode(&token); err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.StatusCode, token.TokenType, token.ExpiresIn, token.Scope)
	// Output: 200 Bearer 3600 read:orders
}

// The claims decide what a verifier makes of a minted token.
func ExampleIssuer_Mint() {
	issuer, err := devissuer.New("http://127.0.0.1:8080/oidc", devissuer.Config{})
	if err != nil {
		log.Fatal(err)
	}
	organizationToken, err := issuer.Mint(map[string]any{
		"sub":   "user_1",
		"aud":   "urn:logto:organization:acme",
		"scope": "invite:member",
	})
	if err != nil {
		log.Fatal(err)
	}
	idToken, err := issuer.Mint(map[string]any{"aud": "shop"}, devissuer.WithHeader("typ", "JWT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(organizationToken, "."), strings.Count(idToken, "."))
	// Output: 2 2
}

// A user holds scopes in organizations, and may have any claim.
func ExampleIssuer_Grant() {
	const api = "https://api.example.com"
	issuer, err := devissuer.New("http://127.0.0.1:3001/oidc", devissuer.Config{
		Resources:     map[string][]string{api: {"read:orders", "write:orders"}},
		Organizations: []string{"acme"},
		Users: []devissuer.User{{
			ID:            "alice",
			Claims:        map[string]any{"email": "alice@example.com"},
			Organizations: map[string]devissuer.Membership{"acme": {Scopes: map[string][]string{api: {"read:orders"}}}},
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	token, leftOut, err := issuer.Grant(devissuer.Request{
		Subject:      "alice",
		Organization: "acme",
		Resource:     api,
		Scopes:       []string{"read:orders", "write:orders"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Count(token, "."), leftOut)
	// Output: 2 [write:orders]
}

// A test of a server has an issuer of its own.
func ExampleStart() {
	var t *testing.T // go test supplies one

	issuer := devissuer.Start(t, devissuer.Config{})
	good := issuer.Token(t, map[string]any{"sub": "alice", "aud": "https://api.example.com", "scope": "read:orders"})
	expired := issuer.Token(t, map[string]any{"sub": "alice", "exp": 1})

	_, _ = good, expired
}
