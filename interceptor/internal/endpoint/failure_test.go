package endpoint_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// hidden is a transport that hides the proxy of another transport, as tracing libraries do.
type hidden struct{ http.RoundTripper }

// ask returns the error of a request.
func ask(t *testing.T, transport http.RoundTripper, url string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = (endpoint.PlainHTTP{}).Do(transport, request, "is the URL right?", http.StatusOK)
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "secret") {
		t.Errorf("%s: %v", url, err)
		return errors.New("none")
	}
	return err
}

// TestProxyIsNamed holds the texts for proxies, which name the proxy that was asked, and not its password.
func TestProxyIsNamed(t *testing.T) {
	t.Parallel()
	own := func(proxy *url.URL) *http.Transport {
		return &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}
	}
	down := *proxyURL
	down.Host = "127.0.0.1:1"
	const url = "https://%s.test/token?key=secret"
	for _, test := range []struct {
		host, want string
		mayPass    bool
	}{
		{"s407", "the proxy refused to connect, with status 407: put the proxy's user and password into HTTPS_PROXY", false},
		{"s403", `the proxy refused to connect, with status 403: have the proxy allow "s403.test"`, false},
		{"s405", `the proxy refused to connect, with status 405: have the proxy allow "s405.test"`, false},
		{"s502", `the proxy refused to connect, with status 502: it is tried again later; if that does not help, can the proxy reach "s502.test", or does it limit requests?`, true},
		{"s504", `the proxy refused to connect, with status 504: it is tried again later; if that does not help, can the proxy reach "s504.test", or does it limit requests?`, true},
		{"s429", `the proxy refused to connect, with status 429: it is tried again later; if that does not help, can the proxy reach "s429.test", or does it limit requests?`, true},
	} {
		for name, transport := range map[string]http.RoundTripper{"ours": endpoint.Transport(), "theirs": own(proxyURL), "hidden": hidden{own(proxyURL)}} {
			suffix := fmt.Sprintf(" (asked through the proxy %q; if HTTPS_PROXY names it, %q in NO_PROXY goes around it)", proxyURL.Host, test.host+".test")
			if name == "hidden" {
				suffix = fmt.Sprintf(" (HTTPS_PROXY names the proxy %q; %q in NO_PROXY goes around it)", proxyURL.Host, test.host+".test")
			}
			err := ask(t, transport, fmt.Sprintf(url, test.host))
			if want := "the request failed: " + test.want + suffix; err.Error() != want || endpoint.MayPass(err) != test.mayPass {
				t.Errorf("%s, %s: %t\n got %v\nwant %s", test.host, name, endpoint.MayPass(err), err, want)
			}
		}
	}
	for _, test := range []struct {
		transport http.RoundTripper
		want      string
	}{
		{own(&down), `the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (asked through the proxy "127.0.0.1:1"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`},
		{hidden{own(&down)}, `the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (HTTPS_PROXY names the proxy "` + proxyURL.Host + `"; "idp.test" in NO_PROXY goes around it)`},
	} {
		if err := ask(t, test.transport, fmt.Sprintf(url, "idp")); err.Error() != test.want || !endpoint.MayPass(err) {
			t.Errorf("\n got %v\nwant %s", err, test.want)
		}
	}
	// A proxy for plain HTTP answers in the server's place.
	err := ask(t, tokens.Handler(tokens.Respond(407, "secret")), "http://127.0.0.1:3001/token?key=secret")
	if want := "a proxy answered with status 407: put the proxy's user and password into HTTP_PROXY"; err.Error() != want || endpoint.MayPass(err) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// TestMayPassOthers has errors that are not of Do.
func TestMayPassOthers(t *testing.T) {
	t.Parallel()
	for _, other := range []error{nil, errors.New("of nobody")} {
		if endpoint.MayPass(other) {
			t.Errorf("%v may pass", other)
		}
	}
}

