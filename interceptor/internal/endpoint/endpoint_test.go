package endpoint_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
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
		if err := endpoint.CheckURL(url); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, blank := range []string{"", " ", "\t\n"} {
		if got := endpoint.DomainURL(blank, "/a") + endpoint.Below(blank, "/a"); got != "" {
			t.Errorf("%q becomes %q", blank, got)
		}
	}
	// The text is for the one who has to mend it.
	if err := endpoint.CheckURL("idp.test"); err == nil || err.Error() != "it does not begin with https://" {
		t.Error(err)
	}
	if got := endpoint.DisplayURL("https://user:secret@idp.test"); got != "xxxxx@idp.test" {
		t.Error(got)
	}
}

// failing is a body that breaks off.
type failing struct{ io.Reader }

func (failing) Close() error { return nil }

func TestDo(t *testing.T) {
	t.Parallel()
	const url = "https://idp.test/token?key=secret"
	respond := tokentest.Respond
	for _, test := range []struct {
		name   string
		serve  tokentest.Handler
		body   string
		status int
		good   bool
	}{
		{"good", respond(200, "{}"), "{}", 200, true},
		{"another status that counts", respond(400, "no"), "no", 400, true},
		{"as large as may be", respond(200, strings.Repeat(" ", endpoint.MaxBody)), strings.Repeat(" ", endpoint.MaxBody), 200, true},
		{"larger", respond(200, strings.Repeat(" ", endpoint.MaxBody+1)), "", 200, false},
		{"a status that does not count", respond(201, "secret"), "", 201, false},
		{"a redirect", respond(307, "secret", "Location", "https://evil.test/secret"), "", 307, false},
		{"no answer", func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") }, "", 0, false},
		{"half an answer", func(request *http.Request) (*http.Response, error) {
			response, err := respond(200, "")(request)
			response.Body = failing{io.MultiReader(strings.NewReader("secret"), failure{})}
			return response, err
		}, "", 200, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			idp := tokentest.NewIDP()
			idp.Serve(url, test.serve)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("secret"))
			if err != nil {
				t.Fatal(err)
			}
			body, status, err := endpoint.Do(idp, request, 200, 400)
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

// TestProxyIsNamed makes sure that the error names the proxy that was asked, and not its password.
func TestProxyIsNamed(t *testing.T) {
	t.Parallel()
	const want = `the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (asked through the proxy "127.0.0.1:1"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`
	proxy := http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("user", "secret"), Host: "127.0.0.1:1"})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://idp.test/token?key=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = endpoint.Do(&http.Transport{Proxy: proxy, DisableKeepAlives: true}, request, http.StatusOK); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
