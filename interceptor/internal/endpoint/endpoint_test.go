package endpoint_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"https://idp.test/oidc":      true,
		"https://idp.test?tenant=a":  true,
		"http://127.0.0.1:3001/oidc": true,
		"http://127.9.9.9":           true,
		"http://[::1]:3001":          true,
		"http://localhost:3001":      true,

		"":                                         false,
		"idp.test":                                 false,
		"//idp.test":                               false,
		"https://":                                 false,
		"https://:443":                             false,
		"https://idp.test:":                        false,
		"https://idp test":                         false,
		"https://.idp.test":                        false,
		"https://idp.test/a b":                     false,
		"https://idp.test/\u00a0":                  false,
		endpoint.DomainURL("idp.test\n", "/a"):     false,
		endpoint.DomainURL(".idp.test", "/a"):      false,
		"https://idp.test%2Foidc":                  false,
		"https://user@idp.test":                    false,
		"https://idp.test/#part":                   false,
		"https://idp.test#":                        false,
		"HTTPS://idp.test":                         false,
		"ftp://idp.test":                           false,
		"http://idp.test":                          false,
		"http://0.0.0.0":                           false,
		"http://192.168.0.1":                       false,
		"http://localhost.idp.test":                false,
		"http://127.0.0.1@idp.test":                false,
		"http://127.0.0.1.idp.test":                false,
		endpoint.DomainURL("idp.test", "/a"):       true,
		endpoint.DomainURL("idp.test/evil", "/a"):  false,
		endpoint.DomainURL("x@idp.test", "/a"):     false,
		endpoint.DomainURL("https://a.test", "/a"): false,
	} {
		if err := (endpoint.PlainHTTP{}).CheckURL(url); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, blank := range []string{"", " ", "\t\n"} {
		if got := endpoint.DomainURL(blank, "/a") + endpoint.WithPath(blank, "/a"); got != "" {
			t.Errorf("%q becomes %q", blank, got)
		}
	}
	for url, want := range map[string]string{"": "it is empty", "idp.test": "it does not begin with https://"} {
		if err := (endpoint.PlainHTTP{}).CheckURL(url); err == nil || err.Error() != want {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestIsIdentifier(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"acme.com": true, "P2abcDEF": true, "urn:acme:idp": true, "http://idp.test/a": true, "https://idp.test": true, "idp.test/oidc": true, "localhost:3000": true,
		"": false, " ": false, "acme.com\n": false, "a b": false, "http://": false, "//": false, "http:///a": false, ":": false, "a/b:c": false, "127.0.0.1:80": false,
		"http://user@idp.test": false, "https://user:secret@idp.test/": false, "%": false,
	} {
		if got := endpoint.IsIdentifier(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestNotJSON(t *testing.T) {
	t.Parallel()
	const wide, binary = ": it is in UTF-16 or UTF-32: it must be sent or saved in UTF-8", ": it is binary, and not JSON: advice"
	for body, want := range map[string]string{
		"":                   ": it is empty: advice",
		"\t":                 ": it is empty: advice",
		"\ufeff{}":           ": it has two byte order marks: advice",
		"\x1f\x8b":           ": it is compressed, and Content-Encoding does not name the compression: the endpoint must name the compression, or send the answer without compression",
		"\xff\xfe":           wide,
		"\xfe\xff":           wide,
		"\x00\x00\xfe\xff":   wide,
		"{\x00}\x00":         wide,
		" \x00":              wide,
		"[\x00":              wide,
		"\x00{":              wide,
		"\x00\x00\x00<":      wide,
		"\x00\x00{":          binary,
		"\x00\x00\x00\x00{":  binary,
		"\x00":               binary,
		"x\x00":              binary,
		"\x00x":              binary,
		"<":                  ": it is HTML or XML, such as a page for signing in or an error page: advice",
		"{\"a\":\"\x00":      ": it is cut short, or has a mistake: advice",
		"{":                  ": it is cut short, or has a mistake: advice",
		"{\xff":              ": it has bytes that are not UTF-8: it must be sent or saved in UTF-8",
		"[]":                 ": it is JSON, but not an object: advice",
		"1":                  ": it is JSON, but not an object: advice",
		"access_token=a&b=c": ": advice",
	} {
		if err := endpoint.NotJSON([]byte(body), "advice"); err.Error() != "not a JSON object in UTF-8"+want {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestDisplayURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                                   "",
		"https://idp.test/a":                 "https://idp.test/a",
		"https://user:secret@idp.test":       "xxxxx@idp.test",
		"user:secret@secret@idp.test":        "xxxxx@idp.test",
		"https://idp.test/a?key=secret":      "https://idp.test/a?…",
		"https://idp.test/a#secret":          "https://idp.test/a?…",
		"https://user:secret@idp.test/?a#b":  "xxxxx@idp.test/?…",
		"https://user:se?cret@idp.test":      "xxxxx",
		"https://idp.test/?key=sec@ret":      "xxxxx",
		"https://idp.test/#sec@ret":          "xxxxx",
		"?key=secret":                        "?…",
		"?key=sec@ret":                       "xxxxx",
		"@idp.test":                          "xxxxx@idp.test",
		strings.Repeat("a", 200):             strings.Repeat("a", 200),
		strings.Repeat("é", 101):             strings.Repeat("é", 100) + "…",
		"a" + strings.Repeat("é", 100) + "?": "a" + strings.Repeat("é", 99) + "…",
	} {
		if got := endpoint.DisplayURL(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
	}
}

// TestWithPath makes sure that no path becomes a host.
func TestWithPath(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://idp.test":              "https://idp.test/oidc",
		"https://idp.test/":             "https://idp.test/oidc",
		"https://idp.test/oidc":         "https://idp.test/oidc",
		"https://idp.test/oidc/":        "https://idp.test/oidc",
		"https://idp.test/a/oidc":       "https://idp.test/a/oidc",
		"https://user:secret@idp.test/": "https://user:secret@idp.test/oidc",
		"https://oidc":                  "https://oidc/oidc",
		"https://oidc/":                 "https://oidc/oidc",
		"https://oidc/oidc/":            "https://oidc/oidc",
		"http://localhost:3001":         "http://localhost:3001/oidc",
		"/":                             "",
		"/oidc":                         "",
		"/oidc/":                        "",
	} {
		if got := endpoint.WithPath(base, "/oidc"); got != want {
			t.Errorf("%q becomes %q, want %q", base, got, want)
		}
	}
	for _, base := range []string{
		"https:", "https:/", "https://", "https:///", "https:///oidc", "https:///oidc/", "https:/oidc", "https://:443", "https://:443/", "https://user:secret@", "https://user@/oidc",
		"https://user@:443", "https://?", "https://?a=b", "https:///?a=b", "https://#", "https://#/oidc", "https://\n", "https:// ", " https://", "https://%", "//", "://", "://oidc", "oidc", "idp.test",
	} {
		got := endpoint.WithPath(endpoint.WithPath(base, "/oidc"), "/token")
		if err := (endpoint.PlainHTTP{}).CheckURL(got); got != base || err == nil {
			t.Errorf("%q becomes %q, %v", base, got, err)
		}
	}
}

// TestTransport makes sure that the default transport is a copy with settings of its own.
func TestTransport(t *testing.T) { //nolint:paralleltest // it changes http.DefaultTransport
	shared := http.DefaultTransport
	defer func() { http.DefaultTransport = shared }()
	transport := tokens.As[*http.Transport](endpoint.Transport())
	original := tokens.As[*http.Transport](shared)
	if transport == original || !transport.DisableKeepAlives || original.DisableKeepAlives || transport.MaxResponseHeaderBytes != 64<<10 {
		t.Errorf("a copy: %t, without idle connections: %t, headers of %d bytes", transport != original, transport.DisableKeepAlives, transport.MaxResponseHeaderBytes)
	}
	for status, refused := range map[int]bool{200: false, 201: true, 403: true} {
		if err := transport.OnProxyConnectResponse(t.Context(), nil, nil, &http.Response{StatusCode: status}); (err != nil) != refused {
			t.Errorf("a proxy that answers with status %d: %v", status, err)
		}
	}
	own := errors.New("own")
	custom := original.Clone()
	custom.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error { return own }
	http.DefaultTransport = custom
	if err := tokens.As[*http.Transport](endpoint.Transport()).OnProxyConnectResponse(t.Context(), nil, nil, nil); !errors.Is(err, own) {
		t.Errorf("the hook of http.DefaultTransport is replaced: %v", err)
	}
	http.DefaultTransport = hidden{original}
	if got := endpoint.KeptTransport(); got != http.DefaultTransport {
		t.Errorf("another default transport is replaced by %T", got)
	}
	if got := endpoint.Transport(); got != http.DefaultTransport {
		t.Errorf("a transport of another type became %T", got)
	}
}

// A closable body notes whether it was closed.
type closable struct {
	io.Reader

	closed bool
}

func (c *closable) Close() error {
	c.closed = true
	return nil
}

func TestBodyIsClosed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 404} {
		body := &closable{Reader: strings.NewReader("{}")}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://idp.test/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = (endpoint.PlainHTTP{}).Do(tokens.Handler(func(request *http.Request) (*http.Response, error) {
			response, err := tokens.Respond(status, "")(request)
			response.Body = body
			return response, err
		}), request, "advice", 200)
		if !body.closed {
			t.Errorf("status %d: the body is left open", status)
		}
	}
}

// failing is a body that breaks off.
type failing struct{ io.Reader }

func (failing) Close() error { return nil }

func TestDo(t *testing.T) {
	t.Parallel()
	const url = "https://idp.test/token?key=secret"
	respond := tokens.Respond
	for _, test := range []struct {
		name   string
		serve  tokens.Handler
		body   string
		status int
		good   bool
	}{
		{"good", respond(200, "{}"), "{}", 200, true},
		{"another status that counts", respond(400, "no"), "no", 400, true},
		{"as large as may be", respond(200, strings.Repeat(" ", endpoint.MaxBody)), strings.Repeat(" ", endpoint.MaxBody), 200, true},
		{"larger", respond(200, strings.Repeat(" ", endpoint.MaxBody+1)), "", 200, false},
		{"a status that does not count", respond(201, "secret"), "", 201, false},
		{"a redirect", respond(307, "secret", "Location", "https://user:secret@evil.test/?secret#secret"), "", 307, false},
		{"no answer", func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") }, "", 0, false},
		{"half an answer", func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = failing{io.MultiReader(strings.NewReader("secret"), failure{})}
			return response, err
		}, "", 200, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			idp := tokens.NewIDP()
			idp.Serve(url, test.serve)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("secret"))
			if err != nil {
				t.Fatal(err)
			}
			body, status, err := (endpoint.PlainHTTP{}).Do(idp, request, "advice", 200, 400)
			if string(body) != test.body || status != test.status || (err == nil) != test.good {
				t.Errorf("%.20q, %d, %v", body, status, err)
			}
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				if strings.Contains(cause.Error(), "secret") {
					t.Errorf("a secret is told: %v", cause)
				}
			}
			if idp.Count("") != 1 {
				t.Errorf("asked: %q", idp.Requested())
			}
		})
	}
}

type failure struct{}

func (failure) Read([]byte) (int, error) { return 0, errors.New("secret") }

// TestKeptTransport makes sure that connections are kept over HTTP/2 alone.
func TestKeptTransport(t *testing.T) {
	t.Parallel()
	for want, http2 := range map[int64]bool{3: false, 1: true} {
		var connections atomic.Int64
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.EnableHTTP2 = http2
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.StartTLS()
		t.Cleanup(server.Close)
		transport, ok := endpoint.KeptTransport().(*http.Transport)
		if !ok {
			t.Fatal("it is another transport")
		}
		t.Cleanup(transport.CloseIdleConnections)
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
		for range 3 {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := new(endpoint.PlainHTTP).Do(transport, request, "", http.StatusNotFound); err != nil {
				t.Fatal(err)
			}
		}
		if got := connections.Load(); got != want {
			t.Errorf("HTTP/2 %t: %d connections, want %d", http2, got, want)
		}
	}
}