// TestProxyConnect holds the texts for proxies that cannot be used, and whether another attempt may succeed.
func TestProxyConnect(t *testing.T) {
	t.Parallel()
	example := httptest.NewUnstartedServer(http.NotFoundHandler())
	example.StartTLS()
	t.Cleanup(example.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(example.Certificate())
	shake := func(change func(*tls.Config)) func(net.Conn) {
		config := &tls.Config{Certificates: example.TLS.Certificates, MinVersion: tls.VersionTLS12}
		change(config)
		return func(connection net.Conn) { _ = tls.Server(connection, config).Handshake() }
	}
	wants12 := func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }
	wants13 := func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }
	speaks12 := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	writes := func(text string) func(net.Conn) {
		return func(connection net.Conn) { _, _ = io.WriteString(connection, text) }
	}
	good := func(*tls.Config) {}
	strict := func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }
	unknown := func(c *tls.Config) { c.RootCAs = x509.NewCertPool() }
	misnamed := func(c *tls.Config) { c.ServerName = "other.test" }
	late := func(c *tls.Config) {
		c.Time = func() time.Time { return example.Certificate().NotAfter.Add(time.Hour) }
	}
	const (
		unusable  = "the proxy cannot be used: "
		address   = "is the proxy's address right?"
		handshake = "is a client certificate wanted, or another version of TLS? See WithTransport"
	)
	for name, test := range map[string]struct {
		proxy   func(net.Conn)
		client  func(*tls.Config)
		want    string
		mayPass bool
	}{
		"a client certificate, TLS 1.2": {shake(wants12), good, unusable + "the proxy ended the TLS handshake: " + handshake, false},
		"a client certificate, TLS 1.3": {shake(wants13), good, "the server or the proxy ended the TLS handshake: " + handshake, false},
		"another version of TLS":        {shake(speaks12), strict, unusable + "the proxy ended the TLS handshake: " + handshake, false},
		"no handshake of TLS":           {writes("\x16\x03\x03\x00\x04\x63\x00\x00\x00"), good, unusable + "TLS with the proxy failed: " + handshake, true},
		"no TLS":                        {writes("HTTP/1.1 400 secret\r\n\r\n"), good, unusable + "the proxy does not speak TLS: " + address, false},
		"unknown authority":             {shake(good), unknown, unusable + "the proxy's certificate is of an unknown authority: trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates", false},
		"another host":                  {shake(good), misnamed, unusable + "the proxy's certificate is for another host: " + address, false},
		"an expired certificate":        {shake(good), late, unusable + "the proxy's certificate has expired or is not valid yet: have the certificate renewed, unless this machine's clock is wrong", true},
	} {
		listener := listen(t, test.proxy)
		config := &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
		test.client(config)
		transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "https", Host: listener}), TLSClientConfig: config, DisableKeepAlives: true}
		err := ask(t, transport, "https://idp.test/token?key=secret")
		if want := fmt.Sprintf(`the request failed: %s (asked through the proxy %q; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`, test.want, listener); err.Error() != want || endpoint.MayPass(err) != test.mayPass {
			t.Errorf("%s: %t\n got %v\nwant %s", name, endpoint.MayPass(err), err, want)
		}
	}
	nameServer := &net.DNSError{Name: "secret"}
	nameServer.IsTimeout = true
	for name, test := range map[string]struct {
		dial    error
		want    string
		mayPass bool
	}{
		"no such port":   {&net.OpError{Op: "dial", Err: &net.AddrError{Err: "invalid port", Addr: "secret"}}, "the proxy has no valid address: " + address, false},
		"no such host":   {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "secret", IsNotFound: true}}, "the proxy's name cannot be resolved: " + address, true},
		"no name server": {&net.OpError{Op: "dial", Err: nameServer}, "DNS does not answer: can this machine reach its name server?", true},
		"timeout":        {&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "the proxy does not answer in time: " + address, true},
		"no route":       {&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, "no route to host: " + address, true},
		"cut":            {io.EOF, "the connection was cut: " + address, true},
		"anything else":  {errors.New("secret"), "a malformed response, or a fault of the transport: is the proxy's address right, and what does curl -v print for the URL on this machine?", true},
	} {
		dial := func(context.Context, string, string) (net.Conn, error) { return nil, test.dial }
		transport := &http.Transport{Proxy: http.ProxyURL(proxyURL), DialContext: dial, DisableKeepAlives: true}
		err := ask(t, transport, "https://idp.test/token?key=secret")
		if want := "the request failed: " + unusable + test.want + " (asked through the proxy "; !strings.HasPrefix(err.Error(), want) || endpoint.MayPass(err) != test.mayPass {
			t.Errorf("%s: %t\n got %v\nwant %s", name, endpoint.MayPass(err), err, want)
		}
	}
	// As net/http finds the port of HTTPS_PROXY.
	err := ask(t, &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "127.0.0.1:99999"})}, "https://idp.test/token?key=secret")
	if want := "the request failed: the proxy cannot be used: the proxy has no valid address: is the proxy's address right? "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
	// Nobody knows whether the proxy or the server is late.
	transport := &http.Transport{Proxy: http.ProxyURL(proxyURL), DisableKeepAlives: true}
	transport.GetProxyConnectHeader = func(context.Context, *url.URL, string) (http.Header, error) { return nil, os.ErrDeadlineExceeded }
	err = ask(t, transport, "https://idp.test/token?key=secret")
	if want := "the request failed: the server or the proxy does not answer in time: can this machine reach the proxy, and the proxy the server? "; !strings.HasPrefix(err.Error(), want) || !endpoint.MayPass(err) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// TestUnclearProxy has failures for which a proxy may be the cause, and need not be.
