package token_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A network has a name server and servers on loopback addresses, each of which stands for a machine.
type network struct {
	names map[string]string // host to address with port
	away  []string          // hosts whose connections say that they lead to another machine

	mu    sync.Mutex
	asked []string // host and path of all requests
}

// serve serves the metadata and the key set of an issuer at a host.
func (n *network) serve(t *testing.T, address string, handler http.Handler, hosts ...string) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.asked = append(n.asked, r.Host+r.URL.Path)
		n.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	_ = server.Listener.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = listener
	t.Cleanup(server.Close)
	for _, host := range hosts {
		n.names[host] = listener.Addr().String()
	}
	return server
}

func newNetwork() *network { return &network{names: map[string]string{}} }

// dial connects to a host.
func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if n.names[host] == "" {
		return nil, &net.DNSError{Name: host, IsNotFound: true}
	}
	connection, err := new(net.Dialer).DialContext(ctx, network, n.names[host])
	if err == nil && slices.Contains(n.away, host) {
		connection = elsewhere{connection}
	}
	return connection, err
}

// An elsewhere is a connection that says that it leads to another machine.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 3001} }

// check verifies a token of an issuer, and checks the end of the error, and which requests came.
func (n *network) check(t *testing.T, mine token.Issuer, want string, asked ...string) {
	t.Helper()
	verifier, err := token.NewVerifier(mine, token.WithTransport(&http.Transport{DialContext: n.dial}))
	if err != nil {
		t.Fatal(err)
	}
	hosts := slices.Clone(mine.InsecureHTTPHosts)
	clear(mine.InsecureHTTPHosts) // the verifier has its own
	defer copy(mine.InsecureHTTPHosts, hosts)
	n.take()
	_, err = verifier.Verify(t.Context(), tenantToken(eddsa, mine.URL))
	if want == "" {
		checkError(t, err, nil)
	} else if checkError(t, err, token.ErrKeysUnavailable); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if got := n.take(); !slices.Equal(got, asked) {
		t.Errorf("%q are asked for, want %q", got, asked)
	}
}

// take returns what was asked for since the last call.
func (n *network) take() (asked []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked, n.asked = n.asked, nil
	return asked
}

// keysAt returns an issuer with a KeySetURL, and hosts to which plain http is allowed.
func keysAt(url, keySetURL string, hosts ...string) token.Issuer {
	mine := issuer("")
	mine.URL, mine.KeySetURL, mine.InsecureHTTPHosts = url, keySetURL, hosts
	return mine
}

