package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// connections are kept open to each server, for each goroutine of a load.
const connections = 8

// An idp is a running identity provider: provider.mjs.
type idp struct {
	endpoint string
	client   *http.Client
}

func startIDP(t *testing.T) *idp {
	t.Helper()
	_, node := e2e.NodeModules(t, ".")
	var ready struct{ Endpoint string }
	if line := start(t, node, "provider.mjs"); json.Unmarshal([]byte(line), &ready) != nil {
		t.Fatalf("the identity provider says %q", line)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	return &idp{endpoint: ready.Endpoint, client: &http.Client{Transport: transport, Timeout: e2e.Patience}}
}

func (i *idp) issuer() string { return i.endpoint + "/oidc" }

// A grant is a request for a token by client credentials (RFC 6749 section 4.4).
type grant struct{ client, resource, organization, scope string }

// with returns the grant with another scope.
func (g grant) with(scope string) grant {
	g.scope = scope
	return g
}

// A refusal is the `error` of a token response (RFC 6749 section 5.2).
type refusal string

func (r refusal) Error() string { return "the identity provider refuses: " + string(r) }

// token obtains an access token. It is safe for concurrent use. If the identity provider refuses, the error
// is a [refusal].
func (i *idp) token(ctx context.Context, g grant) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range map[string]string{"resource": g.resource, "organization_id": g.organization, "scope": g.scope} {
		if value != "" {
			form.Set(name, value)
		}
	}
	issued, err := i.exchange(ctx, g.client, form)
	return issued.AccessToken, err
}

// obtain returns an access token, or ends the test.
func (i *idp) obtain(t *testing.T, g grant) string {
	t.Helper()
	issued, err := i.token(t.Context(), g)
	if err != nil {
		t.Fatalf("%+v: %v", g, err)
	}
	return issued
}

type tokens struct {
	AccessToken string  `json:"access_token"`
	IDToken     string  `json:"id_token"`
	Refusal     refusal `json:"error"`
}

func (i *idp) exchange(ctx context.Context, client string, form url.Values) (issued tokens, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.issuer()+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return issued, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, client+"-secret")
	body, err := i.do(request)
	if err != nil {
		return issued, err
	}
	if err = json.Unmarshal(body, &issued); err == nil && issued.Refusal != "" {
		err = issued.Refusal
	}
	return issued, err
}

func (i *idp) do(request *http.Request) ([]byte, error) {
	response, err := i.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusInternalServerError {
		err = fmt.Errorf("%s answers %s", request.URL.Path, response.Status)
	}
	return body, err
}

// signIn obtains the tokens of a user, by the authorization code flow (OpenID Connect Core 1.0
// section 3.1).
func (i *idp) signIn(t *testing.T, resource, scope string) tokens {
	t.Helper()
	const callback = "https://web.example.com/callback"
	var code string
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Transport: i.client.Transport,
		Timeout:   e2e.Patience,
		Jar:       jar,
		CheckRedirect: func(request *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(request.URL.String(), callback) {
				code = request.URL.Query().Get("code")
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	query := url.Values{
		"client_id": {"web"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {strings.TrimSpace("openid " + scope)},
	}
	if resource != "" {
		query.Set("resource", resource)
	}
	response, err := browser.Get(i.issuer() + "/auth?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	issued, err := i.exchange(t.Context(), "web", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback},
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// rotate publishes these generations of keys, and signs with the keys of the first. It is safe for
// concurrent use.
func (i *idp) rotate(ctx context.Context, generations ...int) error {
	var keys []string
	for _, generation := range generations {
		keys = append(keys, strconv.Itoa(generation))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.endpoint+"/control/rotate?keys="+strings.Join(keys, ","), nil)
	if err != nil {
		return err
	}
	_, err = i.do(request)
	return err
}

// fetches returns how often the key set was served.
func (i *idp) fetches(t *testing.T) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.endpoint+"/control/fetches", nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := i.do(request)
	if err != nil {
		t.Fatal(err)
	}
	count, err := strconv.Atoi(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// A jwt holds the header and the claims of a token, unverified.
type jwt struct{ header, payload map[string]any }

func decode(raw string) (jwt, error) {
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		return jwt{}, errors.New("no JWT")
	}
	var result jwt
	for n, into := range []*map[string]any{&result.header, &result.payload} {
		decoded, err := base64.RawURLEncoding.DecodeString(segments[n])
		if err != nil {
			return jwt{}, err
		}
		if err := json.Unmarshal(decoded, into); err != nil {
			return jwt{}, err
		}
	}
	return result, nil
}

// keyID returns the `kid` of a token.
func keyID(raw string) string {
	decoded, err := decode(raw)
	if err != nil {
		return ""
	}
	id, _ := decoded.header["kid"].(string)
	return id
}
