package clientauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestRequest checks the request for each provider.
func TestRequest(t *testing.T) {
	t.Parallel()
	both := clientauth.Target{Resource: "https://api.test", Organization: "acme", Scopes: []string{"read:a", "write:b"}}
	const basic = "Basic c2hvcCUyRjE6YSUyQiUyRiUzQWI=" // of shop%2F1:a%2B%2F%3Ab
	other := clientauth.Provider{TokenURL: "http://127.0.0.1:1/token"}
	inForm := other
	inForm.AuthStyle = oauth2.AuthStyleInParams
	for _, test := range []struct {
		name          string
		provider      clientauth.Provider
		target        clientauth.Target
		url           string
		authorization string
		form          string
	}{
		{"Logto", clientauth.Logto("https://idp.test"), both, tokenURL, basic,
			"grant_type=client_credentials&organization_id=acme&resource=https%3A%2F%2Fapi.test&scope=read%3Aa+write%3Ab"},
		{"Logto, slash", clientauth.Logto("https://idp.test/"), clientauth.Target{Organization: "acme"}, tokenURL, basic,
			"grant_type=client_credentials&organization_id=acme"},
		{"Logto, issuer", clientauth.Logto("https://idp.test/oidc/"), clientauth.Target{Resource: "a"}, tokenURL, basic,
			"grant_type=client_credentials&resource=a"},
		{"Auth0", clientauth.Auth0("idp.test"), both, "https://idp.test/oauth/token", "",
			"audience=https%3A%2F%2Fapi.test&grant_type=client_credentials&organization=acme&scope=read%3Aa+write%3Ab&client_id=shop%2F1&client_secret=a%2B%2F%3Ab"},
		{"AuthAction", clientauth.AuthAction("idp.test"), clientauth.Target{Resource: "a"}, "https://idp.test/oauth2/m2m/token", "",
			"audience=a&grant_type=client_credentials&client_id=shop%2F1&client_secret=a%2B%2F%3Ab"},
		{"another", other, clientauth.Target{Resource: "a"}, "http://127.0.0.1:1/token", basic, "grant_type=client_credentials&resource=a"},
		{"another, in the form", inForm, clientauth.Target{Scopes: []string{"a"}}, "http://127.0.0.1:1/token", "",
			"grant_type=client_credentials&scope=a&client_id=shop%2F1&client_secret=a%2B%2F%3Ab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := clientauth.New(test.provider, "shop/1", "a+/:b", clientauth.WithTransport(tokens.Handler(
				func(request *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(request.Body)
					if err != nil {
						return nil, err
					}
					if request.Method != http.MethodPost || request.URL.String() != test.url ||
						request.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || request.Header.Get("Accept") != "application/json" {
						t.Errorf("%s %s %v", request.Method, request.URL, request.Header)
					}
					if got := request.Header.Get("Authorization"); got != test.authorization {
						t.Errorf("Authorization: %s", got)
					}
					if string(body) != test.form {
						t.Errorf("\n got %s\nwant %s", body, test.form)
					}
					return grants(60)(request)
				})))
			if err != nil {
				t.Fatal(err)
			}
			want(t, client.Source(test.target), "secret-1")
		})
	}
}

