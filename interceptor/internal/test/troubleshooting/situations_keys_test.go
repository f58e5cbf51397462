package troubleshooting_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// closed is an address at which nobody listens.
const closed = "127.0.0.1:1"

// dialing returns a transport that connects all hosts to one address, as a name server may do.
func dialing(address string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
}

// behindProxy returns the situation of a server that reaches its issuer by a proxy alone.
func behindProxy(t *testing.T, proxy string) situation {
	t.Helper()
	address, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	const endpoint = "https://idp.example.test"
	return keysAt(t, endpoint, issuing(t, endpoint), token.WithTransport(&http.Transport{Proxy: http.ProxyURL(address), DisableKeepAlives: true}))
}

// keySituations are refusals for want of keys.
var keySituations = []callSituation{
	{"KEYS_UNAVAILABLE", "an unreachable issuer", "Read", func(t *testing.T) situation {
		const endpoint = "https://idp.example.test"
		return keysAt(t, endpoint, issuing(t, endpoint), token.WithTransport(dialing(closed)))
	}},
	{"KEYS_UNAVAILABLE", "an issuer without metadata", "Read", func(t *testing.T) situation {
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		return keysAt(t, server.URL, issuing(t, server.URL))
	}},
	{"KEYS_UNAVAILABLE", "compose: dev-issuer does not know its name in the network", "Read", func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).Start, "http://127.0.0.1:3001")
		inside := token.Logto("http://127.0.0.1:3001")
		inside.KeySetURL, inside.InsecureHTTPHosts = "http://issuer:3001/oidc/jwks", []string{"issuer"}
		verifier, err := token.NewVerifier(inside, token.WithTransport(dialing(server.Listener.Addr().String())), withoutKeyLog)
		if err != nil {
			t.Fatal(err)
		}
		return situation{verifier: verifier, header: carrying(issuer.Token(t, global("read:a")))}
	}},
	{"KEYS_UNAVAILABLE", "a private authority", "Read", func(t *testing.T) situation {
		server, issuer := listening(t, (*httptest.Server).StartTLS, "")
		return keysAt(t, server.URL, issuer)
	}},
	{"KEYS_UNAVAILABLE", "a proxy that refuses", "Read", func(t *testing.T) situation {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
		t.Cleanup(proxy.Close)
		return behindProxy(t, proxy.URL)
	}},
	{"KEYS_UNAVAILABLE", "a proxy that wants a password", "Read", func(t *testing.T) situation {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		t.Cleanup(proxy.Close)
		return behindProxy(t, proxy.URL)
	}},
	{"KEYS_UNAVAILABLE", "a proxy that does not run", "Read", func(t *testing.T) situation {
		return behindProxy(t, "http://"+closed)
	}},
	{"KEYS_UNAVAILABLE", "compose: the API asks itself", "Read", func(t *testing.T) situation {
		const endpoint = "http://localhost:1"
		return keysAt(t, endpoint, issuing(t, endpoint), token.WithTransport(dialing(closed)))
	}},
	{"KEYS_UNAVAILABLE", "compose: the metadata has the name for browsers", "Read", func(t *testing.T) situation {
		server, _ := listening(t, (*httptest.Server).Start, "http://localhost:8080")
		return keysAt(t, server.URL, issuing(t, server.URL))
	}},
}
