package token_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestNewVerifierFaults has the faults of a configuration, with their texts.
func TestNewVerifierFaults(t *testing.T) {
	t.Parallel()
	with := func(change func(*token.Issuer)) token.Issuer {
		issuer := token.Issuer{URL: issuerURL, Algorithms: []string{"ES256"}}
		change(&issuer)
		return issuer
	}
	good := with(func(*token.Issuer) {})
	url := func(url string) token.Issuer { return with(func(i *token.Issuer) { i.URL = url }) }
	keySet := func(url string) token.Issuer { return with(func(i *token.Issuer) { i.KeySetURL = url }) }
	orList := func(host string) string {
		return fmt.Sprintf(", or list %q in Issuer.InsecureHTTPHosts if nobody else can answer for that host", host)
	}
	const (
		of        = `token: issuer "https://idp.test/oidc": `
		noURL     = "token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"
		noHost    = "it names no host: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file"
		notHTTPS  = "it is not an https URL"
		plainHTTP = "it is plain http and not on a loopback address: use https"
		noScheme  = "it does not begin with https://"
		unparsed  = "it cannot be parsed (Auth0 and AuthAction take a bare domain, without https:// and path)"
		userInfo  = "it has user information or a fragment"
		space     = "it holds white space, such as a line break at its end: if a variable or a file supplies it, remove the white space there"
		dot       = "its host begins with a dot: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file"
		noTyp     = `Types: "" accepts tokens without typ, which ID tokens are too, and RequiredClaims requires nothing that access tokens alone have: name such a claim there, such as "client_id", with token.AnyValue`
		twice     = ": give each iss to one issuer; if two servers write the same iss, set another at one of them"
		noURI     = "; if the issuer's iss is not a URL, set KeySetURL"
		noAlg     = "Algorithms: none given: list the algorithms with which the issuer signs access tokens, such as RS256"
		noName    = "is blank: write the name of a claim; if a variable or a file should supply it, set the variable or fill the file"
		weaker    = "it is not an https URL, while the issuer's is: write the https URL"
	)
	tests := []struct {
		name   string
		issuer token.Issuer
		opts   []token.Option
		faults []string
	}{
		{"none", good, nil, nil},
		{"loopback by name", url("http://localhost:3001/oidc"), nil, nil},
		{"loopback IPv4", url("http://127.0.0.1:3001/oidc"), nil, nil},
		{"loopback IPv4, another", url("http://127.9.9.9"), nil, nil},
		{"loopback IPv6", url("http://[::1]:3001/oidc"), nil, nil},
		{"key set with a query", keySet("https://keys.test/jwks?p=policy"), nil, nil},
		{"key set of a loopback issuer", with(func(i *token.Issuer) { i.URL, i.KeySetURL = "http://localhost", "http://127.0.0.1/jwks" }), nil, nil},
		{"all algorithms", with(func(i *token.Issuer) {
			i.Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
		}), nil, nil},
		{"another issuer", good, []token.Option{token.WithIssuer(token.Auth0("tenant.eu.auth0.com")), token.WithIssuer(token.AuthAction("t.eu.authaction.com"))}, nil},
		{"cache of one", good, []token.Option{token.WithCache(1), token.WithSignatureLimit(1)}, nil},
		{"no leeway", good, []token.Option{token.WithLeeway(0)}, nil},
		{"largest leeway", good, []token.Option{token.WithLeeway(5 * time.Minute)}, nil},

		{"nothing", token.Issuer{}, nil, []string{noURL, `token: issuer "": ` + noAlg}},
		{"http", url("http://idp.test/oidc"), nil, []string{`token: issuer "http://idp.test/oidc": URL: ` + plainHTTP + orList("idp.test")}},
		{"http, loopback as a label", url("http://localhost.idp.test"), nil, []string{`token: issuer "http://localhost.idp.test": URL: ` + plainHTTP + orList("localhost.idp.test")}},
		{"http, loopback as user", url("http://127.0.0.1@idp.test"), nil, []string{`token: issuer "xxxxx@idp.test": URL: ` + userInfo}},
		{"http, any address", url("http://0.0.0.0"), nil, []string{`token: issuer "http://0.0.0.0": URL: ` + plainHTTP + orList("0.0.0.0")}},
		{"http, private address", url("http://192.168.0.1"), nil, []string{`token: issuer "http://192.168.0.1": URL: ` + plainHTTP + orList("192.168.0.1")}},
		{"another scheme", url("ftp://idp.test"), nil, []string{`token: issuer "ftp://idp.test": URL: ` + notHTTPS}},
		{"file", url("file:///etc/jwks"), nil, []string{`token: issuer "file:///etc/jwks": URL: ` + noHost}},
		{"no scheme", url("idp.test/oidc"), nil, []string{`token: issuer "idp.test/oidc": URL: ` + noScheme}},
		{"opaque", url("https:idp.test"), nil, []string{`token: issuer "https:idp.test": URL: ` + noScheme}},
		{"no host", url("https:///oidc"), nil, []string{`token: issuer "https:///oidc": URL: ` + noHost}},
		{"port alone", url("https://:443/oidc"), nil, []string{`token: issuer "https://:443/oidc": URL: ` + noHost}},
		{"empty port", url("https://idp.test:/oidc"), nil, []string{`token: issuer "https://idp.test:/oidc": URL: ` + noHost}},
		{"scheme twice", url("https://https://idp.test"), nil, []string{`token: issuer "https://https://idp.test": URL: ` + noHost}},
		{"not a URL", url("https://idp.test\n"), nil, []string{`token: issuer "https://idp.test\n": URL: ` + space}},
		{"space behind the host", url("https://idp.test "), nil, []string{`token: issuer "https://idp.test ": URL: ` + space}},
		{"space behind the path", url("https://idp.test/oidc "), nil, []string{`token: issuer "https://idp.test/oidc ": URL: ` + space}},
		{"metadata", url("https://idp.test/oidc/.well-known/openid-configuration"), nil, []string{
			`token: issuer "https://idp.test/oidc/.well-known/openid-configuration": URL: it is where the issuer's metadata is: leave out /.well-known/openid-configuration`,
		}},
		{"query", url("https://idp.test/oidc?key=secret"), nil, []string{`token: issuer "https://idp.test/oidc?…": URL: it has a query: leave it out`}},
		{"empty query", url("https://idp.test/oidc?"), nil, []string{`token: issuer "https://idp.test/oidc?…": URL: it has a query: leave it out`}},
		{"fragment", url("https://idp.test/oidc#a"), nil, []string{`token: issuer "https://idp.test/oidc?…": URL: ` + userInfo}},
		{"empty fragment", url("https://idp.test/oidc#"), nil, []string{`token: issuer "https://idp.test/oidc?…": URL: ` + userInfo}},
		{"password", url("https://a:b@idp.test"), nil, []string{`token: issuer "xxxxx@idp.test": URL: ` + userInfo}},
		{"scheme in upper case", url("HTTPS://idp.test"), nil, []string{`token: issuer "HTTPS://idp.test": URL: it is not an https URL`}},
		{"key set over http", keySet("http://idp.test/jwks"), nil, []string{of + "KeySetURL: " + weaker + orList("idp.test")}},
		{"key set on loopback", keySet("http://localhost/jwks"), nil, []string{of + "KeySetURL: " + weaker + orList("localhost")}},
		{"key set without an issuer", with(func(i *token.Issuer) { i.URL, i.KeySetURL = "", "idp.test" }), nil,
			[]string{noURL, `token: issuer "": KeySetURL: it does not begin with https://`}},
		{"key set without host", keySet("https:///jwks"), nil, []string{of + "KeySetURL: " + noHost}},
		{"key set with a password", keySet("https://a:b@idp.test/jwks"), nil, []string{of + "KeySetURL: " + userInfo}},
		{"no algorithms", with(func(i *token.Issuer) { i.Algorithms = []string{} }), nil, []string{of + noAlg}},
		{"algorithms", with(func(i *token.Issuer) { i.Algorithms = []string{"none", "HS256", "ES256", "es256", "RS1", ""} }), nil, []string{
			of + `Algorithms: "none" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`, of + `Algorithms: "HS256" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`, of + `Algorithms: "es256" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`,
			of + `Algorithms: "RS1" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`, of + `Algorithms: "" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`,
		}},
		{"names", with(func(i *token.Issuer) {
			i.Types, i.ScopeClaims, i.ClientClaims = []string{"JWT", ""}, []string{""}, []string{"azp", ""}
		}), nil, []string{of + noTyp, of + `ClientClaims: "" ` + noName, of + `ScopeClaims: "" ` + noName}},
		{"type that is a prefix alone", with(func(i *token.Issuer) { i.Types = []string{"Application/"} }), nil, []string{of + `Types: "Application/" is blank: "" stands for a token without typ`}},
		{"client tokens without a value", with(func(i *token.Issuer) { i.ClientTokens = map[string][]string{"sub": {}} }), nil, []string{of + `ClientTokens: "sub" has an empty list: list the values to accept, or token.AnyValue alone for any value`}},
		{"subject of two clients", with(func(i *token.Issuer) { i.ClientTokens = map[string][]string{"sub": {"{client}{client}"}} }), nil, []string{of + `ClientTokens: "sub" lists "{client}{client}", which holds {client} twice: write it once`}},
		{"Logto, a path and more", token.Logto("https://idp.test/?a=b"), nil, []string{`token: issuer "https://idp.test/?…": URL: it has a query: leave it out`}},
		{"Logto, domain", token.Logto("idp.test"), nil, []string{`token: issuer "idp.test": URL: ` + noScheme + noURI}},
		{"Logto, no host", token.Logto("https://"), nil, []string{`token: issuer "https://": URL: ` + noHost}},
		{"Logto, a slash", token.Logto("https:///"), nil, []string{`token: issuer "https:///": URL: ` + noHost}},
		{"Logto, path alone", token.Logto("https:///oidc"), nil, []string{`token: issuer "https:///oidc": URL: ` + noHost}},
		{"Logto, scheme alone", token.Logto("https:"), nil, []string{`token: issuer "https:": URL: ` + noScheme}},
		{"Logto, half a scheme", token.Logto("https:/"), nil, []string{`token: issuer "https:/": URL: ` + noScheme}},
		{"Logto, slashes", token.Logto("//"), nil, []string{`token: issuer "//": URL: ` + noScheme}},
		{"Logto, user alone", token.Logto("https://user:secret@"), nil, []string{`token: issuer "xxxxx@": URL: ` + noHost}},
		{"Logto, port alone", token.Logto("https://:443"), nil, []string{`token: issuer "https://:443": URL: ` + noHost}},
		{"Logto, query alone", token.Logto("https://?a=b"), nil, []string{`token: issuer "https://?…": URL: ` + noHost}},
		{"Logto, fragment alone", token.Logto("https://#/"), nil, []string{`token: issuer "https://?…": URL: ` + noHost}},
		{"Logto, no tenant", token.Logto("https://.logto.app"), nil, []string{`token: issuer "https://.logto.app/oidc": URL: ` + dot}},
		{"Logto, line break", token.Logto("https://idp.test\n"), nil, []string{`token: issuer "https://idp.test\n": URL: ` + space}},
		{"Logto, space", token.Logto(" https://idp.test"), nil, []string{`token: issuer " https://idp.test": URL: ` + space}},
		{"Auth0, no tenant", token.Auth0(".eu.auth0.com"), nil, []string{`token: issuer "https://.eu.auth0.com/": URL: ` + dot}},
		{"Auth0, port alone", token.Auth0(":443"), nil, []string{`token: issuer "https://:443/": URL: ` + noHost}},
		{"Auth0, line break", token.Auth0("idp.test\n"), nil, []string{`token: issuer "https://idp.test\n/": URL: ` + space}},
		{"AuthAction, space", token.AuthAction("idp.test "), nil, []string{`token: issuer "https://idp.test ": URL: ` + space}},
		{"AuthAction, scheme alone", token.AuthAction("https://"), nil, []string{`token: issuer "https://https:%2F%2F": URL: ` + unparsed}},
		{"secrets in a fragment", url("https://idp.test/oidc#secret"), nil, []string{`token: issuer "https://idp.test/oidc?…": URL: ` + userInfo}},
		{"a password with a question mark", url("https://user:sec?ret@idp.test"), nil, []string{`token: issuer "xxxxx": URL: ` + unparsed}},
		{"blank names", with(func(i *token.Issuer) {
			i.Types, i.ScopeClaims, i.ClientClaims, i.OrganizationClaim, i.OrganizationAudience = []string{" "}, []string{"\t"}, []string{" "}, " ", " "
		}), nil, []string{of + `Types: " " is blank: "" stands for a token without typ`, of + `ClientClaims: " " ` + noName, of + `ScopeClaims: "\t" ` + noName,
			of + `OrganizationClaim: " " ` + noName, of + "OrganizationAudience: it is blank: write what stands before the organization's id in aud, or leave it empty if no aud names an organization"}},
		{"equal faults", token.Logto(" "), []token.Option{nil, nil, token.WithLeeway(-1), token.WithLeeway(-1), token.WithTransport(nil), token.WithTransport(nil),
			token.WithKeySetObserver(nil), token.WithKeySetObserver(nil), token.WithIssuer(token.Auth0("")), token.WithIssuer(token.Issuer{Algorithms: []string{"ES256"}})}, []string{
			"token: an option is nil", "token: WithLeeway: -1ns is not between 0 and 5m0s", "token: WithTransport: transport is nil", "token: WithKeySetObserver: observer is nil", noURL,
		}},
		{"Logto, empty", token.Logto(""), nil, []string{noURL}},
		{"Auth0, URL", token.Auth0("https://idp.test"), nil, []string{
			`token: issuer "https://https:%2F%2Fidp.test/": URL: ` + unparsed,
		}},
		{"Auth0, slash", token.Auth0("idp.test/"), nil, []string{
			`token: issuer "https://idp.test%2F/": URL: ` + unparsed,
		}},
		{"Auth0, path", token.Auth0("idp.test/a"), nil, []string{
			`token: issuer "https://idp.test%2Fa/": URL: ` + unparsed,
		}},
		{"Auth0, empty", token.Auth0(""), nil, []string{noURL}},
		{"Auth0, user", token.Auth0("idp.test@evil.test"), nil, []string{
			`token: issuer "xxxxx@evil.test/": URL: ` + userInfo,
		}},
		{"AuthAction, slash", token.AuthAction("idp.test/"), nil, []string{
			`token: issuer "https://idp.test%2F": URL: ` + unparsed,
		}},
		{"issuer twice, with a password", url("https://a:secret@idp.test"), []token.Option{token.WithIssuer(url("https://a:secret@idp.test"))}, []string{
			`token: issuer "xxxxx@idp.test": URL: ` + userInfo,
			`token: issuer "xxxxx@idp.test" is given twice` + twice,
		}},
		{"password in an invalid URL", url("https://a:secret@[idp.test"), nil, []string{`token: issuer "xxxxx@[idp.test": URL: ` + unparsed}},
		{"password without scheme", token.Logto("user:secret@idp.test"), nil, []string{`token: issuer "xxxxx@idp.test": URL: ` + noScheme + noURI}},
		{"issuer twice", good, []token.Option{token.WithIssuer(good)}, []string{`token: issuer "https://idp.test/oidc" is given twice` + twice}},
		{"negative leeway", good, []token.Option{token.WithLeeway(-1)}, []string{"token: WithLeeway: -1ns is not between 0 and 5m0s"}},
		{"wide leeway", good, []token.Option{token.WithLeeway(5*time.Minute + 1)}, []string{"token: WithLeeway: 5m0.000000001s is not between 0 and 5m0s"}},
		{"no cache by number", good, []token.Option{token.WithCache(0)}, []string{"token: WithCache: 0 is not positive: use WithoutCache"}},
		{"no signatures", good, []token.Option{token.WithSignatureLimit(0)}, []string{"token: WithSignatureLimit: 0 is not positive"}},
		{"nil transport", good, []token.Option{token.WithTransport(nil)}, []string{"token: WithTransport: transport is nil"}},
		{"nil logger", good, []token.Option{token.WithLogger(nil)}, []string{"token: WithLogger: logger is nil: for slog.Default use WithDefaultLog"}},
		{"nil option", good, []token.Option{nil}, []string{"token: an option is nil"}},
		{"all at once", with(func(i *token.Issuer) {
			i.KeySetURL, i.Algorithms, i.Types, i.ClientTokens = "http://idp.test", []string{"none"}, []string{""}, map[string][]string{"sub": nil}
		}), []token.Option{nil, token.WithLeeway(-1), token.WithTransport(nil), token.WithIssuer(token.Issuer{})}, []string{
			"token: an option is nil", "token: WithLeeway: -1ns is not between 0 and 5m0s", "token: WithTransport: transport is nil",
			of + "KeySetURL: " + weaker + orList("idp.test"), of + `Algorithms: "none" is none of ["ES256" "ES384" "ES512" "Ed25519" "EdDSA" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]`, of + noTyp, of + `ClientTokens: "sub" has an empty list: list the values to accept, or token.AnyValue alone for any value`,
			noURL, `token: issuer "": ` + noAlg,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			verifier, err := token.NewVerifier(test.issuer, test.opts...)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if want := strings.Join(test.faults, "\n"); text != want {
				t.Errorf("faults are\n%s\nwant\n%s", text, want)
			}
			if (verifier == nil) != (err != nil) {
				t.Errorf("verifier %v beside the error %v", verifier, err)
			}
		})
	}
}