// TestNewFaults has the faults of a configuration, with their texts.
func TestNewFaults(t *testing.T) {
	t.Parallel()
	provider := func(url string) clientauth.Provider { return clientauth.Provider{TokenURL: url} }
	const noTokenURL = "clientauth: the TokenURL is empty: give the tenant's endpoint or domain, or Provider.TokenURL; " +
		"if a variable or a file should supply it, set the variable or fill the file"
	for _, test := range []struct {
		name       string
		provider   clientauth.Provider
		id, secret string
		opts       []clientauth.Option
		faults     []string
	}{
		{"none", clientauth.Logto("https://idp.test"), "shop", "s", nil, nil},
		{"loopback", clientauth.Logto("http://localhost:3001"), "shop", "s", nil, nil},
		{"everything", clientauth.Provider{AuthStyle: 7}, "", "", []clientauth.Option{nil, clientauth.WithTransport(nil)}, []string{
			"clientauth: an option is nil",
			"clientauth: WithTransport: transport is nil",
			noTokenURL,
			"clientauth: AuthStyle 7 is unknown",
			"clientauth: the client's id is empty: if a variable or a file should supply it, set the variable or fill the file",
			"clientauth: the client's secret is empty: if a variable or a file should supply it, set the variable or fill the file",
		}},
		{"plain HTTP", clientauth.Logto("http://idp.test"), "shop", "s", nil, []string{
			`clientauth: TokenURL "http://idp.test/oidc/token": it is plain http and not on a loopback address: use https, or list "idp.test" in Provider.InsecureHTTPHosts if nobody else can answer for that host`,
		}},
		{"query", provider("https://idp.test/token?key=secret"), "shop", "s", nil, []string{`clientauth: TokenURL "https://idp.test/token?…": it has a query`}},
		{"same parameters", clientauth.Provider{TokenURL: tokenURL, ResourceParameter: "audience", OrganizationParameter: "audience"}, "shop", "s", nil,
			[]string{`clientauth: the parameter "audience" is used twice`}},
		{"parameters of the grant", clientauth.Provider{TokenURL: tokenURL, ResourceParameter: "scope", OrganizationParameter: "client_id"}, "shop", "s", nil,
			[]string{`clientauth: the parameter "scope" is used twice`, `clientauth: the parameter "client_id" is used twice`}},
		{"default parameters", clientauth.Provider{TokenURL: tokenURL, OrganizationParameter: "resource"}, "shop", "s", nil,
			[]string{`clientauth: the parameter "resource" is used twice`}},
		{"query, plain HTTP", provider("http://user@idp.test/token?key=secret"), "shop", "s", nil, []string{`clientauth: TokenURL "xxxxx@idp.test/token?…": it has a query`}},
		{"fragment", provider("https://idp.test/token#secret"), "shop", "s", nil, []string{`clientauth: TokenURL "https://idp.test/token?…": it has user information or a fragment`}},
		{"equal faults", clientauth.Logto("https://idp.test"), "shop", "s", []clientauth.Option{nil, nil, clientauth.WithTransport(nil), clientauth.WithTransport(nil)},
			[]string{"clientauth: an option is nil", "clientauth: WithTransport: transport is nil"}},
		{"blank parameters", clientauth.Provider{TokenURL: tokenURL, ResourceParameter: " ", OrganizationParameter: "\t"}, "shop", "s", nil,
			[]string{"clientauth: the name of a parameter is blank"}},
		{"user", provider("https://user:secret@idp.test/token"), "shop", "s", nil, []string{
			`clientauth: TokenURL "xxxxx@idp.test/token": it has user information or a fragment`,
		}},
		{"Auth0 with a URL", clientauth.Auth0("https://idp.test"), "shop", "s", nil, []string{
			`clientauth: TokenURL "https://https:%2F%2Fidp.test/oauth/token": it cannot be parsed (Auth0 and AuthAction take a bare domain, without https:// and path)`,
		}},
		{"AuthAction with a path", clientauth.AuthAction("idp.test/a"), "shop", "s", nil, []string{
			`clientauth: TokenURL "https://idp.test%2Fa/oauth2/m2m/token": it cannot be parsed (Auth0 and AuthAction take a bare domain, without https:// and path)`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := clientauth.New(test.provider, test.id, test.secret, test.opts...)
			if len(test.faults) == 0 {
				if client == nil || err != nil {
					t.Fatal(client, err)
				}
				return
			}
			if client != nil || err == nil || err.Error() != strings.Join(test.faults, "\n") {
				t.Errorf("\n got %v\nwant %s", err, strings.Join(test.faults, "\n"))
			}
			if test.secret != "" { // else the text speaks of it
				checkSecrets(t, err)
			}
		})
	}
}

// TestTargets has targets that are refused without a request.
func TestTargets(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]clientauth.Target{
		"empty":                {},
		"empty scope":          {Resource: "a", Scopes: []string{"read", ""}},
		"two scopes in one":    {Resource: "a", Scopes: []string{"read write"}},
		"scope with a quote":   {Resource: "a", Scopes: []string{`"`}},
		"scope, backslash":     {Resource: "a", Scopes: []string{`\`}},
		"scope with DEL":       {Resource: "a", Scopes: []string{"\x7f"}},
		"scope with an umlaut": {Resource: "a", Scopes: []string{"lösche"}},
		"organization":         {Resource: "a", Organization: "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := tokens.NewIDP()
			client, err := clientauth.New(clientauth.AuthAction("idp.test"), "shop", clientSecret, clientauth.WithTransport(idp))
			if err != nil {
				t.Fatal(err)
			}
			fails(t, client.Source(target), clientauth.ErrRefused)
			fails(t, client.SourceFunc(func(context.Context) (clientauth.Target, error) { return target, nil }), clientauth.ErrRefused)
			asked(t, idp, 0)
		})
	}
	want(t, newClient(t, granting(60)).Source(clientauth.Target{Scopes: []string{"!#[]~"}}), "secret-1")
}

func TestPrintedClient(t *testing.T) {
	t.Parallel()
	client := newClient(t, granting(60))
	source := client.Source(target)
	want(t, source, "secret-1")
	if got := fmt.Sprint(client); got != "clientauth.Client" {
		t.Error(got)
	}
	hex := fmt.Sprintf("%x", "secret")
	type service struct { // fmt calls no method of its fields, and shows behind pointers what a verb does not fit
		client *clientauth.Client
		source *clientauth.Source
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		for _, value := range []any{client, *source, clientauth.NewInterceptor(source), service{client, source}, &service{client, source}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "secret") || strings.Contains(text, hex) {
				t.Errorf("%s: %s", format, text)
			}
		}
	}
}
