package devissuer_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

var secrets = map[string]string{"full": "full-secret", "reader": "reader-secret", "noroles": "no roles: +%&="}

// TestTokensAreLogtos sends requests that a real Logto server has answered, and compares the claims
// except times, token id, issuer and client ids. The names are the names of the recorded tokens.
func TestTokensAreLogtos(t *testing.T) {
	t.Parallel()
	const (
		org  = "urn:logto:organization:xqki9rxdl206"
		org2 = "urn:logto:organization:mracn5idm81j"
	)
	type claims = map[string]any
	tests := []struct {
		name   string
		client string
		form   url.Values
		want   claims // with sub and client_id, which are always the client
	}{
		{"1-global-api", "full", url.Values{"resource": {api}, "scope": {"read:products write:orders"}},
			claims{"aud": api, "scope": "read:products write:orders"}},
		{"1b-global-api-subset", "full", url.Values{"resource": {api}, "scope": {"read:products"}},
			claims{"aud": api, "scope": "read:products"}},
		{"1c-global-api-noscope-param", "full", url.Values{"resource": {api}},
			claims{"aud": api}},
		{"1d-global-api-ungranted-scope-only", "full", url.Values{"resource": {api}, "scope": {"read:data"}},
			claims{"aud": api}},
		{"1e-global-api-reader", "reader", url.Values{"resource": {api}, "scope": {"read:products write:orders"}},
			claims{"aud": api, "scope": "read:products"}},
		{"1f-global-api-noroles", "noroles", url.Values{"resource": {api}, "scope": {"read:products write:orders"}},
			claims{"aud": api}},
		{"1g-global-other-api", "full", url.Values{"resource": {other}, "scope": {"read:products other:scope"}},
			claims{"aud": other, "scope": "read:products other:scope"}},
		{"1i-global-api-unknown-and-dup-scope", "full",
			url.Values{"resource": {api}, "scope": {"write:orders nope write:orders  read:products"}},
			claims{"aud": api, "scope": "write:orders read:products"}},
		{"2-org-nonapi", "full", url.Values{"organization_id": {"xqki9rxdl206"}, "scope": {"invite:member manage:billing"}},
			claims{"aud": org, "scope": "manage:billing invite:member"}},
		{"2b-org-nonapi-noscope", "full", url.Values{"organization_id": {"xqki9rxdl206"}},
			claims{"aud": org, "scope": ""}},
		{"2c-org-nonapi-viewer", "reader", url.Values{"organization_id": {"xqki9rxdl206"}, "scope": {"invite:member manage:billing"}},
			claims{"aud": org, "scope": "invite:member"}},
		{"2d-org2-nonapi", "full", url.Values{"organization_id": {"mracn5idm81j"}, "scope": {"invite:member manage:billing"}},
			claims{"aud": org2, "scope": "invite:member"}},
		{"2e-org-nonapi-noroles", "noroles", url.Values{"organization_id": {"xqki9rxdl206"}, "scope": {"invite:member"}},
			claims{"aud": org, "scope": ""}},
		{"2f-org-nonapi-with-api-scopes", "full",
			url.Values{"organization_id": {"xqki9rxdl206"}, "scope": {"invite:member manage:billing read:data write:settings"}},
			claims{"aud": org, "scope": "manage:billing invite:member"}},
		{"3-org-api", "full", url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:data write:settings"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206", "scope": "read:data write:settings"}},
		{"3b-org2-api", "full", url.Values{"resource": {api}, "organization_id": {"mracn5idm81j"}, "scope": {"read:data write:settings"}},
			claims{"aud": api, "organization_id": "mracn5idm81j", "scope": "read:data"}},
		{"3c-org-api-noscope", "full", url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206"}},
		{"3d-org-api-viewer", "reader", url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:data write:settings"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206", "scope": "read:data"}},
		{"3e-org-api-noroles", "noroles", url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:data"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206"}},
		{"3f-org-other-api", "full", url.Values{"resource": {other}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:products other:scope"}},
			claims{"aud": other, "organization_id": "xqki9rxdl206"}},
		{"3g-org-api-with-org-scopes", "full",
			url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:data write:settings invite:member"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206", "scope": "read:data write:settings"}},
		{"3h global scopes are not the organization's", "full",
			url.Values{"resource": {api}, "organization_id": {"xqki9rxdl206"}, "scope": {"read:products write:orders"}},
			claims{"aud": api, "organization_id": "xqki9rxdl206"}},
		{"4b-empty-org-id", "full", url.Values{"resource": {api}, "organization_id": {""}, "scope": {"read:products write:orders"}},
			claims{"aud": api, "scope": "read:products write:orders"}},
		{"empty resource", "full", url.Values{"resource": {""}, "organization_id": {"xqki9rxdl206"}, "scope": {"invite:member"}},
			claims{"aud": org, "scope": "invite:member"}},
	}
	jti := regexp.MustCompile(`^[A-Za-z0-9_-]{21}$`)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // its clock stands still, at 946684800
				issuer := newIssuer(t, logtoTenant())
				test.form.Set("grant_type", "client_credentials")
				response := serve(issuer, tokenRequest(test.form.Encode(), test.client, secrets[test.client]))
				if response.Code != http.StatusOK || response.Header().Get("Cache-Control") != "no-store" ||
					response.Header().Get("Content-Type") != "application/json" {
					t.Fatalf("%d %v %s", response.Code, response.Header(), response.Body)
				}
				body := decodeJSON[map[string]any](t, response.Body.Bytes())
				token, _ := body["access_token"].(string)
				wantBody := map[string]any{"access_token": token, "expires_in": 3600.0, "token_type": "Bearer"}
				if scope, ok := test.want["scope"]; ok {
					wantBody["scope"] = scope
				}
				if !reflect.DeepEqual(body, wantBody) {
					t.Errorf("answer %v, want %v", body, wantBody)
				}

				keys := fetchKeys(t, issuer)
				header, got := decode(t, token)
				wantHeader := map[string]any{"alg": "ES384", "typ": "at+jwt", "kid": keys.Keys[0]["kid"]}
				if !reflect.DeepEqual(header, wantHeader) {
					t.Errorf("header %v, want %v", header, wantHeader)
				}
				want := claims{
					"iss": issuerURL, "sub": test.client, "client_id": test.client,
					"iat": 946684800.0, "exp": 946688400.0, "jti": got["jti"],
				}
				maps.Copy(want, test.want)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("claims %v, want %v", got, want)
				}
				if id, _ := got["jti"].(string); !jti.MatchString(id) {
					t.Errorf("jti %v", got["jti"])
				}
				if err := verify(t, keys, token); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config := logtoTenant()
		config.TokenLifetime = 90 * time.Second
		issuer := newIssuer(t, config)
		time.Sleep(time.Minute) // the bubble's clock, not ours
		form := "grant_type=client_credentials&resource=" + api
		body := decodeJSON[map[string]any](t, serve(issuer, tokenRequest(form, "full", "full-secret")).Body.Bytes())
		token, _ := body["access_token"].(string)
		_, claims := decode(t, token)
		if body["expires_in"] != 90.0 || claims["iat"] != 946684860.0 || claims["exp"] != 946684950.0 {
			t.Errorf("expires_in %v, iat %v, exp %v", body["expires_in"], claims["iat"], claims["exp"])
		}
	})
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	config := logtoTenant()
	config.Clients = append(config.Clients, devissuer.Client{ID: "a:b c", Secret: "s:+%"})
	issuer := newIssuer(t, config)
	basic := func(credentials string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
	}
	tests := []struct {
		name          string
		authorization []string
		form          string
		code          int
		reason        string
	}{
		{"basic", []string{basic("full:full-secret")}, "", 200, ""},
		{"basic, scheme in lower case", []string{"b" + basic("full:full-secret")[1:]}, "", 200, ""},
		{"basic, encoded", []string{basic("a%3Ab+c:s%3A%2B%25")}, "", 200, ""},
		{"basic, encoded in part", []string{basic("noroles:no+roles:+%2B%25&=")}, "", 200, ""},
		{"basic, same client_id in the form", []string{basic("full:full-secret")}, "client_id=full", 200, ""},
		{"basic, empty secret in the form", []string{basic("full:full-secret")}, "client_secret=", 200, ""},
		{"form", nil, "client_id=full&client_secret=full-secret", 200, ""},
		{"form, encoded", nil, "client_id=a%3Ab+c&client_secret=s%3A%2B%25", 200, ""},

		{"nothing", nil, "", 401, "invalid_client"},
		{"form, no secret", nil, "client_id=full", 401, "invalid_client"},
		{"form, no id", nil, "client_secret=full-secret", 401, "invalid_client"},
		{"form, wrong secret", nil, "client_id=full&client_secret=full-secre", 401, "invalid_client"},
		{"form, another's secret", nil, "client_id=full&client_secret=reader-secret", 401, "invalid_client"},
		{"form, unknown client", nil, "client_id=nobody&client_secret=full-secret", 401, "invalid_client"},
		{"form, unknown client without secret", nil, "client_id=nobody&client_secret=", 401, "invalid_client"},
		{"basic, wrong secret", []string{basic("full:full-secret ")}, "", 401, "invalid_client"},
		{"basic, unknown client", []string{basic("nobody:full-secret")}, "", 401, "invalid_client"},
		{"basic, unknown client without secret", []string{basic("nobody:")}, "", 401, "invalid_client"},
		{"basic, empty", []string{basic(":")}, "", 401, "invalid_client"},
		{"basic, no colon", []string{basic("full")}, "", 401, "invalid_client"},
		{"basic, not encoded", []string{basic("noroles:no roles: +%&=")}, "", 401, "invalid_client"},
		{"basic, id not encoded, client_id in the form", []string{basic("%zz:full-secret")}, "client_id=full", 401, "invalid_client"},
		{"basic, secret not encoded, another client_id in the form", []string{basic("full:%zz")}, "client_id=noroles", 401, "invalid_client"},
		{"basic, no base64", []string{"Basic full:full-secret"}, "", 401, "invalid_client"},
		{"basic, no credentials", []string{"Basic"}, "", 401, "invalid_client"},
		{"another scheme", []string{"Bearer full-secret"}, "", 401, "invalid_client"},
		{"empty header with the form's id", []string{""}, "client_id=full", 401, "invalid_client"},

		{"both", []string{basic("full:full-secret")}, "client_id=full&client_secret=full-secret", 400, "invalid_request"},
		{"both, wrong one in the header", []string{basic("full:x")}, "client_id=full&client_secret=full-secret", 400, "invalid_request"},
		{"both, wrong one in the form", []string{basic("full:full-secret")}, "client_secret=x", 400, "invalid_request"},
		{"both, another scheme", []string{"Bearer x"}, "client_id=full&client_secret=full-secret", 400, "invalid_request"},
		{"other client_id in the form", []string{basic("full:full-secret")}, "client_id=reader", 400, "invalid_request"},
		{"two headers", []string{basic("full:full-secret"), basic("full:full-secret")}, "", 400, "invalid_request"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request := tokenRequest("grant_type=client_credentials&resource="+api+"&"+test.form, "", "")
			request.Header["Authorization"] = test.authorization
			response := serve(issuer, request)
			body := decodeJSON[struct{ Error string }](t, response.Body.Bytes())
			if response.Code != test.code || body.Error != test.reason {
				t.Errorf("%d %q, want %d %q", response.Code, body.Error, test.code, test.reason)
			}
			challenge := ""
			if test.code == 401 {
				challenge = `Basic realm="devissuer"`
			}
			if got := response.Header().Get("WWW-Authenticate"); got != challenge {
				t.Errorf("challenge %q, want %q", got, challenge)
			}
			for _, secret := range secrets {
				if test.code != 200 && strings.Contains(response.Body.String(), secret) {
					t.Errorf("a secret in %s", response.Body)
				}
			}
		})
	}
}

