package endpoint_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A connection says that it leads to an address.
type connection struct {
	net.Conn

	address net.Addr
	closed  *atomic.Bool
}

func (c connection) RemoteAddr() net.Addr { return c.address }

func (c connection) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

// An address has any text.
type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

func tcp(host string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: 3001} }

// leading returns a transport whose connections say that they lead to an address. They lead to a server.
func leading(server string, to net.Addr) (_ *http.Transport, closed *atomic.Bool) {
	closed = new(atomic.Bool)
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", server)
		return connection{c, to, closed}, err
	}}, closed
}

// get sends a request by Do.
func get(t *testing.T, plain endpoint.PlainHTTP, transport http.RoundTripper, url string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = plain.Do(transport, request, "is the URL right?", http.StatusOK)
	return err
}

// counting is a server that counts requests.
func counting(t *testing.T) (address string, count *int) {
	t.Helper()
	count = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		*count++
		if !r.Close {
			t.Error("the connection is kept")
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), count
}

// TestLocalNames makes sure that localhost and names below localhost get a request only by a connection that stays on
// this machine, whatever the name resolves to.
func TestLocalNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		to    net.Addr
		shown string // in the error, or empty
	}{
		{tcp("127.0.0.1"), ""},
		{tcp("127.8.9.1"), ""},
		{tcp("::1"), ""},
		{tcp("::ffff:127.0.0.1"), ""},
		{&net.UnixAddr{Name: "/run/idp.sock", Net: "unix"}, ""},
		{address("[::1%lo]:80"), ""},
		{tcp("10.0.0.1"), "10.0.0.1"},
		{tcp("0.0.0.0"), "0.0.0.0"},
		{tcp("192.168.0.1"), "192.168.0.1"},
		{tcp("::"), "::"},
		{tcp("fe80::1"), "fe80::1"},
		{tcp("::ffff:10.0.0.1"), "10.0.0.1"},
		{tcp("64:ff9b::7f00:1"), "64:ff9b::7f00:1"},
		{address("127.0.0.1"), "127.0.0.1"},
		{address("pipe"), "pipe"},
		{nil, "nothing"},
	} {
		for _, host := range []string{"localhost", "auth.localhost", "AUTH.Localhost", "a.b.localhost"} {
			server, count := counting(t)
			transport, closed := leading(server, test.to)
			err := get(t, listing("logto"), transport, "http://"+host+":3001/jwks")
			if test.shown == "" {
				if err != nil || *count != 1 {
					t.Errorf("%s at %v: %v, %d requests", host, test.to, err, *count)
				}
				continue
			}
			want := `the request failed: "` + host + `" resolved to ` + test.shown + `, which is not a loopback address: correct the name in /etc/hosts or DNS, or use https`
			if host != "localhost" { // which no entry gives to another machine
				want += `, or list "` + host + `" in Hosts if nobody else can answer for that host`
			} else if err := get(t, listing("localhost"), transport, "http://localhost:3001/jwks"); errorText(err) != want {
				t.Errorf("listed: %v", err)
			}
			if errorText(err) != want || endpoint.MayPass(err) || *count != 0 || !closed.Load() {
				t.Errorf("%s at %v, %d requests\n got %v\nwant %s", host, test.to, *count, err, want)
			}
		}
		// What is listed may lead anywhere, and so may an address: only a dialer of the user leads it elsewhere.
		server, count := counting(t)
		transport, _ := leading(server, test.to)
		for n, url := range []string{"http://logto:3001", "http://auth.localhost", "http://127.0.0.1"} {
			if err := get(t, listing("logto", "auth.localhost"), transport, url); err != nil || *count != n+1 {
				t.Errorf("%s at %v: %v", url, test.to, err)
			}
		}
	}
}

