package token_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/url"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// The keys are in a file, such as the file of a ConfigMap. The server starts without the file.
func ExampleIssuer_file() {
	issuer := token.Issuer{
		URL:        "https://issuer.example.com",
		KeySetURL:  "file:///etc/keys/jwks.json",
		Algorithms: []string{"RS256"},
	}
	verifier, err := token.NewVerifier(issuer)
	if err != nil {
		log.Fatal(err) // every fault at once
	}
	fmt.Println(verifier.Ready(context.Background()))

	// Output:
	// issuer keys are unavailable: issuer "https://issuer.example.com": key set: "file:///etc/keys/jwks.json": KeySetURL: open /etc/keys/jwks.json: no such file or directory
}

// Browsers know the issuer as localhost, and the containers know its host as logto.
func ExampleIssuer_compose() {
	issuer := token.Logto("http://localhost:3001") // `iss` is http://localhost:3001/oidc
	issuer.KeySetURL = "http://logto:3001/oidc/jwks"
	issuer.InsecureHTTPHosts = []string{"logto"}

	_, err := token.NewVerifier(issuer)
	fmt.Println(err)

	// Output:
	// <nil>
}

// The sidecars of a mesh encrypt what the processes send over plain http.
func ExampleIssuer_mesh() {
	issuer := token.Keycloak("https://sso.example.com/realms/acme")
	issuer.KeySetURL = "http://keycloak.sso.svc.cluster.local:8080/realms/acme/protocol/openid-connect/certs"
	issuer.InsecureHTTPHosts = []string{"keycloak.sso.svc.cluster.local"}

	_, err := token.NewVerifier(issuer)
	fmt.Println(err)

	// Output:
	// <nil>
}

// A private authority vouches for one issuer, and a proxy leads to it.
func ExampleWithTransport() {
	issuer := token.Keycloak("https://sso.example.com/realms/acme")
	issuer.CAFile = "/etc/ssl/acme.pem"
	proxy := &url.URL{Scheme: "http", Host: "proxy.example.com:3128"}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}

	_, err := token.NewVerifier(issuer, token.WithTransport(transport))
	fmt.Println(err)

	// Output:
	// <nil>
}