func TestTokenErrors(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, logtoTenant())
	const grant = "grant_type=client_credentials&"
	setHeader := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name        string
		client      string
		form        string
		change      func(*http.Request)
		code        int
		reason      string
		description string
	}{
		{"no grant_type", "full", "resource=" + api, nil, 400, "invalid_request", "grant_type is missing"},
		{"another grant_type", "full", "grant_type=authorization_code&code=x", nil,
			400, "unsupported_grant_type", "the only grant_type is client_credentials"},
		{"neither resource nor organization", "full", grant + "scope=read:products", nil, 400, "invalid_target",
			"give resource for an API token, organization_id for an organization token, or both for an API token of the organization"},
		{"both empty", "full", grant + "resource=&organization_id=", nil, 400, "invalid_target",
			"give resource for an API token, organization_id for an organization token, or both for an API token of the organization"},
		{"unknown resource", "full", grant + "resource=https://nope.example.test", nil, 400, "invalid_target", "resource is not known"},
		{"resource with a slash more", "full", grant + "resource=" + api + "/", nil, 400, "invalid_target", "resource is not known"},
		{"resource of an organization", "full", grant + "resource=urn:logto:organization:xqki9rxdl206", nil,
			400, "invalid_target", "resource is not known"},
		{"unknown resource in an organization", "full", grant + "organization_id=xqki9rxdl206&resource=https://nope.example.test", nil,
			400, "invalid_target", "resource is not known"},
		{"no member", "reader", grant + "organization_id=mracn5idm81j", nil,
			403, "access_denied", "the client is not a member of the organization"},
		{"unknown organization", "reader", grant + "organization_id=nope", nil,
			403, "access_denied", "the client is not a member of the organization"},
		{"organization without members", "full", grant + "organization_id=j9tqnb6j0ved", nil,
			403, "access_denied", "the client is not a member of the organization"},
		{"no member, with resource", "reader", grant + "organization_id=mracn5idm81j&scope=read:data&resource=" + api, nil,
			403, "access_denied", "the client is not a member of the organization"},
		{"no member, with unknown resource", "reader", grant + "organization_id=mracn5idm81j&resource=https://nope.example.test", nil,
			403, "access_denied", "the client is not a member of the organization"},
		{"two resources", "full", grant + "resource=" + api + "&resource=" + other, nil,
			400, "invalid_target", "only one resource can be asked for"},
		{"two scopes", "full", grant + "resource=" + api + "&scope=read:products&scope=write:orders", nil,
			400, "invalid_request", "a parameter stands more than once"},
		{"two organizations", "full", grant + "organization_id=xqki9rxdl206&organization_id=", nil,
			400, "invalid_request", "a parameter stands more than once"},
		{"two grant types", "full", grant + grant + "resource=" + api, nil,
			400, "invalid_request", "a parameter stands more than once"},
		{"two unknown parameters", "full", grant + "resource=" + api + "&x=1&x=1", nil,
			400, "invalid_request", "a parameter stands more than once"},
		{"bad escape", "full", grant + "resource=%zz", nil, 400, "invalid_request", "the body is not well-formed"},
		{"semicolon", "full", grant + "resource=" + api + ";scope=read:products", nil, 400, "invalid_request", "the body is not well-formed"},
		{"query", "full", grant, func(r *http.Request) { r.URL.RawQuery = "resource=" + api },
			400, "invalid_request", "parameters belong in the body, not in the URL"},
		{"JSON", "full", `{"grant_type":"client_credentials"}`, setHeader("Content-Type", "application/json"),
			400, "invalid_request", "the body must be application/x-www-form-urlencoded"},
		{"bad content type", "full", grant, setHeader("Content-Type", "application/x-www-form-urlencoded; ="),
			400, "invalid_request", "the body must be application/x-www-form-urlencoded"},
		{"cut body", "full", "", func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) },
			400, "invalid_request", "the body could not be read"},
		{"no content type", "full", grant, setHeader("Content-Type", ""),
			400, "invalid_request", "the body must be application/x-www-form-urlencoded"},
		{"body too large", "full", grant + "x=" + strings.Repeat("x", 64<<10), nil,
			413, "invalid_request", "the body is larger than 64 KiB"},
		{"client before grant type", "nobody", "grant_type=password", nil,
			401, "invalid_client", "client authentication failed"},
	}
	safe := regexp.MustCompile(`^[ !#-\[\]-~]+$`) // RFC 6749 §5.2
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request := tokenRequest(test.form, test.client, secrets[test.client])
			if test.change != nil {
				test.change(request)
			}
			response := serve(issuer, request)
			if response.Code != test.code || response.Header().Get("Cache-Control") != "no-store" ||
				response.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %v, want %d", response.Code, response.Header(), test.code)
			}
			got := decodeJSON[map[string]any](t, response.Body.Bytes())
			want := map[string]any{"error": test.reason, "error_description": test.description}
			if !reflect.DeepEqual(got, want) || !safe.MatchString(test.description) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	t.Run("charset is accepted", func(t *testing.T) {
		t.Parallel()
		request := tokenRequest(grant+"resource="+api, "full", "full-secret")
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		if response := serve(issuer, request); response.Code != http.StatusOK {
			t.Errorf("%d %s", response.Code, response.Body)
		}
	})
}