// metadata answers with the metadata of an issuer, and with its key set.
func metadata(issuer, jwksURI string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/oidc/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"issuer":"`+issuer+`","jwks_uri":"`+jwksURI+`"}`)
	})
	mux.HandleFunc("/oidc/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, keySet(eddsa.JWK())) })
	return mux
}

const notListed = `: it is plain http and not on a loopback address: use https, or list "keys" in Issuer.InsecureHTTPHosts if nobody else can answer for that host`

// TestSplitHorizon has issuers that browsers and servers know by other names, as in docker compose and behind the
// sidecars of a mesh.
func TestSplitHorizon(t *testing.T) {
	t.Parallel()
	const outside, inside = "http://localhost:3001/oidc", "http://logto:3001/oidc"
	n := newNetwork()
	n.serve(t, "127.0.0.2", metadata(outside, inside+"/jwks"), "logto").Start()
	n.serve(t, "127.0.0.3", metadata(inside, inside+"/jwks"), "localhost", "keys").Start()
	n.check(t, keysAt(outside, inside+"/jwks", "logto"), "", "logto:3001/oidc/jwks")
	n.check(t, keysAt(outside, inside+"/jwks", "LOGTO"), "", "logto:3001/oidc/jwks")
	n.check(t, keysAt("https://sso.test/oidc", inside+"/jwks", "logto"), "", "logto:3001/oidc/jwks")
	n.check(t, keysAt("https://sso.test/oidc", "http://localhost/oidc/jwks", "localhost"), "", "localhost/oidc/jwks")

	n = newNetwork()
	n.serve(t, "127.0.0.2", metadata(inside, "http://keys/oidc/jwks"), "logto").Start()
	n.serve(t, "127.0.0.3", metadata(inside, ""), "keys").Start()
	n.check(t, keysAt(inside, "", "logto", "keys"), "", "logto:3001/oidc/.well-known/openid-configuration", "keys/oidc/jwks")
	n.check(t, keysAt(inside, "", "logto"), `discovery: "http://logto:3001/oidc/.well-known/openid-configuration": jwks_uri`+notListed, "logto:3001/oidc/.well-known/openid-configuration")
	delete(n.names, "keys")
	n.check(t, keysAt(inside, "", "logto", "keys"), "the server's name cannot be resolved: is the URL right, and does this machine's DNS know the host?",
		"logto:3001/oidc/.well-known/openid-configuration")
}

// TestInsecureHostRedirects makes sure that a listed host cannot send the fetch to another one, listed or not.
func TestInsecureHostRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"http://keys/oidc/jwks", "http://localhost/oidc/jwks", "https://keys/oidc/jwks", "http://logto/oidc/jwks"} {
			n := newNetwork()
			n.serve(t, "127.0.0.2", http.RedirectHandler(to, status), "logto").Start()
			n.serve(t, "127.0.0.3", metadata("", ""), "keys", "localhost").Start()
			n.check(t, keysAt("http://localhost/oidc", "http://logto/jwks", "logto"),
				`, a redirect to "`+to+`", which is not followed: is Issuer.KeySetURL right?`, "logto/jwks")
			n.check(t, keysAt("http://logto/oidc", "", "logto", "keys"),
				`, a redirect to "`+to+`", which is not followed: is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL`,
				"logto/oidc/.well-known/openid-configuration")
		}
	}
}

// TestLocalNames makes sure that localhost and names below localhost bring keys only from this machine, unless they are
// listed.
func TestLocalNames(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "auth.localhost"} {
		mine := keysAt("http://"+host+":3001/oidc", "")
		discovery := `discovery: "` + mine.URL + `/.well-known/openid-configuration": `
		found := []string{host + ":3001/oidc/.well-known/openid-configuration", host + ":3001/oidc/jwks"}
		n := newNetwork()
		n.serve(t, "127.0.0.2", metadata(mine.URL, mine.URL+"/jwks"), host).Start()
		n.check(t, mine, "", found...)
		n.away = []string{host}
		refused := `the request failed: "` + host + `" resolved to 10.0.0.1, which is not a loopback address: correct the name in /etc/hosts or DNS, or use https`
		if host == "localhost" { // which no entry gives to another machine
			n.check(t, mine, discovery+refused)
			n.check(t, keysAt(mine.URL, "", host), discovery+refused)
			n.check(t, keysAt("acme", mine.URL+"/jwks", host), refused)
		} else {
			n.check(t, mine, discovery+refused+`, or list "`+host+`" in Issuer.InsecureHTTPHosts if nobody else can answer for that host`)
			n.check(t, keysAt(mine.URL, "", host), "", found...)
			n.check(t, keysAt("acme", mine.URL+"/jwks", host), "", found[1])
		}

		_, err := token.NewVerifier(mine, token.WithTransport(newIDP()))
		want := ""
		if host != "localhost" {
			want = `token: issuer "` + mine.URL + `": URL: nobody can check that "auth.localhost" leads to this machine, since the transport (*tokens.IDP) is not an http.Transport: write localhost, or give an http.Transport, or list "auth.localhost" in Issuer.InsecureHTTPHosts if nobody else can answer for that host`
		}
		if (err != nil || want != "") && (err == nil || err.Error() != want) {
			t.Errorf("%v, want %s", err, want)
		}
		mine = keysAt("acme", mine.URL)
		if _, err := token.NewVerifier(mine, token.WithTransport(newIDP())); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), `"acme": KeySetURL: nobody can check`) {
			t.Errorf("%v", err)
		}
		mine.InsecureHTTPHosts = []string{host}
		if _, err := token.NewVerifier(mine, token.WithTransport(newIDP())); err != nil {
			t.Errorf("a listed name: %v", err)
		}
	}
}

// TestProxies makes sure that https goes through the proxy of the transport, with a private authority too, and that
// plain http goes around it.
func TestProxies(t *testing.T) {
	t.Parallel()
	n := newNetwork()
	const mine = "https://example.com/oidc" // a name in httptest's certificate
	server := n.serve(t, "127.0.0.2", metadata(mine, "http://logto/oidc/jwks"), "example.com")
	server.StartTLS()
	n.serve(t, "127.0.0.3", metadata(mine, ""), "logto").Start()
	var tunnels sync.WaitGroup
	t.Cleanup(tunnels.Wait)
	proxy := n.serve(t, "127.0.0.4", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := n.dial(r.Context(), "tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		for _, pair := range [][2]net.Conn{{here, there}, {there, here}} {
			tunnels.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}))
	proxy.Start()
	n.names["proxy"] = proxy.Listener.Addr().String()
	transport := &http.Transport{DialContext: n.dial, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy:80"}), DisableKeepAlives: true}
	behind := keysAt(mine, "", "logto")
	behind.CAFile = tokenFile(t, certificateOf(server))
	verifier, err := token.NewVerifier(behind, token.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier.Verify(t.Context(), tenantToken(eddsa, mine))
	checkError(t, err, nil)
	// The proxy is asked to connect to example.com:443 alone.
	if got, want := n.take(), []string{"example.com:443", "example.com/oidc/.well-known/openid-configuration", "logto/oidc/jwks"}; !slices.Equal(got, want) {
		t.Errorf("%q are asked for, want %q", got, want)
	}
}