// TestIssuerIsCopied changes an issuer after its verifier was made.
func TestIssuerIsCopied(t *testing.T) {
	t.Parallel()
	mine := token.Issuer{URL: issuerURL, Algorithms: []string{"EdDSA"}, Types: []string{"JWT"}, ScopeClaims: []string{"scp"}, ClientClaims: []string{"azp"}}
	verifier, err := token.NewVerifier(mine, token.WithTransport(newIDP(jwksOf(all...)...)))
	if err != nil {
		t.Fatal(err)
	}
	if mine.Types[0] != "JWT" {
		t.Errorf("the caller's types became %q", mine.Types)
	}
	mine.Algorithms[0], mine.Types[0], mine.ScopeClaims[0], mine.ClientClaims[0] = "ES256", "at+jwt", "scope", "sub"
	claims, err := verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header("typ", "JWT"), payload("exp", never, "scp", "a", "azp", "b", "client_id", "c")))
	if err != nil || claims.ClientID() != "b" || !claims.HasScope("a") {
		t.Errorf("claims are %+v, %v", claims, err)
	}
	_, err = verifier.Verify(t.Context(), es256.Mint(es256.Header(), payload("exp", never)))
	checkError(t, err, token.ErrInvalid)
}

// TestOutsideFaults makes sure that a missing issuer is one fault, and that the fault names the
// missing setting.
func TestOutsideFaults(t *testing.T) {
	t.Parallel()
	const want = "token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"
	for name, issuer := range map[string]token.Issuer{
		"C18/Logto":             token.Logto(""),
		"C18/Logto, slash":      token.Logto("/"),
		"C18/Logto, path alone": token.Logto("/oidc"),
		"C18/Logto, blank":      token.Logto(" \t"),
		"C18/Auth0":             token.Auth0(""),
		"C18/Auth0, blank":      token.Auth0(" "),
		"C18/AuthAction":        token.AuthAction(""),
		"C18/AuthAction, blank": token.AuthAction("\n"),
		"C18/by hand":           {Algorithms: []string{"ES256"}},
		"C18/by hand, blank":    {URL: " ", Algorithms: []string{"ES256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, verifierErr := token.NewVerifier(issuer)
			_, secondErr := token.NewVerifier(token.Logto("https://idp.test"), token.WithIssuer(issuer))
			_, claimsErr := unverified.Claims(issuer, "{}")
			for _, err := range []error{verifierErr, secondErr, claimsErr} {
				if err == nil || err.Error() != want {
					t.Errorf("\n got %v\nwant %s", err, want)
				}
			}
		})
	}
}
