package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/golang-jwt/jwt/v5"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// ask verifies an opaque token, and returns the request that the issuer got.
func ask(t testing.TB, endpoint *fakeIssuer, how token.Introspection) *http.Request {
	t.Helper()
	introspector, err := token.NewIntrospector(introspected(), how, token.WithTransport(endpoint))
	if err != nil {
		t.Fatal(err)
	}
	raw := madeUp()
	_, _ = introspector.Verify(t.Context(), raw)
	request := endpoint.last()
	if got := request.PostForm.Get("token"); got != raw {
		t.Errorf("asked for %q", got)
	}
	return request
}

// TestRequest makes sure that a question is a POST (RFC 7662 section 2.1) whose secrets stand in the form or in the
// Authorization header alone.
func TestRequest(t *testing.T) {
	t.Parallel()
	base := url.Values{"token_type_hint": {"access_token"}}
	with := func(pairs ...string) url.Values {
		form := url.Values{"token_type_hint": {"access_token"}}
		for pair := range slices.Chunk(pairs, 2) {
			form.Set(pair[0], pair[1])
		}
		return form
	}
	const id = "a:p i+é"
	for name, test := range map[string]struct {
		client   token.ClientAuthentication
		audience string
		basic    bool
		form     url.Values
		accept   string
	}{
		"basic":        {token.ClientSecretBasic(id, clientSecret), "", true, base, "application/json"},
		"post":         {token.ClientSecretPost(id, clientSecret), "", false, with("client_id", id, "client_secret", clientSecret), "application/json"},
		"certificate":  {token.TLSClientAuth(id), "", false, with("client_id", id), "application/json"},
		"signed":       {token.ClientSecretBasic(id, clientSecret), "api", true, base, "application/token-introspection+jwt"},
		"signed, post": {token.ClientSecretPost(id, clientSecret), "api", false, with("client_id", id, "client_secret", clientSecret), "application/token-introspection+jwt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := ask(t, &fakeIssuer{answer: says(inactive)}, token.Introspection{Client: test.client, SignedResponseAudience: test.audience})
			form := request.PostForm
			form.Del("token")
			if form.Encode() != test.form.Encode() {
				t.Errorf("the form is %q", form)
			}
			if request.Method != http.MethodPost || request.URL.String() != introspectionURL || request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s %s, %q", request.Method, request.URL, request.Header)
			}
			if got := request.Header.Values("Accept"); !slices.Equal(got, []string{test.accept}) {
				t.Errorf("Accept is %q", got)
			}
			user, password, ok := request.BasicAuth()
			if ok != test.basic {
				t.Errorf("Basic is %t", ok)
			}
			if ok { // RFC 6749 section 2.3.1
				user, err := url.QueryUnescape(user)
				password, passwordErr := url.QueryUnescape(password)
				if err != nil || passwordErr != nil || user != id || password != clientSecret {
					t.Errorf("Basic is %q, %q", user, password)
				}
			}
			if _, ok := request.Header["Idempotency-Key"]; !ok || request.Header.Get("Idempotency-Key") != "" {
				t.Errorf("a request over a dead connection is not repeated: %q", request.Header)
			}
		})
	}
}

// TestAssertion verifies the assertions of private_key_jwt (RFC 7523 section 3) with the public keys.
func TestAssertion(t *testing.T) {
	t.Parallel()
	for alg, signer := range map[string]crypto.Signer{
		"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey, "PS256": rsaKey, "PS384": rsaKey, "PS512": rsaKey,
		"ES256": es256.Private, "ES384": es384.Private, "ES512": es512.Private, "EdDSA": eddsa.Private, "Ed25519": eddsa.Private,
	} {
		for _, kid := range []string{"", "k1"} {
			t.Run(alg+kid, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					used := map[string]bool{}
					for range 3 {
						form := ask(t, &fakeIssuer{answer: says(inactive)}, token.Introspection{Client: token.PrivateKeyJWT("api", alg, kid, signer)}).PostForm
						if form.Get("client_id") != "api" || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || len(form) != 5 {
							t.Errorf("the form is %q", form)
						}
						var claims struct {
							jwt.RegisteredClaims
							Aud string `json:"aud"` // a string, as every issuer reads it
						}
						parsed, err := jwt.NewParser(jwt.WithTimeFunc(nil), jwt.WithoutClaimsValidation()).ParseWithClaims(form.Get("client_assertion"), &claims, func(*jwt.Token) (any, error) {
							return signer.Public(), nil
						})
						if err != nil {
							t.Fatal(err)
						}
						if got, ok := parsed.Header["kid"]; ok != (kid != "") || ok && got != kid || parsed.Header["alg"] != strings.ReplaceAll(alg, "Ed25519", "EdDSA") {
							t.Errorf("the header is %v", parsed.Header)
						}
						if claims.Issuer != "api" || claims.Subject != "api" || claims.Aud != issuerURL || claims.IssuedAt.Unix() != epoch || claims.ExpiresAt.Unix() != epoch+60 {
							t.Errorf("the claims are %+v", claims)
						}
						if len(claims.ID) < 22 || used[claims.ID] {
							t.Errorf("jti is %q again", claims.ID)
						}
						used[claims.ID] = true
					}
				})
			})
		}
	}
}

