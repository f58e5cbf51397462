package identify_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/identify"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	const metadata = "https://idp.test/a/.well-known/openid-configuration"
	idp := tokens.NewIDP()
	respond := func(status int, body string) {
		idp.Serve(metadata, tokens.Respond(status, body))
	}
	respond(http.StatusOK, `{"issuer": "https://idp.test/a/", "jwks_uri": "https://idp.test/jwks", "id_token_signing_alg_values_supported": ["RS256", "ES256"], "other": 1}`)
	for _, issuer := range []string{"https://idp.test/a", "https://idp.test/a/"} {
		d, err := identify.Discover(t.Context(), idp, issuer)
		if err != nil || d.URL != metadata || d.Issuer != "https://idp.test/a/" || d.KeySetURL != "https://idp.test/jwks" || !slices.Equal(d.Algorithms, []string{"RS256", "ES256"}) {
			t.Errorf("%s: %+v, %v", issuer, d, err)
		}
	}
	for _, issuer := range []string{"", "acme.com", "http://127.0.0.1/a", "https://idp.test/a?x=1", "https://idp.test/a#x", "https://user:pass@idp.test/a", "https://"} {
		if _, err := identify.Discover(t.Context(), tokens.Handler(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s is fetched", issuer)
			return nil, errors.New("no")
		}), issuer); err == nil || !strings.HasPrefix(err.Error(), "iss") {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	for body, status := range map[string]int{"": 200, "<html>": 200, `{"issuer": "a", "issuer": "b"}`: 200, "{}": 404, strings.Repeat(" ", 2<<20): 200} {
		respond(status, body)
		if d, err := identify.Discover(t.Context(), idp, "https://idp.test/a"); err == nil {
			t.Errorf("%.20q: %+v", body, d)
		}
	}
	idp.Serve(metadata, func(request *http.Request) (*http.Response, error) {
		response, err := tokens.Respond(http.StatusFound, "")(request)
		response.Header = http.Header{"Location": {"https://169.254.169.254/latest"}}
		return response, err
	})
	idp.Serve("https://169.254.169.254/latest", func(*http.Request) (*http.Response, error) {
		t.Error("a redirect is followed")
		return nil, errors.New("no")
	})
	if _, err := identify.Discover(t.Context(), idp, "https://idp.test/a"); err == nil || !strings.Contains(err.Error(), "not followed") {
		t.Errorf("a redirect: %v", err)
	}
}
