package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// An authMethod is a way in which a server authenticates itself at the issuer.
type authMethod struct {
	name, client string
	metadata     registration // what the issuer knows of the client, beside its id
	right, wrong token.ClientAuthentication
}

// authMethods are the methods that oidc-provider and package token have in common.
func authMethods(t *testing.T) []authMethod {
	t.Helper()
	key, another := newKey(t), newKey(t)
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}}
	const odd = "api+gateway:1 %" // what Basic authentication must encode
	return []authMethod{
		{
			"client_secret_basic", odd, registration{"client_secret": odd + "secret"},
			token.ClientSecretBasic(odd, odd+"secret"), token.ClientSecretBasic(odd, "wrong"),
		},
		{
			"client_secret_post", "by-form", registration{"client_secret": "hunter2"},
			token.ClientSecretPost("by-form", "hunter2"), token.ClientSecretPost("by-form", "wrong"),
		},
		{
			"private_key_jwt", "by-key", registration{"jwks": keys},
			token.PrivateKeyJWT("by-key", "ES256", "k1", key), token.PrivateKeyJWT("by-key", "ES256", "k1", another),
		},
		{
			"tls_client_auth", "by-certificate", registration{"tls_client_auth_subject_dn": "O=Acme Co"},
			token.TLSClientAuth("by-certificate"), token.TLSClientAuth("worker"),
		},
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// registrations are what provider.mjs must know of the clients.
func registrations(methods []authMethod) (clients []registration) {
	for _, m := range methods {
		client := registration{
			"client_id": m.client, "token_endpoint_auth_method": m.name,
			"grant_types": []string{}, "response_types": []string{}, "redirect_uris": []string{},
		}
		for name, value := range m.metadata {
			client[name] = value
		}
		clients = append(clients, client)
	}
	return clients
}

// reach returns the issuer of answers, and the options by which a server reaches the issuer.
func (m authMethod) reach(t *testing.T, i *idp) (token.Issuer, []token.Option) {
	t.Helper()
	issuer := plainAnswers(i)
	if m.name != "tls_client_auth" {
		return issuer, nil
	}
	// A proxy ends TLS. It forwards the client's certificate (RFC 9440), in place of a header of that name.
	target, err := url.Parse(i.issuer)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(r.In.TLS.PeerCertificates[0].Raw)+":")
	}})
	proxy.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	issuer.IntrospectionURL = strings.Replace(i.endpoints.Introspection, originOf(i.issuer), proxy.URL, 1)
	roots := x509.NewCertPool()
	roots.AddCert(proxy.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: proxy.TLS.Certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return issuer, []token.Option{token.WithTransport(transport)}
}
