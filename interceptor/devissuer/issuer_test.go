package devissuer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	const (
		secret    = "s3cret\n"
		passes    = "makes sub equal to client_id, so that the token of a user would be a client's: write another value"
		absolute  = "devissuer: issuerURL: is not an absolute http or https URL: write one such as http://127.0.0.1:8080/oidc"
		loopback  = "devissuer: issuerURL: is http, which is for loopback hosts alone: write https or, for containers, keep a host such as 127.0.0.1 and list the other name among the hosts"
		path      = "devissuer: issuerURL: has a path with a trailing slash, an empty segment, . or ..: write a path such as /oidc"
		query     = "devissuer: issuerURL: has a query or fragment: remove it"
		normal    = "devissuer: issuerURL: is not in normal form: write the scheme in small letters, and escape only what needs an escape"
		host      = `is not the name of a host alone: write one such as "issuer", without scheme, port and path`
		scopeForm = `write printable ASCII characters without space, " and \`
		lifetime  = `devissuer: TokenLifetime: is not a positive whole number of seconds: write a duration such as "1h"`
	)
	tests := []struct {
		name   string
		url    string
		config devissuer.Config
		want   []string
	}{
		{name: "zero config", url: issuerURL},
		{name: "localhost", url: "http://localhost:8080/oidc"},
		{name: "loopback v6", url: "http://[::1]:8080/oidc"},
		{name: "no path", url: "http://127.0.0.1:8080"},
		{name: "https anywhere", url: "https://dev.example.test/a/b"},
		{name: "full config", url: issuerURL, config: logtoTenant()},
		{name: "empty", url: "", want: []string{absolute}},
		{name: "relative", url: "/oidc", want: []string{absolute}},
		{name: "no host", url: "http:///oidc", want: []string{absolute}},
		{name: "other scheme", url: "ftp://127.0.0.1/oidc", want: []string{absolute}},
		{name: "unreadable", url: "http://user:" + secret + "@127.0.0.1/oidc", want: []string{absolute}},
		{name: "http to the world", url: "http://idp.example.test/oidc", want: []string{loopback}},
		{name: "loopback by its looks", url: "http://127.0.0.1.example.test/oidc", want: []string{loopback}},
		{name: "user", url: "http://me:pw@127.0.0.1/oidc", want: []string{"devissuer: issuerURL: has a user or password: remove both"}},
		{name: "port", url: "http://127.0.0.1:65536/oidc", want: []string{"devissuer: issuerURL: has a port above 65535: write one such as 3001"}},
		{name: "query", url: "http://127.0.0.1/oidc?a", want: []string{query}},
		{name: "empty query", url: "http://127.0.0.1/oidc?", want: []string{query}},
		{name: "fragment", url: "http://127.0.0.1/oidc#a", want: []string{query}},
		{name: "empty fragment", url: "http://127.0.0.1/oidc#", want: []string{normal}},
		{name: "trailing slash", url: "http://127.0.0.1/oidc/", want: []string{path}},
		{name: "only a slash", url: "http://127.0.0.1/", want: []string{path}},
		{name: "empty segment", url: "http://127.0.0.1/a//b", want: []string{path}},
		{name: "dots", url: "http://127.0.0.1/a/../b", want: []string{path}},
		{name: "user, not normal", url: "HTTP://me@127.0.0.1/oidc", want: []string{"devissuer: issuerURL: has a user or password: remove both"}},
		{name: "printable", url: issuerURL, config: devissuer.Config{Clients: []devissuer.Client{{ID: " ~", Secret: "~"}}}},
		{name: "unreadable resource", url: issuerURL, config: devissuer.Config{Resources: map[string][]string{"https://[a": nil}},
			want: []string{`devissuer: Resources["https://[a"]: is not an absolute URI without fragment: write one such as https://api.example.com`}},
		{name: "scheme in upper case", url: "HTTP://127.0.0.1/oidc", want: []string{normal}},
		{name: "missing escape", url: "http://127.0.0.1/{a}", want: []string{normal}},
		{name: "needless escape", url: "http://127.0.0.1/%6Fidc", want: []string{normal}},
		{name: "all at once", url: "http://me:pw@idp.example.test/?a",
			config: devissuer.Config{SigningAlgorithm: "HS256", TokenLifetime: -time.Second},
			want: []string{
				loopback, "devissuer: issuerURL: has a user or password: remove both", query, path,
				`devissuer: SigningAlgorithm: "HS256" is not supported: write ES384, ES256 or RS256`, lifetime,
			}},
		{name: "half a second", url: issuerURL, config: devissuer.Config{TokenLifetime: time.Second / 2}, want: []string{lifetime}},
		{name: "second and a half", url: issuerURL, config: devissuer.Config{TokenLifetime: 3 * time.Second / 2}, want: []string{lifetime}},
		{name: "algorithm none", url: issuerURL, config: devissuer.Config{SigningAlgorithm: "none"},
			want: []string{`devissuer: SigningAlgorithm: "none" is not supported: write ES384, ES256 or RS256`}},
		{
			name: "users, claims, hosts and type", url: issuerURL,
			config: devissuer.Config{
				Claims:        map[string]any{"aud": nil, "a": make(chan int)},
				Organizations: []string{"acme"},
				Users: []devissuer.User{
					{ID: "alice", Claims: map[string]any{"b": func() {}}, Scopes: map[string][]string{"https://z.test": nil}},
					{ID: "alice", Organizations: map[string]devissuer.Membership{"acme": {Claims: map[string]any{"c": make(chan int)}}, "globex": {}}},
					{ID: ""}, {ID: "devissuer"}, {ID: "shop"},
				},
				Clients: []devissuer.Client{{ID: "shop", Secret: "s", Claims: map[string]any{"d": make(chan int)}}},
				Hosts:   []string{"issuer", "172.18.0.2", "[::2]", "", "issuer:3001", "*", "*.issuer", "issuer:", "http://issuer", "a/b", "me@issuer", "a b", "::2", "[::2", "::2]", "[issuer]"},
				Type:    "a\n",
			},
			want: []string{
				`devissuer: Claims["a"]: has no JSON form: give a text, number, boolean, list or map`,
				`devissuer: Users[0].Claims["b"]: has no JSON form: give a text, number, boolean, list or map`,
				`devissuer: Users[0].Scopes["https://z.test"]: no such resource: add it to the resources`,
				`devissuer: Users[1].ID: "alice" stands twice: write another id`,
				`devissuer: Users[1].Organizations["acme"].Claims["c"]: has no JSON form: give a text, number, boolean, list or map`,
				`devissuer: Users[1].Organizations["globex"]: no such organization: add it to the organizations, or write one of acme`,
				`devissuer: Users[2].ID: is missing, or has a character outside printable ASCII: write one such as "alice"`,
				`devissuer: Users[3].ID: "devissuer" is the id of a client, so that the token would be the client's: write another id`,
				`devissuer: Users[4].ID: "shop" is the id of a client, so that the token would be the client's: write another id`,
				`devissuer: Clients[0].Claims["d"]: has no JSON form: give a text, number, boolean, list or map`,
				`devissuer: Type: has a character outside printable ASCII: write one such as "at+jwt", or "none"`,
				`devissuer: Hosts[3]: ` + host, `devissuer: Hosts[4]: ` + host, `devissuer: Hosts[5]: ` + host,
				`devissuer: Hosts[6]: ` + host, `devissuer: Hosts[7]: ` + host, `devissuer: Hosts[8]: ` + host,
				`devissuer: Hosts[9]: ` + host, `devissuer: Hosts[10]: ` + host, `devissuer: Hosts[11]: ` + host,
				`devissuer: Hosts[12]: ` + host, `devissuer: Hosts[13]: ` + host, `devissuer: Hosts[14]: ` + host, `devissuer: Hosts[15]: ` + host,
			},
		},
		{
			name: "users that pass for clients", url: issuerURL,
			config: devissuer.Config{
				Organizations: []string{"acme", "globex"},
				Users: []devissuer.User{
					{ID: "u", Claims: map[string]any{"client_id": "u"}},
					{ID: "v", Claims: map[string]any{"sub": json.RawMessage(`"shop"`)}},
					{ID: "w", Claims: map[string]any{"client_id": "web"}, Organizations: map[string]devissuer.Membership{
						"acme": {Claims: map[string]any{"client_id": "w"}}, "globex": {Claims: map[string]any{"sub": "shop"}},
					}},
					{ID: "x", Claims: map[string]any{"sub": "web", "client_id": "web"}, Organizations: map[string]devissuer.Membership{"acme": {}}},
					{ID: "y", Claims: map[string]any{"sub": nil, "client_id": nil}},
				},
				Clients: []devissuer.Client{{ID: "shop", Secret: "s"}},
			},
			want: []string{
				`devissuer: Users[0].Claims["client_id"]: ` + passes, `devissuer: Users[1].Claims["sub"]: ` + passes,
				`devissuer: Users[2].Organizations["acme"].Claims["client_id"]: ` + passes, `devissuer: Users[3].Claims["sub"]: ` + passes,
			},
		},
		{
			name: "a tenant whose users pass for clients", url: issuerURL,
			config: devissuer.Config{
				Claims: map[string]any{"sub": "devissuer"},
				Users:  []devissuer.User{{ID: "u"}, {ID: "v"}, {ID: "w", Claims: map[string]any{"sub": "w"}}},
			},
			want: []string{`devissuer: Claims["sub"]: ` + passes},
		},
		{
			name: "configuration",
			url:  issuerURL,
			config: devissuer.Config{
				Resources: map[string][]string{
					"https://a.test":         {"read", "read", "", "re ad", `re"ad`},
					"https://b.test/#frag":   nil,
					"relative":               nil,
					"urn:logto:organization": nil,
				},
				OrganizationScopes: []string{"invite", "invite", "ü"},
				Organizations:      []string{"acme", "acme", "", "a b"},
				Clients: []devissuer.Client{
					{ID: "one", Secret: secret, Scopes: map[string][]string{
						"https://a.test": {"read", "write", "read"},
						"https://z.test": {"read"},
					}},
					{ID: "one", Organizations: map[string]devissuer.Membership{
						"acme":   {OrganizationScopes: []string{"invite", "read"}, Scopes: map[string][]string{"relative": {"read"}}},
						"globex": {Scopes: map[string][]string{"https://z.test": nil}},
					}},
					{Secret: "x"},
				},
			},
			want: []string{
				`devissuer: Resources["https://a.test"]: "read" stands twice: remove one`,
				`devissuer: Resources["https://a.test"]: "" is not a scope (RFC 6749 §3.3): ` + scopeForm,
				`devissuer: Resources["https://a.test"]: "re ad" is not a scope (RFC 6749 §3.3): ` + scopeForm,
				`devissuer: Resources["https://a.test"]: "re\"ad" is not a scope (RFC 6749 §3.3): ` + scopeForm,
				`devissuer: Resources["https://b.test/#frag"]: is not an absolute URI without fragment: write one such as https://api.example.com`,
				`devissuer: Resources["relative"]: is not an absolute URI without fragment: write one such as https://api.example.com`,
				`devissuer: Resources["urn:logto:organization"]: urn:logto: is reserved: write a URI such as https://api.example.com`,
				`devissuer: OrganizationScopes: "invite" stands twice: remove one`,
				`devissuer: OrganizationScopes: "ü" is not a scope (RFC 6749 §3.3): ` + scopeForm,
				`devissuer: Organizations[1]: "acme" stands twice: remove one`,
				`devissuer: Organizations[2]: is empty, or has a space or a character outside printable ASCII: write one such as "acme"`,
				`devissuer: Organizations[3]: is empty, or has a space or a character outside printable ASCII: write one such as "acme"`,
				`devissuer: Clients[0].Secret: is missing, or has a character outside printable ASCII: write one such as "shop-secret"`,
				`devissuer: Clients[0].Scopes["https://a.test"]: "write" is not a scope of the resource: add it to the resource, or write one of read, read, , re ad, re"ad`,
				`devissuer: Clients[0].Scopes["https://a.test"]: "read" stands twice: remove one`,
				`devissuer: Clients[0].Scopes["https://z.test"]: no such resource: add it to the resources, or write one of https://a.test, https://b.test/#frag, relative, urn:logto:organization`,
				`devissuer: Clients[1].ID: "one" stands twice: write another id`,
				`devissuer: Clients[1].Secret: is missing, or has a character outside printable ASCII: write one such as "shop-secret"`,
				`devissuer: Clients[1].Organizations["acme"].OrganizationScopes: "read" is not an organization scope: add it to the organization scopes, or write one of invite, invite, ü`,
				`devissuer: Clients[1].Organizations["acme"].Scopes["relative"]: "read" is not a scope of the resource: add it to the resource`,
				`devissuer: Clients[1].Organizations["globex"]: no such organization: add it to the organizations, or write one of acme, acme, , a b`,
				`devissuer: Clients[1].Organizations["globex"].Scopes["https://z.test"]: no such resource: add it to the resources, or write one of https://a.test, https://b.test/#frag, relative, urn:logto:organization`,
				`devissuer: Clients[2].ID: is missing, or has a character outside printable ASCII: write one such as "shop"`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			issuer, err := devissuer.New(test.url, test.config)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if (issuer == nil) != (err != nil) {
				t.Errorf("issuer %v with error %v", issuer, err)
			}
		})
	}
}

