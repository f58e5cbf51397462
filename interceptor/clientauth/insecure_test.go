package clientauth_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A foreign is a connection that says that it leads to another machine.
type foreign struct{ net.Conn }

func (foreign) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80} }

// leading returns a transport that connects every host to a server, and says of some hosts that they are elsewhere.
func leading(server string, away ...string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		connection, err := new(net.Dialer).DialContext(ctx, network, server)
		if err == nil && slices.Contains(away, host) {
			connection = foreign{connection}
		}
		return connection, err
	}}
}

// TestInsecureHosts makes sure that a token goes over plain HTTP to listed hosts and to this machine alone, with the
// interceptor and with a header of the caller.
func TestInsecureHosts(t *testing.T) {
	t.Parallel()
	insecure, err := clientauth.InsecureHTTPClient(nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if insecure.Transport == nil {
		t.Error("no transport")
	}
	const orList = ` in InsecureHTTPClient if nobody else can answer for that host`
	for _, test := range []struct {
		url         string
		hosts, away []string
		want        string // in the error, or empty
	}{
		{"http://orders", []string{"orders"}, nil, ""},
		{"http://orders:8080", []string{"other", "ORDERS"}, []string{"orders"}, ""},
		{"http://orders", []string{"order"}, nil, `the URL is plain http to another machine: use https, or list "orders"` + orList},
		{"http://orders", nil, nil, `the URL is plain http to another machine: use https, or list "orders"` + orList},
		{"http://localhost", nil, nil, ""},
		{"http://orders.localhost:8080", nil, nil, ""},
		{"http://localhost", nil, []string{"localhost"}, `"localhost" resolved to 10.0.0.1, which is not a loopback address: `},
		{"http://orders.localhost", nil, []string{"orders.localhost"}, `"orders.localhost" resolved to 10.0.0.1, which is not a loopback address: correct the name in /etc/hosts or DNS, or use https, or list "orders.localhost"` + orList},
		{"http://orders.localhost", []string{"orders"}, []string{"orders.localhost"}, `"orders.localhost" resolved to 10.0.0.1`},
		{"http://orders.localhost", []string{"orders.localhost"}, []string{"orders.localhost"}, ""},
	} {
		w := newWorld(t)
		server, err := url.Parse(w.url)
		if err != nil {
			t.Fatal(err)
		}
		base := &http.Client{Transport: leading(server.Host, test.away...)}
		ours := clientauth.HTTPClient(base)
		if test.hosts != nil {
			if ours, err = clientauth.InsecureHTTPClient(base, test.hosts...); err != nil {
				t.Fatal(err)
			}
		}
		client := connect.NewClient[message, answer](ours, test.url+catalogue.Procedure("Read", catalogue.Unary), connect.WithInterceptors(clientauth.NewInterceptor(w.source)))
		if test.want == "" {
			does(t, client, catalogue.Unary)
			continue
		}
		err = refusal(t, client, catalogue.Unary, connect.CodeInternal)
		if checkError(t, err, clientauth.ErrInsecure); !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.url, err, test.want)
		}
		if len(w.headers) > 0 {
			t.Errorf("%s: the server is called", test.url)
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer secret")
		_, err = ours.Do(request)
		checkError(t, err, clientauth.ErrInsecure)
	}
}

// TestUnwatchedTransport makes sure that a transport whose connections cannot be checked gets no token for a name below
// localhost.
func TestUnwatchedTransport(t *testing.T) {
	t.Parallel()
	base := &http.Client{Transport: tokens.Respond(200, "")}
	listed, err := clientauth.InsecureHTTPClient(base, "orders.localhost")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		client *http.Client
		url    string
		want   error
	}{
		{clientauth.HTTPClient(base), "http://localhost", nil},
		{clientauth.HTTPClient(base), "http://orders.localhost", clientauth.ErrInsecure},
		{listed, "http://orders.localhost", nil},
		{listed, "http://other.localhost", clientauth.ErrInsecure},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer secret")
		_, err = test.client.Do(request)
		checkError(t, err, test.want)
	}
}

// TestInsecureFaults has lists that are not a list of hosts.
func TestInsecureFaults(t *testing.T) {
	t.Parallel()
	const notHost = ` is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"`
	for want, hosts := range map[string][]string{
		"clientauth: InsecureHTTPClient: no host is listed: use HTTPClient, or list the hosts of the URLs":          nil,
		`clientauth: InsecureHTTPClient: "*"` + notHost + "\n" + `clientauth: InsecureHTTPClient: "a:80"` + notHost: {"*", "a", "a:80", "*"},
	} {
		if client, err := clientauth.InsecureHTTPClient(nil, hosts...); client != nil || err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for want, provider := range map[string]clientauth.Provider{
		`clientauth: Provider.InsecureHTTPHosts: "idp" is the host of no http URL here: correct the entry or leave it out`:                                                                        {TokenURL: "https://idp/token", InsecureHTTPHosts: []string{"idp"}},
		`clientauth: Provider.InsecureHTTPHosts: "idp/"` + notHost:                                                                                                                                {TokenURL: "https://idp/token", InsecureHTTPHosts: []string{"idp/"}},
		`clientauth: TokenURL "http://idp/token": it is plain http and not on a loopback address: use https, or list "idp" in Provider.InsecureHTTPHosts if nobody else can answer for that host`: {TokenURL: "http://idp/token"},
		`clientauth: TokenURL "http://idp.localhost/token": nobody can check that "idp.localhost" leads to this machine, since the transport (tokens.Handler) is not an http.Transport: write localhost, or give an http.Transport, or list "idp.localhost" in Provider.InsecureHTTPHosts if nobody else can answer for that host`: {TokenURL: "http://idp.localhost/token"},
	} {
		if _, err := clientauth.New(provider, "shop", "s", clientauth.WithTransport(tokens.Respond(200, ""))); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestInsecureTokenURL makes sure that the client's secret goes over plain HTTP to the listed host and to this machine
// alone, through no proxy.
func TestInsecureTokenURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		url, listed string
		away        string
		want        error
	}{
		{"http://idp:3001/token", "idp", "idp", nil},
		{"http://idp.localhost/token", "", "", nil},
		{"http://idp.localhost/token", "", "idp.localhost", clientauth.ErrRefused},
		{"http://idp.localhost/token", "idp.localhost", "idp.localhost", nil},
		{"http://localhost/token", "", "localhost", clientauth.ErrRefused},
	} {
		asked := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = w.Write([]byte(`{"access_token": "secret-1", "token_type": "Bearer", "expires_in": 60}`))
		}))
		provider := clientauth.Provider{TokenURL: test.url}
		if test.listed != "" {
			provider.InsecureHTTPHosts = []string{test.listed}
		}
		transport := leading(server.Listener.Addr().String(), test.away)
		transport.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("the proxy is asked for") }
		client, err := clientauth.New(provider, "shop", "client-secret", clientauth.WithTransport(transport))
		if err != nil {
			t.Fatal(err)
		}
		if test.listed != "" {
			provider.InsecureHTTPHosts[0] = "changed"
		}
		_, err = client.Source(target).Token(t.Context())
		if checkError(t, err, test.want); asked != 1 && test.want == nil || asked != 0 && test.want != nil {
			t.Errorf("%s: asked for %d times", test.url, asked)
		}
		server.Close()
	}
}
