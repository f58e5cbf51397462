package interceptor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A situation is what a newcomer meets: a verifier, and the token that a client sends.
type situation struct {
	verifier *token.Verifier
	raw      string
}

// loggedLine returns what the default log tells about a call: the reason and the cause. Text is the log.
func loggedLine(t *testing.T, text *lockedText, in situation, service string) (line struct{ Procedure, Reason, Cause string }) {
	t.Helper()
	_ = text.take()
	guard := interceptor.New(in.verifier, rules(t))
	post(t.Context(), handlers{}.mux(guard.HandlerOption()), service, http.Header{"Authorization": {"Bearer " + in.raw}})
	all := text.take()
	for logged := range bytes.Lines(all) {
		if !bytes.Contains(logged, []byte(`"protoauthz: refused"`)) {
			continue // a line about keys
		}
		if line.Cause != "" {
			t.Errorf("more than one line:\n%s", all)
		}
		if err := json.Unmarshal(logged, &line); err != nil {
			t.Error(err)
		}
	}
	return line
}

// A lockedText is a log that a fetch of keys may still write.
type lockedText struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (l *lockedText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line...)
	return len(line), nil
}

// take returns the text, and empties the log.
func (l *lockedText) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text
	l.text = nil
	return text
}

// listening returns an issuer that listens, and whose tokens name a URL: the address of the listener, unless another
// one is given.
func listening(t *testing.T, start func(*httptest.Server), named string) (server *httptest.Server, issuer *devissuer.Issuer) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { issuer.ServeHTTP(w, r) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the client ends a handshake
	start(server)
	t.Cleanup(server.Close)
	if named == "" {
		named = server.URL
	}
	issuer = issuing(t, named)
	return server, issuer
}

// closed is an address at which nobody listens.
const closed = "127.0.0.1:1"

// dialing returns a transport that connects all hosts to one address, as a name server may do.
func dialing(address string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
}

// at returns the situation of an issuer that has signed a token, for a verifier of an endpoint.
func at(t *testing.T, endpoint string, issuer *devissuer.Issuer, options ...token.Option) situation {
	t.Helper()
	verifier, err := token.NewVerifier(token.Logto(endpoint), options...)
	if err != nil {
		t.Fatal(err)
	}
	return situation{verifier, mint(t, issuer, global("read:a"))}
}

// sending returns the situation of a good issuer and a client that sends another token than a good one.
func sending(claims claims, options ...devissuer.MintOption) func(*testing.T) situation {
	return func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "")
		in := at(t, server.URL, issuer)
		in.raw = mint(t, issuer, claims, options...)
		return in
	}
}

// through returns the situation of a server that reaches its issuer by a proxy alone.
func through(t *testing.T, proxy string) situation {
	t.Helper()
	address, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	const endpoint = "https://idp.example.test"
	return at(t, endpoint, issuing(t, endpoint), token.WithTransport(&http.Transport{Proxy: http.ProxyURL(address), DisableKeepAlives: true}))
}