// fuzzSeeds are bodies, and the status of each with the Basic credentials of reader.
var fuzzSeeds = map[string]int{
	"grant_type=client_credentials&resource=https://api.example.test&scope=read:products+write:orders+read:data":                                200,
	"grant_type=client_credentials&resource=https://other.example.test/&scope=read:products+other:scope":                                        200,
	"grant_type=client_credentials&organization_id=xqki9rxdl206&scope=invite:member+manage:billing":                                             200,
	"grant_type=client_credentials&organization_id=xqki9rxdl206&resource=https://api.example.test&scope=read:data+write:settings+read:products": 200,
	"grant_type=client_credentials&organization_id=mracn5idm81j&scope=invite:member":                                                            403,
	"grant_type=client_credentials&client_id=reader&client_secret=reader-secret&resource=https://api.example.test&scope=read:products":          400,
	"": 400,
}

func TestFuzzSeeds(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, logtoTenant())
	for body, code := range fuzzSeeds {
		if response := serve(issuer, tokenRequest(body, "reader", "reader-secret")); response.Code != code {
			t.Errorf("%s: %d, want %d", body, response.Code, code)
		}
	}
}

// FuzzToken makes sure that no request gets a token for a scope, an organization or an audience that
// reader, the only client, does not hold.
func FuzzToken(f *testing.F) {
	for body := range fuzzSeeds {
		f.Add(true, body)
		f.Add(false, body)
	}
	config := logtoTenant()
	config.SigningAlgorithm = "ES256" // the fastest
	config.Clients = config.Clients[1:2]
	issuer := newIssuer(f, config)
	type target struct{ audience, organization string }
	held := map[target][]string{
		{api, ""}:               {"read:products"},
		{other, ""}:             {},
		{api, "xqki9rxdl206"}:   {"read:data"},
		{other, "xqki9rxdl206"}: {},
		{"urn:logto:organization:xqki9rxdl206", ""}: {"invite:member"},
	}
	codes := []string{"invalid_request", "invalid_client", "unsupported_grant_type", "invalid_target", "access_denied"}

	f.Fuzz(func(t *testing.T, basic bool, body string) {
		id := ""
		if basic {
			id = "reader"
		}
		response := serve(issuer, tokenRequest(body, id, "reader-secret"))
		if response.Code != http.StatusOK {
			refused := decodeJSON[map[string]string](t, response.Body.Bytes())
			if !slices.Contains(codes, refused["error"]) || strings.Contains(response.Body.String(), "reader-secret") {
				t.Errorf("%d %v", response.Code, refused)
			}
			return
		}
		token := decodeJSON[struct {
			AccessToken string  `json:"access_token"`
			Scope       *string `json:"scope"`
		}](t, response.Body.Bytes())
		_, raw := decode(t, token.AccessToken)
		data, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		claims := decodeJSON[struct {
			Subject        string  `json:"sub"`
			Audience       string  `json:"aud"`
			OrganizationID string  `json:"organization_id"`
			Scope          *string `json:"scope"`
		}](t, data)
		scopes, ok := held[target{claims.Audience, claims.OrganizationID}]
		if !ok || claims.Subject != "reader" || !reflect.DeepEqual(claims.Scope, token.Scope) {
			t.Fatalf("claims %s", data)
		}
		if claims.Scope != nil {
			for _, scope := range strings.Fields(*claims.Scope) {
				if !slices.Contains(scopes, scope) {
					t.Errorf("scope %q for %s", scope, data)
				}
			}
		}
	})
}