func TestUnclearProxy(t *testing.T) {
	t.Parallel()
	header := func(context.Context, *url.URL, string) (http.Header, error) { return nil, syscall.ECONNREFUSED }
	refused := &http.Transport{Proxy: http.ProxyURL(proxyURL), DisableKeepAlives: true, GetProxyConnectHeader: header}
	garbled := &url.URL{Scheme: "http", Host: listen(t, func(connection net.Conn) { _, _ = io.WriteString(connection, "secret\r\n\r\n") })}
	named := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("Forbidden") }}
	for _, test := range []struct {
		transport http.RoundTripper
		url, want string
	}{
		{refused, "https://idp.test", "the request failed: connection refused: does the server run, and are host and port of the URL right? (asked through the proxy "},
		{&http.Transport{Proxy: http.ProxyURL(garbled), DisableKeepAlives: true}, "https://idp.test", "the request failed: a malformed response, or a fault of the transport: did the proxy refuse to connect? (asked through the proxy "},
		{named, "https://idp.test", `the request failed: the proxy refused to connect, with status 403: have the proxy allow "idp.test"`},
	} {
		if err := ask(t, test.transport, test.url); !strings.HasPrefix(err.Error(), test.want) || strings.HasSuffix(test.want, `"`) && err.Error() != test.want {
			t.Errorf("\n got %v\nwant %s", err, test.want)
		}
	}
}

