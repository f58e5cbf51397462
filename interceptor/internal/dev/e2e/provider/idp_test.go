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

// An idp is a running identity provider: provider.mjs, or one in this process.
type idp struct {
	issuer    string
	endpoints endpoints
	client    *http.Client
}

// endpoints are the members of discovery (OpenID Connect Discovery 1.0 section 3) that a client calls.
type endpoints struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
}

// startIDP starts an identity provider that issues the tokens of Logto.
func startIDP(t *testing.T) *idp {
	t.Helper()
	return startShape(t, "logto")
}

// startShape starts an identity provider of a shape in shapes.mjs, with more clients.
func startShape(t *testing.T, shape string, clients ...registration) *idp {
	t.Helper()
	_, node := e2e.NodeModules(t, ".")
	more, err := json.Marshal(append([]registration{}, clients...))
	if err != nil {
		t.Fatal(err)
	}
	var ready struct{ Issuer string }
	if line := start(t, node, "provider.mjs", shape, string(more)); json.Unmarshal([]byte(line), &ready) != nil {
		t.Fatalf("the identity provider says %q", line)
	}
	return discover(t, ready.Issuer)
}

// discover returns the identity provider of an issuer.
func discover(t *testing.T, issuer string) *idp {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: connections}
	t.Cleanup(transport.CloseIdleConnections)
	i := &idp{issuer: issuer, client: &http.Client{Transport: transport, Timeout: e2e.Patience}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := i.do(request)
	if err == nil {
		err = json.Unmarshal(document, &i.endpoints)
	}
	if err != nil || i.endpoints.Token == "" {
		t.Fatalf("%s: %s, %v", request.URL, document, err)
	}
	return i
}

// A registration is the metadata of a client (RFC 7591 section 2).
type registration map[string]any

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
	AccessToken  string  `json:"access_token"`
	IDToken      string  `json:"id_token"`
	RefreshToken string  `json:"refresh_token"`
	Refusal      refusal `json:"error"`
}

func (i *idp) exchange(ctx context.Context, client string, form url.Values) (issued tokens, err error) {
	body, err := i.post(ctx, i.endpoints.Token, client, form)
	if err != nil {
		return issued, err
	}
	if err = json.Unmarshal(body, &issued); err == nil && issued.Refusal != "" {
		err = issued.Refusal
	}
	return issued, err
}

// post sends a form as a client (RFC 6749 section 2.3.1).
func (i *idp) post(ctx context.Context, endpoint, client string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(client+"-secret"))
	return i.do(request)
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

// A login is a request of a user's client for the tokens of a user.
type login struct{ client, resource, scope string }

// signIn obtains the tokens of a user, by the authorization code flow (OpenID Connect Core 1.0 section 3.1).
func (i *idp) signIn(t *testing.T, l login) tokens {
	t.Helper()
	answer := i.authorize(t, l, url.Values{"response_type": {"code"}})
	issued, err := i.exchange(t.Context(), l.client, url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {callback},
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

const callback = "https://web.example.com/callback"

// authorize signs in a user, and returns what the client's page gets.
func (i *idp) authorize(t *testing.T, l login, query url.Values) url.Values {
	t.Helper()
	var answer url.Values
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{
		Transport: i.client.Transport,
		Timeout:   e2e.Patience,
		Jar:       jar,
		CheckRedirect: func(request *http.Request, _ []*http.Request) (err error) {
			if !strings.HasPrefix(request.URL.String(), callback) {
				return nil
			}
			if answer, err = url.ParseQuery(request.URL.RawQuery + request.URL.Fragment); err != nil {
				return err
			}
			return http.ErrUseLastResponse
		},
	}
	query.Set("client_id", l.client)
	query.Set("redirect_uri", callback)
	query.Set("scope", strings.TrimSpace("openid "+l.scope))
	if l.resource != "" {
		query.Set("resource", l.resource)
	}
	response, err := browser.Get(i.endpoints.Authorization + "?" + query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return answer
}

// rotate publishes these generations of keys, and signs with the keys of the first. It is safe for
// concurrent use.
func (i *idp) rotate(ctx context.Context, generations ...int) error {
	var keys []string
	for _, generation := range generations {
		keys = append(keys, strconv.Itoa(generation))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.control("rotate?keys="+strings.Join(keys, ",")), nil)
	if err != nil {
		return err
	}
	_, err = i.do(request)
	return err
}

// control returns the URL of what provider.mjs serves beside OpenID Connect.
func (i *idp) control(path string) string { return originOf(i.issuer) + "/control/" + path }

// originOf returns the scheme and the host of a URL.
func originOf(raw string) string {
	parsed, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return parsed.Scheme + "://" + parsed.Host
}

// fetches returns how often the key set was served.
func (i *idp) fetches(t *testing.T) int {
	t.Helper()
	return i.count(t, "fetches")
}

// introspections returns how often a token was introspected.
func (i *idp) introspections(t *testing.T) int {
	t.Helper()
	return i.count(t, "introspections")
}

func (i *idp) count(t *testing.T, what string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.control(what), nil)
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