func TestNewKeepsNothingOfTheConfiguration(t *testing.T) {
	t.Parallel()
	config := peopledTenant()
	nested := map[string]any{"n": 1}
	config.Claims["nested"] = nested
	issuer := newIssuer(t, config)
	config.Claims["new"], config.Users[0].Claims["new"], nested["n"] = 1, 1, 2
	config.Users[0].Organizations["xqki9rxdl206"].Claims["new"] = 1
	raw, _, err := issuer.Grant(devissuer.Request{Subject: "alice", Organization: "xqki9rxdl206"})
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := decode(t, raw); claims["new"] != nil || !reflect.DeepEqual(claims["nested"], map[string]any{"n": 1.0}) {
		t.Errorf("claims %v", claims)
	}
	config.Clients[2].Scopes = config.Clients[0].Scopes
	config.Clients[1].Scopes[api][0] = "write:orders"
	config.Clients[1].Scopes[other] = []string{"other:scope"}
	config.Clients[1].Organizations["xqki9rxdl206"].OrganizationScopes[0] = "manage:billing"
	config.Resources["https://new.example.test"] = nil

	for _, test := range []struct{ client, secret, form, want string }{
		{"noroles", "no roles: +%&=", "resource=" + api + "&scope=read:products", ""},
		{"reader", "reader-secret", "resource=" + api + "&scope=write:orders+read:products", "read:products"},
		{"reader", "reader-secret", "resource=" + other + "&scope=other:scope", ""},
		{"reader", "reader-secret", "organization_id=xqki9rxdl206&scope=manage:billing+invite:member", "invite:member"},
	} {
		response := serve(issuer, tokenRequest("grant_type=client_credentials&"+test.form, test.client, test.secret))
		if response.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", test.form, response.Code, response.Body)
		}
		if got := decodeJSON[struct{ Scope string }](t, response.Body.Bytes()).Scope; got != test.want {
			t.Errorf("%s: scope %q, want %q", test.form, got, test.want)
		}
	}
	unknown := serve(issuer, tokenRequest("grant_type=client_credentials&resource=https://new.example.test", "full", "full-secret"))
	if unknown.Code != http.StatusBadRequest {
		t.Errorf("added resource answers %d", unknown.Code)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		url, path string
		config    devissuer.Config
		want      map[string]any
	}{
		{
			url:    issuerURL,
			path:   "/oidc/.well-known/openid-configuration",
			config: logtoTenant(),
			want: map[string]any{
				"issuer":                 "http://127.0.0.1:8080/oidc",
				"token_endpoint":         "http://127.0.0.1:8080/oidc/token",
				"introspection_endpoint": "http://127.0.0.1:8080/oidc/introspect",
				"introspection_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
				"jwks_uri":                 "http://127.0.0.1:8080/oidc/jwks",
				"response_types_supported": []any{},
				"grant_types_supported":    []any{"client_credentials"},
				"subject_types_supported":  []any{"public"},
				"scopes_supported": []any{"invite:member", "manage:billing", "other:scope", "read:data",
					"read:products", "write:orders", "write:settings"},
				"id_token_signing_alg_values_supported": []any{"ES384"},
				"token_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
			},
		},
		{
			url:    "https://dev.example.test",
			path:   "/.well-known/openid-configuration",
			config: devissuer.Config{SigningAlgorithm: "ES256"},
			want: map[string]any{
				"issuer":                 "https://dev.example.test",
				"token_endpoint":         "https://dev.example.test/token",
				"introspection_endpoint": "https://dev.example.test/introspect",
				"introspection_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
				"jwks_uri":                              "https://dev.example.test/jwks",
				"response_types_supported":              []any{},
				"grant_types_supported":                 []any{"client_credentials"},
				"subject_types_supported":               []any{"public"},
				"scopes_supported":                      []any{},
				"id_token_signing_alg_values_supported": []any{"ES256"},
				"token_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.url, func(t *testing.T) {
			t.Parallel()
			issuer, err := devissuer.New(test.url, test.config)
			if err != nil {
				t.Fatal(err)
			}
			response := get(t, issuer, test.path)
			if response.Code != http.StatusOK || response.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %v", response.Code, response.Header())
			}
			if got := decodeJSON[map[string]any](t, response.Body.Bytes()); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			if issuer.URL() != test.url || issuer.TokenURL() != test.url+"/token" {
				t.Errorf("URL %s, TokenURL %s", issuer.URL(), issuer.TokenURL())
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{})
	tests := []struct {
		method, path string
		code         int
		allow        string
	}{
		{"GET", "/oidc/.well-known/openid-configuration", 200, ""},
		{"HEAD", "/oidc/.well-known/openid-configuration", 200, ""},
		{"POST", "/oidc/.well-known/openid-configuration", 405, "GET, HEAD"},
		{"GET", "/oidc/jwks", 200, ""},
		{"HEAD", "/oidc/jwks", 200, ""},
		{"DELETE", "/oidc/jwks", 405, "GET, HEAD"},
		{"GET", "/oidc/token", 405, "POST"},
		{"GET", "/oidc/introspect", 405, "POST"},
		{"GET", "/oidc", 404, ""},
		{"GET", "/oidc/", 404, ""},
		{"GET", "/oidc/jwks/", 404, ""},
		{"GET", "/jwks", 404, ""},
		{"GET", "/.well-known/openid-configuration", 404, ""},
		{"POST", "/token", 404, ""},
		{"POST", "/oidc/tokens", 404, ""},
	}
	for _, test := range tests {
		response := serve(issuer, httptest.NewRequest(test.method, test.path, nil))
		if response.Code != test.code || response.Header().Get("Allow") != test.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", test.method, test.path,
				response.Code, response.Header().Get("Allow"), test.code, test.allow)
		}
	}
}