// skewed returns the situation of an issuer whose clock is ahead.
func skewed(ahead, lifetime time.Duration) func(*testing.T) situation {
	return func(t *testing.T) situation {
		tenant, err := newTenant(token.WithLeeway(30 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if err := tenant.verifier.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		issued := time.Now().Add(ahead) // the bubble's clock
		return situation{tenant.verifier, mint(t, tenant.good, with(with(global("read:a"), "iat", issued.Unix()), "exp", issued.Add(lifetime).Unix()))}
	}
}

// issuing returns an issuer whose tokens name a URL.
func issuing(t *testing.T, named string) *devissuer.Issuer {
	t.Helper()
	issuer, err := devissuer.New(named+"/oidc", devissuer.Config{SigningAlgorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// logLines are what newcomers meet, and all that the log tells them.
var logLines = []struct {
	name     string
	service  string
	inBubble bool // for clocks
	setup    func(*testing.T) situation
	reason   interceptor.Reason
	want     string // ports are PORT
}{
	{"an unreachable issuer", "Read", false, func(t *testing.T) situation {
		const endpoint = "https://idp.example.test"
		return at(t, endpoint, issuing(t, endpoint), token.WithTransport(dialing(closed)))
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "https://idp.example.test/oidc": discovery: "https://idp.example.test/oidc/.well-known/openid-configuration": the request failed: connection refused: does the server run, and are host and port of the URL right?`},
	{"an issuer without metadata", "Read", false, func(t *testing.T) situation {
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		return at(t, server.URL, issuing(t, server.URL))
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "http://127.0.0.1:PORT/oidc": discovery: "http://127.0.0.1:PORT/oidc/.well-known/openid-configuration": the endpoint answered with status 404: is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL`},
	{"a wrong audience", "Read", false, sending(claims{"aud": "https://other.example.test", "scope": "read:a"}), "AUDIENCE_MISMATCH", `the token is for another API, or for none: its aud does not hold the audience of the rule, "https://api.test", byte for byte: the client must request a token for that API, as its resource or audience, or the server must name its API right in policy.WithAudience`},
	{"a missing scope", "Read", false, sending(global("openid")), "SCOPE_INSUFFICIENT", `the token lacks the scope read:a: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer`},
	{"no scope", "Read", false, sending(claims{"aud": api, "permissions": []string{"read:a"}}), "SCOPE_INSUFFICIENT", `the token lacks the scope read:a: the client must request it from the issuer; if the issuer does not grant that, add it to a role of the caller at the issuer; the token has no scope at all, in none of the claims ["scope"]: if the issuer writes scopes into another claim, the server must name that claim in token.Issuer.ScopeClaims`},
	{"no organization", "Field", false, sending(claims{"aud": api, "scope": "read:data", "org_id": acme}), "MODEL_MISMATCH", `the token has no organization claim (organization_id), and the method is for an organization: the client must request a token for an organization; if the issuer writes the organization into another claim, the server must name that claim in token.Issuer.OrganizationClaim`},
	{"an ID token", "Read", false, sending(claims{"aud": "web", "sub": "user"}, devissuer.WithHeader("typ", "JWT")), "TOKEN_INVALID", `invalid token: its typ is not one of ["at+jwt"], the issuer's Types, so it looks like an ID token, or a token of another kind: the client must send the access token, and must request it for this API (as resource or audience); if the issuer's access tokens are of another typ, add that typ to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have`},
	{"an ID token without typ", "Read", false, sending(claims{"aud": "web", "sub": "user"}, devissuer.WithHeader("typ", nil)), "TOKEN_INVALID", `invalid token: it has no typ, and the issuer's Types are ["at+jwt"], so it looks like an ID token: the client must send the access token, and must request it for this API (as resource or audience); if the issuer's access tokens have no typ, add "" to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have`},
	{"an ID token among access tokens of typ JWT", "Read", false, func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "")
		as := token.Logto(server.URL)
		as.Types = []string{"JWT"}
		verifier, err := token.NewVerifier(as)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier, mint(t, issuer, claims{"aud": "web", "sub": "user", "nonce": "n"}, devissuer.WithHeader("typ", "JWT"))}
	}, "TOKEN_INVALID", `invalid token: another kind of token than an access token, such as an ID token, since it has nonce: the client must send the access token, and must request it for this API (as resource or audience); if the issuer's access tokens have nonce, name it in Issuer.RequiredClaims`},
	{"an opaque token", "Read", false, func(t *testing.T) situation {
		in := sending(global("read:a"))(t)
		in.raw = "nF3xYk2Qm8sT"
		return in
	}, "TOKEN_MALFORMED", `malformed token: it is an opaque token, without the form of a JWT: the client must request a JWT, with this API as resource or audience; to accept opaque tokens, give the verifier token.WithIntrospector`},
	{"an issuer whose clock is ahead", "Read", true, skewed(10*time.Minute, time.Hour), "TOKEN_NOT_YET_VALID", `token is not valid yet: its iat is 10m0s ahead of this server's clock, and iat may be ahead by 30s: compare the clocks of this server and of the issuer with a third one, and set the wrong one right; for a small difference, see token.WithLeeway`},
	{"an issuer whose clock is late", "Read", true, skewed(-10*time.Minute, 5*time.Minute), "TOKEN_EXPIRED", `token has expired: its exp passed 5m0s ago, and the leeway is 30s: the client needs a new token; if this one is new, compare the clocks of this server and of the issuer with a third one, and set the wrong one right; for a small difference, see token.WithLeeway`},
	{"a private authority", "Read", false, func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).StartTLS, "")
		return at(t, server.URL, issuer)
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "https://127.0.0.1:PORT/oidc": discovery: "https://127.0.0.1:PORT/oidc/.well-known/openid-configuration": the request failed: the server's certificate is of an unknown authority: trust a private authority by Issuer.CAFile, a file with its certificate, by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates`},
	{"a proxy that refuses", "Read", false, func(t *testing.T) situation {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		t.Cleanup(proxy.Close)
		return through(t, proxy.URL)
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "https://idp.example.test/oidc": discovery: "https://idp.example.test/oidc/.well-known/openid-configuration": the request failed: the proxy refused to connect, with status 403: have the proxy allow "idp.example.test" (asked through the proxy "127.0.0.1:PORT"; if HTTPS_PROXY names it, "idp.example.test" in NO_PROXY goes around it)`},
	{"a proxy that wants a password", "Read", false, func(t *testing.T) situation {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		t.Cleanup(proxy.Close)
		return through(t, proxy.URL)
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "https://idp.example.test/oidc": discovery: "https://idp.example.test/oidc/.well-known/openid-configuration": the request failed: the proxy refused to connect, with status 407: put the proxy's user and password into HTTPS_PROXY (asked through the proxy "127.0.0.1:PORT"; if HTTPS_PROXY names it, "idp.example.test" in NO_PROXY goes around it)`},
	{"a proxy that does not run", "Read", false, func(t *testing.T) situation {
		return through(t, "http://"+closed)
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "https://idp.example.test/oidc": discovery: "https://idp.example.test/oidc/.well-known/openid-configuration": the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (asked through the proxy "127.0.0.1:PORT"; if HTTPS_PROXY names it, "idp.example.test" in NO_PROXY goes around it)`},
	{"compose: the API asks itself", "Read", false, func(t *testing.T) situation {
		const endpoint = "http://localhost:1"
		return at(t, endpoint, issuing(t, endpoint), token.WithTransport(dialing(closed)))
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "http://localhost:1/oidc": discovery: "http://localhost:1/oidc/.well-known/openid-configuration": the request failed: connection refused: does the server run, and are host and port of the URL right? In a container, localhost is the container itself: set Issuer.KeySetURL to the address that the container reaches, and list its host in Issuer.InsecureHTTPHosts`},
	{"compose: the metadata has the name for browsers", "Read", false, func(t *testing.T) situation {
		server, _ := listening(t, (*httptest.Server).Start, "http://localhost:8080")
		return at(t, server.URL, issuing(t, server.URL))
	}, "KEYS_UNAVAILABLE", `issuer keys are unavailable: issuer "http://127.0.0.1:PORT/oidc": discovery: "http://127.0.0.1:PORT/oidc/.well-known/openid-configuration": the document's issuer is "http://localhost:8080/oidc": if you trust this issuer, set Issuer.URL to exactly this value, and Issuer.KeySetURL to the address that this server reaches; if not, correct Issuer.URL, or find out who answers at that URL`},
	{"compose: the token has the name for browsers", "Read", false, func(t *testing.T) situation {
		inside := token.Logto("http://logto:8080")
		inside.InsecureHTTPHosts = []string{"logto"}
		verifier, err := token.NewVerifier(inside)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier, mint(t, issuing(t, "http://localhost:8080"), global("read:a"))}
	}, "TOKEN_INVALID", `invalid token: iss is none of ["http://logto:8080/oidc"]: compare byte by byte, the slash at the end too; if iss has another host, for browsers, set Issuer.URL to that iss, and Issuer.KeySetURL to the address that this server reaches`},
	{"a token of another environment", "Read", false, func(t *testing.T) situation {
		server, _ := listening(t, (*httptest.Server).Start, "")
		return at(t, server.URL, issuing(t, server.URL))
	}, "TOKEN_INVALID", `invalid token: the key set has no key with the token's kid: if the token is of another environment, the client must get one from this environment's issuer; if two environments write the same iss, set Issuer.KeySetURL to the key set of this one; if the issuer has rotated within 30 s, the client must try again`},
}

// TestLogLineNamesCauseAndRemedy makes sure that the line of the default log alone tells what is wrong and what to
// change, in the situations in which newcomers need it.
func TestLogLineNamesCauseAndRemedy(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	_ = harness.Logged(t) // which puts the logger of the process back
	text := new(lockedText)
	slog.SetDefault(slog.New(slog.NewJSONHandler(text, nil)))
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	for _, test := range logLines {
		run := func(t *testing.T) {
			line := loggedLine(t, text, test.setup(t), test.service)
			line.Cause = port.ReplaceAllString(line.Cause, "127.0.0.1:PORT")
			if line.Procedure != "/test.v1."+test.service+"/Unary" || line.Reason != string(test.reason) || line.Cause != test.want {
				t.Errorf("%s: %s, want %s\n     %s\nwant %s", line.Procedure, line.Reason, test.reason, line.Cause, test.want)
			}
		}
		t.Run(test.name, func(t *testing.T) {
			if test.inBubble {
				synctest.Test(t, run)
			} else {
				run(t)
			}
		})
	}
}
