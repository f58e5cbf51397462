package endpoint_test

import (
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
	"syscall"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
)

// hidden is a transport whose proxy nobody sees from outside, as that of a library for traces.
type hidden struct{ http.RoundTripper }

// ask returns the error of a request.
func ask(t *testing.T, transport http.RoundTripper, url string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = endpoint.Do(transport, request, "is the URL right?", http.StatusOK)
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
		{"s502", `the proxy refused to connect, with status 502: can the proxy reach "s502.test"?`, true},
		{"s504", `the proxy refused to connect, with status 504: can the proxy reach "s504.test"?`, true},
		{"s429", `the proxy refused to connect, with status 429: can the proxy reach "s429.test"?`, true},
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
	err := ask(t, tokentest.Handler(tokentest.Respond(407, "secret")), "http://127.0.0.1:3001/token?key=secret")
	if want := "a proxy answered with status 407: put the proxy's user and password into HTTP_PROXY"; err.Error() != want || endpoint.MayPass(err) {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// TestOutsideFailures holds the texts for failed requests, and whether another attempt may succeed.
func TestOutsideFailures(t *testing.T) {
	t.Parallel()
	fails := func(err error) http.RoundTripper {
		return tokentest.Handler(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	dial := func(err error) http.RoundTripper {
		return fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	alert := func(text string) http.RoundTripper {
		return fails(&net.OpError{Op: "remote error", Err: errors.New(text)})
	}
	certificate := func(err error) http.RoundTripper { return fails(&tls.CertificateVerificationError{Err: err}) }
	status := func(status int, headers ...string) http.RoundTripper {
		return tokentest.Handler(tokentest.Respond(status, "secret", headers...))
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
		"a broken certificate":   {certificate(errors.New("secret")), "the request failed: the server's certificate is not valid: have the certificate replaced", false},
		"anything else":          {fails(errors.New("secret")), "the request failed: a malformed response, or a fault of the transport: what does curl -v say of the URL on this machine?", true},
		"no proxy URL":           {&http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("secret") }}, "the request failed: the proxy's URL cannot be read: look at HTTPS_PROXY", false},

		"404":                 {status(404), "the endpoint answered with status 404: is the URL right?", false},
		"408":                 {status(408), "the endpoint answered with status 408: it is tried again later", true},
		"425":                 {status(425), "the endpoint answered with status 425: it is tried again later", true},
		"429":                 {status(429), "the endpoint answered with status 429: it is tried again later", true},
		"500":                 {status(500), "the endpoint answered with status 500: it is tried again later", true},
		"redirect":            {status(302, "Location", "https://user:secret@login.test/a?b=secret#secret"), `the endpoint answered with status 302, a redirect to "xxxxx@login.test/a?…", which is not followed: is the URL right?`, false},
		"redirect, relative":  {status(308, "Location", "/oauth2/token"), `the endpoint answered with status 308, a redirect to "https://idp.test/oauth2/token", which is not followed: is the URL right?`, false},
		"redirect, long":      {status(307, "Location", "/"+strings.Repeat("a", 1000)), `the endpoint answered with status 307, a redirect to "https://idp.test/` + strings.Repeat("a", 183) + `…", which is not followed: is the URL right?`, false},
		"redirect to nowhere": {status(302), "the endpoint answered with status 302, a redirect, which is not followed: is the URL right?", false},
		"too large":           {tokentest.Handler(tokentest.Respond(200, strings.Repeat(" ", endpoint.MaxBody+1))), "the response is larger than 1048576 bytes: is the URL right?", false},
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