// TestCredentialsNotTold makes sure that no error repeats the form and the header of a request, which an endpoint may
// repeat anywhere.
func TestCredentialsNotTold(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]token.ClientAuthentication{
		"basic": basic(), "post": token.ClientSecretPost("api", clientSecret), "a key": token.PrivateKeyJWT("api", "ES256", "k", es256.Private),
	} {
		for _, status := range []int{0, 200, 307, 400, 401, 500} {
			endpoint := new(fakeIssuer)
			endpoint.answer = func(form url.Values) (*http.Response, error) {
				repeated := form.Encode() + endpoint.last().Header.Get("Authorization")
				if status == 0 {
					return nil, errors.New(repeated)
				}
				return answers(status, repeated, "Location", "https://evil.test/"+repeated+"?"+repeated, "Www-Authenticate", repeated, "Content-Type", repeated)(form)
			}
			introspector := must(token.NewIntrospector(introspected(), token.Introspection{Client: client}, token.WithTransport(endpoint)))
			_, err := introspector.Verify(t.Context(), opaqueToken)
			checkError(t, err, token.ErrVerifierUnavailable)
			sent := endpoint.last()
			secrets := []string{opaqueToken, strings.TrimPrefix(sent.Header.Get("Authorization"), "Basic ")}
			if sent.PostForm.Has("client_assertion") {
				for part := range strings.SplitSeq(sent.PostForm.Get("client_assertion"), ".") {
					secrets = append(secrets, part)
				}
			} else if name == "a key" {
				t.Error("there is no assertion")
			}
			checkConfidential(t, fmt.Sprintf("%v %+v %#v", err, err, err), secrets...)
		}
	}
}

// A foreignSigner is a key of another package, such as one in a hardware module.
type foreignSigner struct{ crypto.Signer }

// A privateless key has no public key that a package of crypto knows.
type privateless struct{}

func (privateless) Public() crypto.PublicKey                                  { return "quagga-key" }
func (privateless) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil }

