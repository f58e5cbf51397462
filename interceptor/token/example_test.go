package token_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A service accepts the tokens of two issuers.
func ExampleNewVerifier() {
	verifier, err := token.NewVerifier(
		token.Logto("https://tenant.logto.app"),
		token.WithIssuer(token.Auth0("tenant.eu.auth0.com")),
		token.WithLeeway(10*time.Second),
		token.WithCache(100_000),
	)
	if err != nil {
		log.Fatal(err) // every fault at once
	}

	_, err = verifier.Authenticate(context.Background(), []string{"Basic c2hvcDpzZWNyZXQ="})
	fmt.Println(err)

	// Output:
	// unsupported authorization scheme: the Authorization header must have the word Bearer, a space, and an access token
}

// An error of NewVerifier names every fault, so that one look at it is enough.
func ExampleNewVerifier_faults() {
	_, err := token.NewVerifier(
		token.Logto("https://tenant.logto.app"),
		token.WithIssuer(token.Issuer{URL: "http://idp.example.com", Algorithms: []string{"RS256"}}),
		token.WithLeeway(time.Hour),
	)
	fmt.Println(err)

	// Output:
	// token: WithLeeway: 1h0m0s is not between 0 and 5m0s
	// token: issuer "http://idp.example.com": URL: it is plain http and not on a loopback address: use https, or list "idp.example.com" in Issuer.InsecureHTTPHosts if nobody else can answer for that host
}

// An issuer without a preset is a literal, here Ory Hydra. The guide in this package's folder has more.
func ExampleIssuer() {
	hydra := token.Issuer{
		URL:            "https://auth.example.com/",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"client_id": {token.AnyValue}}, // ID tokens have none
		ScopeClaims:    []string{"scp", "scope"},
		ClientTokens:   map[string][]string{"sub": {"{client}"}},
	}
	_, err := token.NewVerifier(hydra)
	fmt.Println(err)

	// Output:
	// <nil>
}

// A server accepts the JWTs of an issuer, and asks the issuer about opaque tokens.
func ExampleNewIntrospector() {
	issuer := token.Zitadel("https://acme.zitadel.cloud", "229")
	introspector, introspectorErr := token.NewIntrospector(issuer, token.Introspection{
		Client: token.ClientSecretBasic("orders-api", os.Getenv("ZITADEL_SECRET")),
		JWE:    true, // Zitadel encrypts its opaque tokens
	})
	verifier, verifierErr := token.NewVerifier(issuer, token.WithIntrospector(introspector))
	if err := errors.Join(introspectorErr, verifierErr); err != nil {
		fmt.Println(err)
		return
	}
	_ = verifier // for interceptor.New

	// Output:
	// token: ClientSecretBasic: the secret is empty: if a variable or a file should supply it, set the variable or fill the file
	// token: WithIntrospector: the introspector is not from NewIntrospector: check its error
}

// A server that takes its issuer from its configuration reads a document.
func ExampleParseIssuer() {
	issuer, err := token.ParseIssuer([]byte(`{
		"url": "https://auth.example.com/",
		"algorithms": ["RS256"],
		"types": ["JWT"],
		"requiredClaims": {"client_id": ["*"]},
		"scopeClaims": ["scp", "scope"]
	}`))
	fmt.Println(issuer.URL, err)

	keycloak, err := token.ParseIssuer([]byte(`{
		"preset": ["keycloak", "https://sso.example.com/realms/acme"],
		"scopeClaims": ["/realm_access/roles"]
	}`))
	fmt.Println(keycloak.URL, keycloak.RequiredClaims["typ"], err)

	_, err = token.ParseIssuer([]byte(`{"URL": "https://auth.example.com/", "algorithms": "RS256"}`))
	fmt.Println(err)

	// Output:
	// https://auth.example.com/ <nil>
	// https://sso.example.com/realms/acme [Bearer] <nil>
	// token: issuer document: line 1: URL is unknown: did you mean "url"?
	// token: issuer document: line 1: algorithms is not an array: write ["…"]
}

// A readiness probe keeps calls away from a process that has no keys.
func ExampleVerifier_Ready() {
	idp := httptest.NewUnstartedServer(nil)
	defer idp.Close()
	issuer, err := devissuer.New("http://"+idp.Listener.Addr().String()+"/oidc", devissuer.Config{})
	if err != nil {
		log.Fatal(err)
	}
	idp.Config.Handler = issuer
	idp.Start()
	verifier, err := token.NewVerifier(token.Logto(issuer.URL()))
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if verifier.Ready(r.Context()) != nil {
			http.Error(w, "no keys to verify tokens with", http.StatusServiceUnavailable)
		}
	})

	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Println(response.Code)

	// Output:
	// 200
}

// Every fetch of keys is logged, and so are keys that are not used.
func ExampleWithKeySetObserver() {
	events := make(chan token.KeySetEvent, 1)
	verifier, err := token.NewVerifier(
		token.Logto("https://tenant.logto.app"),
		token.WithTransport(outage{}),
		token.WithKeySetObserver(func(event token.KeySetEvent) { events <- event }),
	)
	if err != nil {
		log.Fatal(err)
	}

	_ = verifier.Ready(context.Background())
	event := <-events
	fmt.Println(event.Issuer, event.Keys, event.Skipped)
	fmt.Println(event.Err)

	// Output:
	// https://tenant.logto.app/oidc 0 []
	// issuer keys are unavailable: issuer "https://tenant.logto.app/oidc": discovery: "https://tenant.logto.app/oidc/.well-known/openid-configuration": the endpoint answered with status 503: it is tried again later
}

// outage is the transport to an issuer that is down.
type outage struct{}

// RoundTrip implements [http.RoundTripper].
func (outage) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody}, nil
}

// The counters are a variable of package expvar.
func ExampleVerifier_Stats() {
	verifier, err := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	if err != nil {
		log.Fatal(err)
	}

	expvar.Publish("tokens", expvar.Func(func() any { return verifier.Stats() }))

	fmt.Println(expvar.Get("tokens"))

	// Output:
	// {"Hits":0,"Misses":0,"Busy":0,"Evictions":0,"Entries":0}
}
