package tenant_test

import (
	"go/format"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestAccepting gives the printed issuers to verifiers, which must accept the tokens of the tenant.
func TestAccepting(t *testing.T) {
	t.Parallel()
	const introspects = `d, err := deployment.Read("authz.json")
client := token.ClientSecretBasic("shop", os.Getenv("CLIENT_SECRET"))
introspector, err := token.NewIntrospector(d.Issuers[0], token.Introspection{Client: client})
verifier, err := d.NewVerifier(token.WithIntrospector(introspector))`
	const users = `"resources": {"https://api.test": ["read:a"]}, "users": [{"id": "alice", "scopes": {"https://api.test": ["read:a"]}}]`
	for name, test := range map[string]struct{ document, listens, host, code, issuer string }{
		"Logto": {
			`{` + users + `}`, "127.0.0.1:3001", "",
			`issuer := token.Logto("http://127.0.0.1:3001")`,
			`{"preset": ["logto", "http://127.0.0.1:3001"]}`,
		},
		"another typ": {
			`{` + users + `, "type": "JWT"}`, "127.0.0.1:3001", "",
			`issuer := token.Logto("http://127.0.0.1:3001")
issuer.Types = []string{"JWT"}
issuer.RequiredClaims = map[string][]string{"client_id": {token.AnyValue}}`,
			`{"preset": ["logto", "http://127.0.0.1:3001"], "types": ["JWT"], "requiredClaims": {"client_id":["*"]}}`,
		},
		"no typ": {
			`{` + users + `, "type": "none"}`, "127.0.0.1:3001", "",
			`issuer := token.Logto("http://127.0.0.1:3001")
issuer.Types = []string{""}
issuer.RequiredClaims = map[string][]string{"client_id": {token.AnyValue}}`,
			`{"preset": ["logto", "http://127.0.0.1:3001"], "types": [""], "requiredClaims": {"client_id":["*"]}}`,
		},
		"another path": {
			`{` + users + `, "url": "http://localhost:4000/tenant"}`, "127.0.0.1:4000", "",
			`issuer := token.Logto("http://localhost:4000/tenant")
issuer.URL = "http://localhost:4000/tenant"`,
			`{"preset": ["logto", "http://localhost:4000/tenant"], "url": "http://localhost:4000/tenant"}`,
		},
		"another port": {
			`{` + users + `}`, "127.0.0.1:4000", "",
			`issuer := token.Logto("http://127.0.0.1:3001")
issuer.KeySetURL = "http://127.0.0.1:4000/oidc/jwks"`,
			`{"preset": ["logto", "http://127.0.0.1:3001"], "keySetURL": "http://127.0.0.1:4000/oidc/jwks"}`,
		},
		"another port outside of the container": {
			`{` + users + `}`, "[::]:4000", "",
			`issuer := token.Logto("http://127.0.0.1:3001")`,
			`{"preset": ["logto", "http://127.0.0.1:3001"]}`,
		},
		"behind a TLS proxy": {
			`{` + users + `, "url": "https://issuer.test/oidc"}`, "127.0.0.1:3001", "",
			`issuer := token.Logto("https://issuer.test")`,
			`{"preset": ["logto", "https://issuer.test"]}`,
		},
		"a container": {
			`{` + users + `, "hosts": ["issuer"]}`, "[::]:3001", "issuer",
			`issuer := token.Logto("http://127.0.0.1:3001")
issuer.KeySetURL = "http://issuer:3001/oidc/jwks"
issuer.InsecureHTTPHosts = []string{"issuer"}`,
			`{"preset": ["logto", "http://127.0.0.1:3001"], "keySetURL": "http://issuer:3001/oidc/jwks", "insecureHTTPHosts": ["issuer"]}`,
		},
		"opaque": {
			`{` + users + `, "opaque": true, "clients": [{"id": "shop", "secret": "s3cret"}]}`, "127.0.0.1:3001", "",
			introspects, `{"preset": ["logto", "http://127.0.0.1:3001"]}`,
		},
		"opaque, without a client": {
			`{` + users + `, "opaque": true}`, "127.0.0.1:4000", "", "",
			`{"preset": ["logto", "http://127.0.0.1:3001"], "keySetURL": "http://127.0.0.1:4000/oidc/jwks", "introspectionURL": "http://127.0.0.1:4000/oidc/introspect"}`,
		},
		"opaque, a container": {
			`{` + users + `, "opaque": true, "clients": [{"id": "shop", "secret": "s3cret"}]}`, "[::]:3001", "issuer",
			introspects,
			`{"preset": ["logto", "http://127.0.0.1:3001"], "keySetURL": "http://issuer:3001/oidc/jwks", "introspectionURL": "http://issuer:3001/oidc/introspect", "insecureHTTPHosts": ["issuer"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := parse(t, test.document)
			code, member := of.Accepting(test.host, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.listens)))
			if want := `"issuers": [` + test.issuer + `]`; code != test.code || member != want {
				t.Errorf("got\n%s\n%s\nwant\n%s\n%s", code, member, test.code, want)
			}
			if formatted, err := format.Source([]byte(code)); err != nil || string(formatted) != code {
				t.Errorf("%v, want\n%s", err, formatted)
			}
			parsed, err := deployment.Parse("", []byte(`{"audience": "https://api.test", `+member+`}`))
			if err != nil {
				t.Fatal(err)
			}
			if test.code == "" || test.host != "" {
				return
			}
			issuer, err := devissuer.New(of.URL, of.Config)
			if err != nil {
				t.Fatal(err)
			}
			options := []token.Option{token.WithTransport(handlerTransport{issuer})}
			if of.Opaque {
				client := token.ClientSecretBasic("shop", "s3cret")
				introspector, err := token.NewIntrospector(parsed.Issuers[0], token.Introspection{Client: client}, options...)
				if err != nil {
					t.Fatal(err)
				}
				options = append(options, token.WithIntrospector(introspector))
			}
			verifier, err := parsed.NewVerifier(options...)
			if err != nil {
				t.Fatal(err)
			}
			raw, _, err := issuer.Grant(of.Complete(devissuer.Request{Subject: "alice", Scopes: []string{"read:a"}}))
			if err != nil {
				t.Fatal(err)
			}
			if claims, err := verifier.Verify(t.Context(), raw); err != nil || !claims.HasScope("read:a") || claims.Caller() != token.CallerUser {
				t.Errorf("%v, %v", claims, err)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document      string
		request, want devissuer.Request
	}{
		"the only resource":     {`{"resources": {"u:r": []}}`, devissuer.Request{}, devissuer.Request{Resource: "u:r"}},
		"in an organization":    {`{"resources": {"u:r": []}}`, devissuer.Request{Organization: "o"}, devissuer.Request{Organization: "o", Resource: "u:r"}},
		"for an organization":   {`{"resources": {"u:r": []}, "organizationScopes": ["s"]}`, devissuer.Request{Organization: "o"}, devissuer.Request{Organization: "o"}},
		"without organization":  {`{"resources": {"u:r": []}, "organizationScopes": ["s"]}`, devissuer.Request{}, devissuer.Request{Resource: "u:r"}},
		"given":                 {`{"resources": {"u:r": []}}`, devissuer.Request{Resource: "u:x"}, devissuer.Request{Resource: "u:x"}},
		"one of two, not known": {`{"resources": {"u:r": [], "u:x": []}}`, devissuer.Request{}, devissuer.Request{}},
		"no resource":           {`{}`, devissuer.Request{}, devissuer.Request{}},
	} {
		if got := parse(t, test.document).Complete(test.request); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestLikely(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		document string
		want     devissuer.Request
		ok       bool
	}{
		"nobody":      {`{}`, devissuer.Request{}, false},
		"no scopes":   {`{"users": [{"id": "a"}]}`, devissuer.Request{}, false},
		"a client":    {`{"resources": {"u:r": ["s"]}, "users": [{"id": "a", "scopes": {"u:r": []}}], "clients": [{"id": "c", "secret": "x", "scopes": {"u:r": ["s"]}}]}`, devissuer.Request{Client: "c", Resource: "u:r", Scopes: []string{"s"}}, true},
		"a member":    {`{"resources": {"u:r": ["s"]}, "organizations": ["o"], "users": [{"id": "a", "organizations": {"o": {"scopes": {"u:r": ["s"]}}}}]}`, devissuer.Request{Subject: "a", Organization: "o", Resource: "u:r", Scopes: []string{"s"}}, true},
		"roles alone": {`{"organizationScopes": ["s"], "organizations": ["o"], "users": [{"id": "a", "organizations": {"o": {"organizationScopes": ["s"]}}}]}`, devissuer.Request{Subject: "a", Organization: "o", Scopes: []string{"s"}}, true},
		"no roles":    {`{"resources": {"u:r": ["s"]}, "organizations": ["o"], "users": [{"id": "a", "scopes": {"u:r": ["s"]}, "organizations": {"o": {}}}]}`, devissuer.Request{Subject: "a", Resource: "u:r", Scopes: []string{"s"}}, true},
	} {
		got, ok := parse(t, test.document).Likely()
		if ok != test.ok || ok && (got.Subject != test.want.Subject || got.Client != test.want.Client || got.Organization != test.want.Organization ||
			got.Resource != test.want.Resource || strings.Join(got.Scopes, " ") != strings.Join(test.want.Scopes, " ")) {
			t.Errorf("%s: %+v, %t, want %+v", name, got, ok, test.want)
		}
	}
}

// TestLeftOut makes sure that a request learns the flags with which it gets a scope.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	of := parse(t, `{
"resources": {"u:a": ["x", "y", "a,b"], "u:b": ["x", "y"]},
"organizations": ["o"],
"users": [{"id": "alice", "scopes": {"u:a": ["y"]}, "organizations": {"o": {"scopes": {"u:a": ["x"], "u:b": ["x"]}}}}]
}`)
	const inO = `add the scope to users[0].organizations["o"].scopes[`
	for name, test := range map[string]struct {
		request devissuer.Request
		scope   string
		want    string
	}{
		"in an organization":          {devissuer.Request{Resource: "u:b"}, "x", `add the scope to users[0].scopes["u:b"] (tenant.json:4), or give -organization o -resource u:b, where alice holds the scope`},
		"for another resource":        {devissuer.Request{Resource: "u:b"}, "y", `add the scope to users[0].scopes["u:b"] (tenant.json:4), or give -resource u:a, where alice holds the scope`},
		"outside of the organization": {devissuer.Request{Organization: "o", Resource: "u:a"}, "y", inO + `"u:a"] (tenant.json:4), or leave -organization out and give -resource u:a, where alice holds the scope`},
		"nowhere":                     {devissuer.Request{Resource: "u:a"}, "z", `add the scope to resources["u:a"] (tenant.json:2) and to users[0].scopes["u:a"] (tenant.json:4)`},
		"a comma":                     {devissuer.Request{Resource: "u:a"}, "x,y", "separate scopes by spaces"},
		"a scope with a comma":        {devissuer.Request{Resource: "u:a"}, "a,b", `add the scope to users[0].scopes["u:a"] (tenant.json:4)`},
	} {
		test.request.Subject = "alice"
		if got := of.LeftOut(test.request, test.scope); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A handlerTransport sends requests to a handler.
type handlerTransport struct{ http.Handler }

func (h handlerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return recorder.Result(), nil
}