// listen answers a connection, and holds the connection until the client closes it, since an early close may
// lose the answer.
func listen(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		answer(connection)
		_, _ = io.Copy(io.Discard, connection)
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// TestOutsideFailures holds the texts for failed requests, and whether another attempt may succeed.
func TestOutsideFailures(t *testing.T) {
	t.Parallel()
	fails := func(err error) http.RoundTripper {
		return tokens.Handler(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	dial := func(err error) http.RoundTripper {
		return fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	alert := func(text string) http.RoundTripper {
		return fails(&net.OpError{Op: "remote error", Err: errors.New(text)})
	}
	certificate := func(err error) http.RoundTripper { return fails(&tls.CertificateVerificationError{Err: err}) }
	status := func(status int, headers ...string) http.RoundTripper {
		return tokens.Handler(tokens.Respond(status, "secret", headers...))
	}
	const handshake = "the request failed: the server ended the TLS handshake: is a client certificate wanted, or another version of TLS? See WithTransport"
	for name, test := range map[string]struct {
		transport http.RoundTripper
		want      string
		mayPass   bool
	}{
		"no such host":           {fails(&net.DNSError{Name: "secret", IsNotFound: true}), "the request failed: the server's name cannot be resolved: is the URL right, and does this machine's DNS know the host?", true},
		"connection refused":     {dial(syscall.ECONNREFUSED), "the request failed: connection refused: does the server run, and are host and port of the URL right?", true},
		"timeout":                {fails(os.ErrDeadlineExceeded), "the request failed: the server does not answer in time: does a firewall drop the connection, or must the request go through a proxy (HTTPS_PROXY)?", true},
		"cut":                    {fails(io.ErrUnexpectedEOF), "the request failed: the connection was cut: does a proxy or a firewall cut connections?", true},
		"certificate wanted":     {alert("tls: certificate required"), handshake, false},
		"an overloaded server":   {alert("tls: internal error"), handshake, true},
		"plain HTTP":             {fails(http.ErrSchemeMismatch), "the request failed: the server does not speak TLS: is the URL's port right?", false},
		"no TLS":                 {fails(tls.RecordHeaderError{Msg: "secret"}), "the request failed: the server does not speak TLS: is the URL's port right?", false},
		"unknown authority":      {certificate(x509.UnknownAuthorityError{}), "the request failed: the server's certificate is of an unknown authority: trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates", false},
		"another host":           {certificate(x509.HostnameError{Host: "secret"}), "the request failed: the server's certificate is for another host: is the URL's host right?", false},
		"an expired certificate": {certificate(x509.CertificateInvalidError{Reason: x509.Expired}), "the request failed: the server's certificate has expired or is not valid yet: have the certificate renewed, unless this machine's clock is wrong", true},
		"a bare certificate":     {fails(x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}), "the request failed: the server's certificate is not valid: have the certificate replaced", false},
		"no authorities":         {fails(x509.SystemRootsError{}), "the request failed: the server's certificate is of an unknown authority: trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates", false},
		"no route":               {dial(syscall.EHOSTUNREACH), "the request failed: no route to host: can this machine reach the host?", true},
		"an empty text":          {fails(errors.New("")), "the request failed: a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?", true},
		"nothing":                {tokens.Handler(func(*http.Request) (*http.Response, error) { return nil, nil }), "the request failed: a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?", true},
		"a broken certificate":   {certificate(errors.New("secret")), "the request failed: the server's certificate is not valid: have the certificate replaced", false},
		"no address":             {fails(&net.OpError{Op: "dial", Err: &net.AddrError{Err: "invalid port", Addr: "secret"}}), "the request failed: the server has no valid address: are host and port of the URL right?", false},
		"an older TLS":           {fails(errors.New("tls: secret")), "the request failed: TLS with the server failed: is a client certificate wanted, or another version of TLS? See WithTransport", true},
		"anything else":          {fails(errors.New("secret")), "the request failed: a malformed response, or a fault of the transport: what does curl -v print for the URL on this machine?", true},
		"no proxy URL":           {&http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("secret") }}, "the request failed: the proxy's URL cannot be read: look at HTTPS_PROXY", false},

		"404 and a Location":  {status(404, "Location", "https://login.test"), "the endpoint answered with status 404: is the URL right?", false},
		"404":                 {status(404), "the endpoint answered with status 404: is the URL right?", false},
		"408":                 {status(408), "the endpoint answered with status 408: it is tried again later", true},
		"425":                 {status(425), "the endpoint answered with status 425: it is tried again later", true},
		"429":                 {status(429), "the endpoint answered with status 429: it is tried again later", true},
		"500":                 {status(500), "the endpoint answered with status 500: it is tried again later", true},
		"redirect":            {status(302, "Location", "https://user:secret@login.test/a?b=secret#secret"), `the endpoint answered with status 302, a redirect to "https://login.test/a?…", which is not followed: is the URL right?`, false},
		"redirect, relative":  {status(308, "Location", "/oauth2/token"), `the endpoint answered with status 308, a redirect to "https://idp.test/oauth2/token", which is not followed: is the URL right?`, false},
		"redirect, long":      {status(307, "Location", "/"+strings.Repeat("a", 1000)), `the endpoint answered with status 307, a redirect to "https://idp.test/` + strings.Repeat("a", 183) + `…", which is not followed: is the URL right?`, false},
		"redirect, @":         {status(302, "Location", "https://login.test/a@b?hint=secret@secret"), `the endpoint answered with status 302, a redirect to "https://login.test/a@b?…", which is not followed: is the URL right?`, false},
		"redirect, parameter": {status(302, "Location", "https://login.test/a;jsessionid=secret/b"), `the endpoint answered with status 302, a redirect to "https://login.test/a;…", which is not followed: is the URL right?`, false},
		"redirect, escaped":   {status(302, "Location", "/a%3Bid=secret"), `the endpoint answered with status 302, a redirect to "https://idp.test/a;…", which is not followed: is the URL right?`, false},
		"redirect, query":     {status(302, "Location", "/%3Fa=secret"), `the endpoint answered with status 302, a redirect to "https://idp.test/?…", which is not followed: is the URL right?`, false},
		"redirect, no path":   {status(302, "Location", "https://login.test?a=secret"), `the endpoint answered with status 302, a redirect to "https://login.test?…", which is not followed: is the URL right?`, false},
		"redirect, fragment":  {status(302, "Location", "/a#secret"), `the endpoint answered with status 302, a redirect to "https://idp.test/a?…", which is not followed: is the URL right?`, false},
		"redirect, no host":   {status(302, "Location", "mailto:secret"), "the endpoint answered with status 302, a redirect, which is not followed: is the URL right?", false},
		"redirect, no URL":    {status(302, "Location", "https://secret%zz"), "the endpoint answered with status 302, a redirect, which is not followed: is the URL right?", false},
		"redirect to nowhere": {status(302), "the endpoint answered with status 302, a redirect, which is not followed: is the URL right?", false},
		"too large":           {tokens.Handler(tokens.Respond(200, strings.Repeat(" ", endpoint.MaxBody+1))), "the response is larger than 1048576 bytes: is the URL right?", false},
	} {
		if err := ask(t, test.transport, "https://idp.test/token?key=secret"); err.Error() != test.want || endpoint.MayPass(err) != test.mayPass {
			t.Errorf("%s: %t\n got %v\nwant %s", name, endpoint.MayPass(err), err, test.want)
		}
	}
	// What net/http itself makes of servers.
	quiet := log.New(io.Discard, "", 0)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	wrong := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{ServerName: "other.test", RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}}
	wrong.TLSClientConfig.RootCAs.AddCert(secure.Certificate())
	for url, test := range map[string]struct {
		transport http.RoundTripper
		want      string
	}{
		secure.URL:       {&http.Transport{DisableKeepAlives: true}, "the request failed: the server's certificate is of an unknown authority: "},
		secure.URL + "/": {wrong, "the request failed: the server's certificate is for another host: "},
		"https" + strings.TrimPrefix(plain.URL, "http"): {&http.Transport{DisableKeepAlives: true}, "the request failed: the server does not speak TLS: "},
	} {
		if err := ask(t, test.transport, url); !strings.HasPrefix(err.Error(), test.want) || endpoint.MayPass(err) {
			t.Errorf("%t\n got %v\nwant %s", endpoint.MayPass(err), err, test.want)
		}
	}
}

// TestRedirectOfSecrets makes sure that the error for a redirect shows nothing that could repeat a secret of the request.
func TestRedirectOfSecrets(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"https://idp.test/secret":        `"https://idp.test/…"`,
		"/secret?secret":                 `"https://idp.test/…"`,
		"https://secret.idp.test/":       "another host",
		"https://secret.evil.test/oidc":  "another host",
		"https://idp.test:8443/a/secret": "another host",
	} {
		for name, body := range map[string]io.Reader{"a form": strings.NewReader("token=secret"), "a header": nil} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://idp.test/token", body)
			if err != nil {
				t.Fatal(err)
			}
			if body == nil {
				request.Header.Set("Authorization", "Bearer secret")
			}
			_, _, err = new(endpoint.PlainHTTP).Do(tokens.Handler(tokens.Respond(302, "secret", "Location", location)), request, "is the URL right?", 200)
			if want := "the endpoint answered with status 302, a redirect to " + want + ", which is not followed: is the URL right?"; err == nil || err.Error() != want {
				t.Errorf("%s, %s: %v, want %s", name, location, err, want)
			}
		}
	}
}