// TestDirect makes sure that a request over plain http uses no proxy, and the dialer that the user has set.
func TestDirect(t *testing.T) {
	t.Parallel()
	server, count := counting(t)
	proxy, proxied := counting(t)
	var dialed []string
	dial := func(network, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		return net.Dial(network, server)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), Dial: dial} //nolint:staticcheck // users may set it
	for _, url := range []string{"http://localhost", "http://auth.localhost:3001", "http://logto", "http://127.0.0.1"} {
		if err := get(t, listing("logto"), transport, url); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"localhost:80", "auth.localhost:3001", "logto:80", "127.0.0.1:80"}; !slices.Equal(dialed, want) || *count != 4 || *proxied != 0 {
		t.Errorf("dialed %q, %d requests, %d to the proxy", dialed, *count, *proxied)
	}
	if transport.Proxy == nil || transport.DialContext != nil {
		t.Error("the user's transport has changed")
	}
	_, port, err := net.SplitHostPort(server)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(t, endpoint.PlainHTTP{}, endpoint.Transport(), "http://localhost:"+port); err != nil || *count != 5 {
		t.Errorf("without a dialer: %v", err)
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server)
	}
	if err := get(t, endpoint.PlainHTTP{}, transport, "http://localhost"); err != nil || *count != 6 || len(dialed) != 4 {
		t.Errorf("with two dialers: %v, dialed %q", err, dialed)
	}
	other := tokens.Respond(200, "")
	if err := get(t, endpoint.PlainHTTP{}, other, "http://localhost"); err != nil {
		t.Errorf("another transport: %v", err)
	}
	if err, want := get(t, listing(), other, "http://auth.localhost"), "the request is not sent: nobody can check"; !strings.HasPrefix(errorText(err), want) || endpoint.MayPass(err) {
		t.Errorf("another transport: %v", err)
	}
	if err, want := get(t, listing(), new(http.Transport), "http://keys.test"), "the request is not sent: the URL is plain http"; !strings.HasPrefix(errorText(err), want) {
		t.Errorf("a host that is not listed: %v", err)
	}
}

// TestDirectDials makes sure that a failure to dial stays what it is.
func TestDirectDials(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		connection net.Conn
		err        error
		want       string
	}{
		"an error":       {nil, &net.DNSError{IsNotFound: true}, "the request failed: the server's name cannot be resolved"},
		"an end of file": {nil, io.EOF, "the request failed: the connection was cut"},
		"nothing":        {nil, nil, "the request failed: a malformed response, or a fault of the transport"},
	} {
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return test.connection, test.err }}
		if err := get(t, endpoint.PlainHTTP{}, transport, "http://auth.localhost"); !strings.HasPrefix(errorText(err), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnixSocket makes sure that a Unix socket counts as this machine.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	if err := get(t, endpoint.PlainHTTP{}, transport, "http://idp.localhost/jwks"); err != nil {
		t.Error(err)
	}
}

// TestIsAway makes sure that the error of the dialer is found in the error of a request.
func TestIsAway(t *testing.T) {
	t.Parallel()
	server, _ := counting(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://auth.localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport, _ := leading(server, tcp("10.0.0.1"))
	direct := tokens.As[*http.Transport](listing().Direct(transport))
	if _, err := direct.RoundTrip(request); !endpoint.IsAway(err) || !strings.HasPrefix(errorText(err), `"auth.localhost" resolved to 10.0.0.1, which is not a loopback address: correct `) {
		t.Errorf("%v", err)
	}
	if endpoint.IsAway(nil) || endpoint.IsAway(errors.New("other")) {
		t.Error("any error is of the dialer")
	}
}

// TestClone makes sure that a copy of a transport does not use the connections that another package keeps for the
// transport, as golang.org/x/net/http2 does, and speaks HTTP/2 as before.
func TestClone(t *testing.T) {
	t.Parallel()
	pool := func(string, *tls.Conn) http.RoundTripper { return nil }
	shared := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{"h2": pool}}
	if own := endpoint.Clone(shared); len(own.TLSNextProto) > 0 || !own.ForceAttemptHTTP2 {
		t.Errorf("it has %v and HTTP/2 is %t", own.TLSNextProto, own.ForceAttemptHTTP2)
	}
	if direct, ok := new(endpoint.PlainHTTP).Direct(shared).(*http.Transport); !ok || direct.TLSNextProto["h2"] != nil {
		t.Error("the direct transport shares connections")
	}
	without := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	if own := endpoint.Clone(without); own.TLSNextProto == nil || own.ForceAttemptHTTP2 {
		t.Error("HTTP/2 was switched off, and is on in the copy")
	}
	if own := endpoint.Clone(new(http.Transport)); own.ForceAttemptHTTP2 {
		t.Error("HTTP/2 is on in the copy alone")
	}
}