// TestClientFaults makes sure that an Introspector is not made without good credentials, and that a fault shows none.
func TestClientFaults(t *testing.T) {
	t.Parallel()
	const jwtFault = "token: PrivateKeyJWT: "
	const unset = " is empty: if a variable or a file should supply it, set the variable or fill the file"
	const spaced = " has white space around it, such as a line break at its end: if a variable or a file supplies it, remove the white space there"
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	weak := &rsa.PrivateKey{}
	for name, test := range map[string]struct {
		client token.ClientAuthentication
		want   []string
	}{
		"none":                {token.ClientAuthentication{}, []string{"token: Introspection.Client is not set: give the credentials of this server at the issuer, such as token.ClientSecretBasic(id, secret)"}},
		"empty":               {token.ClientSecretBasic("", ""), []string{"token: ClientSecretBasic: the id" + unset, "token: ClientSecretBasic: the secret" + unset}},
		"blank":               {token.ClientSecretPost(" ", "\n"), []string{"token: ClientSecretPost: the id" + unset, "token: ClientSecretPost: the secret" + unset}},
		"a line break":        {token.ClientSecretBasic("api", clientSecret+"\n"), []string{"token: ClientSecretBasic: the secret" + spaced}},
		"no id":               {token.TLSClientAuth(""), []string{"token: TLSClientAuth: the id" + unset}},
		"no key":              {token.PrivateKeyJWT("", "", "", nil), []string{"token: PrivateKeyJWT: the id" + unset, "token: PrivateKeyJWT: the algorithm" + unset, jwtFault + `the algorithm "" is none of `}},
		"a nil key":           {token.PrivateKeyJWT("api", "RS256", "k", nil), []string{jwtFault + "the key is nil"}},
		"a nil RSA key":       {token.PrivateKeyJWT("api", "RS256", "k", (*rsa.PrivateKey)(nil)), []string{jwtFault + "the key is nil"}},
		"a nil ECDSA key":     {token.PrivateKeyJWT("api", "ES256", "k", (*ecdsa.PrivateKey)(nil)), []string{jwtFault + "the key is nil"}},
		"a nil Ed25519 key":   {token.PrivateKeyJWT("api", "EdDSA", "k", ed25519.PrivateKey(nil)), []string{jwtFault}},
		"a short Ed25519 key": {token.PrivateKeyJWT("api", "EdDSA", "k", ed25519.PrivateKey("quagga-key")), []string{jwtFault}},
		"an empty RSA key":    {token.PrivateKeyJWT("api", "RS256", "k", weak), []string{jwtFault}},
		"HMAC":                {token.PrivateKeyJWT("api", "HS256", "k", rsaKey), []string{jwtFault + `the algorithm "HS256" is none of `}},
		"none as algorithm":   {token.PrivateKeyJWT("api", "none", "k", rsaKey), []string{jwtFault + `the algorithm "none" is none of `}},
		"RSA for ES256":       {token.PrivateKeyJWT("api", "ES256", "k", rsaKey), []string{jwtFault + "the key, a *rsa.PrivateKey, is not of the kind that ES256 needs"}},
		"P-256 for ES384":     {token.PrivateKeyJWT("api", "ES384", "k", p256), []string{jwtFault + "the key, a *ecdsa.PrivateKey, is not of the kind that ES384 needs"}},
		"Ed25519 for RS256":   {token.PrivateKeyJWT("api", "RS256", "k", eddsa.Private), []string{jwtFault + "the key, a ed25519.PrivateKey, is not of the kind that RS256 needs"}},
		"another kind of key": {token.PrivateKeyJWT("api", "RS256", "k", privateless{}), []string{jwtFault}},
		"a signer of another": {token.PrivateKeyJWT("api", "RS256", "k", foreignSigner{rsaKey}), []string{jwtFault + "the key, a token_test.foreignSigner, cannot sign with RS256: give a private key of crypto/rsa, crypto/ecdsa or crypto/ed25519"}},
		"its pointer":         {token.PrivateKeyJWT("api", "ES256", "k", &foreignSigner{p256}), []string{jwtFault + "the key, a *token_test.foreignSigner, cannot sign with ES256: give a private key of crypto/rsa, crypto/ecdsa or crypto/ed25519"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			introspector, err := token.NewIntrospector(introspected(), token.Introspection{Client: test.client}, token.WithTransport(&fakeIssuer{}))
			if introspector != nil || err == nil {
				t.Fatal("an Introspector is made")
			}
			lines := strings.Split(err.Error(), "\n")
			if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
				t.Errorf("the faults are\n%s", err)
			}
			checkConfidential(t, err.Error(), "quagga-key", rsaKey.D.String())
		})
	}
}

// TestMutualTLS authenticates the client by its certificate (RFC 8705).
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	mux := http.NewServeMux()
	server.Config.Handler, server.Config.ErrorLog = mux, log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	mux.HandleFunc("/oidc/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": server.URL + "/oidc", "introspection_endpoint": server.URL + "/wrong", "mtls_endpoint_aliases": map[string]string{"introspection_endpoint": server.URL + "/mtls"},
		})
	})
	mux.HandleFunc("/mtls", func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.PostFormValue("client_id") != "api" || r.Header.Get("Authorization") != "" || r.PostForm.Has("client_secret") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, saying("iss", server.URL+"/oidc"))
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	certificate := server.TLS.Certificates[0]
	withCertificate := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	byFunction := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }}
	caFile := tokenFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for name, test := range map[string]struct {
		config *tls.Config
		caFile string
		good   bool
	}{
		"a certificate":            {withCertificate, "", true},
		"a function":               {byFunction, "", true},
		"a certificate and CAFile": {&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}, caFile, true},
		"no certificate":           {&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, "", false},
		"no settings":              {nil, "", false},
	} {
		mine := issuer(server.URL)
		mine.CAFile = test.caFile
		transport := &http.Transport{TLSClientConfig: test.config, DisableKeepAlives: true}
		introspector, err := token.NewIntrospector(mine, token.Introspection{Client: token.TLSClientAuth("api")}, token.WithTransport(transport))
		if (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			const fault = "token: TLSClientAuth: the transport has no certificate: give WithTransport an http.Transport whose TLSClientConfig has Certificates or GetClientCertificate"
			if err.Error() != fault {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, err := introspector.Verify(t.Context(), opaqueToken); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := token.NewIntrospector(issuer(server.URL), token.Introspection{Client: token.TLSClientAuth("api")}); err == nil {
		t.Error("the default transport has a certificate")
	}
	// Without mTLS the alias is not asked.
	secret := must(token.NewIntrospector(issuer(server.URL), token.Introspection{Client: basic()}, token.WithTransport(&http.Transport{TLSClientConfig: withCertificate, DisableKeepAlives: true})))
	_, err := secret.Verify(t.Context(), opaqueToken)
	checkError(t, err, token.ErrVerifierUnavailable)
	if !strings.Contains(fmt.Sprint(err), "status 404") {
		t.Error(err)
	}
}
