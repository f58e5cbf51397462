package clientauth_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestOutside has cases that testers from outside the project have found, with the texts of the
// errors.
func TestOutside(t *testing.T) {
	t.Parallel()
	const (
		good    = `{"access_token": "secret-1", "token_type": "Bearer", "expires_in": 3600}`
		refused = `clientauth: no token is granted: token endpoint "https://idp.test/oidc/token": `
		seconds = refused + "expires_in in the answer is not a whole number of seconds above zero: the provider must correct it, or leave it out"
		object  = refused + "the answer is not a JSON object in UTF-8: is this the provider's token endpoint?"
		html    = refused + "the answer is not a JSON object in UTF-8: it is HTML or XML, such as a page for signing in or an error page: is this the provider's token endpoint?"
		mistake = refused + "the answer is not a JSON object in UTF-8: it is cut short, or has a mistake: is this the provider's token endpoint?"
		large   = refused + "expires_in in the answer is larger than 2^63-1 seconds: the provider must correct it, or leave it out"
		log     = refused + "the endpoint answered with status 200 and refused the request: look into the provider's log"
		noToken = refused + "the answer has no access_token: is this the provider's token endpoint?"
		utf16   = refused + "the answer is not a JSON object in UTF-8: it is in UTF-16 or UTF-32: it must be sent or saved in UTF-8"
		bearer  = refused + "the token_type is not Bearer: have the provider issue bearer tokens to this client"
		noType  = refused + "the answer has no token_type, which RFC 6749 section 5.1 requires: the provider must correct it"
	)
	type answer struct {
		name  string
		serve tokens.Handler
		text  string        // of the error, or empty
		lives time.Duration // at least, and a second less than this and a ninth
	}
	respond := tokens.Respond
	with := func(old, new string) tokens.Handler { return respond(200, strings.Replace(good, old, new, 1)) }
	cases := []answer{
		{"C9/expires_in a whole number", respond(200, good), "", 3590 * time.Second},
		{"C9/expires_in digits in a string", with("3600", `"3600"`), "", 3590 * time.Second},
		{"C9/expires_in escaped digits", with("3600", `"\u0033600"`), "", 3590 * time.Second},
		{"C9/expires_in 3600.0", with("3600", "3600.0"), "", 3590 * time.Second},
		{"C9/expires_in 3.6e3", with("3600", "3.6e3"), "", 3590 * time.Second},
		{"C9/expires_in 36000E-1", with("3600", "36000E-1"), "", 3590 * time.Second},
		{"C9/expires_in of years", with("3600", "1e18"), "", 86390 * time.Second},
		{"C9/no expires_in", with(`, "expires_in": 3600`, ""), "", 54 * time.Second},
		{"C9/expires_in null", with("3600", "null"), "", 54 * time.Second},
		{"C9/EXPIRES_IN", with("expires_in", "EXPIRES_IN"), "", 54 * time.Second},
		{"C9/expires_in negative", with("3600", "-3600"), seconds, 0},
		{"C9/expires_in negative digits", with("3600", `"-3600"`), seconds, 0},
		{"C9/expires_in 0", with("3600", "0"), seconds, 0},
		{"C9/expires_in -0.0", with("3600", "-0.0"), seconds, 0},
		{"C9/expires_in a fraction", with("3600", "3600.5"), seconds, 0},
		{"C9/expires_in a fraction in a string", with("3600", `"3600.0"`), seconds, 0},
		{"C9/expires_in huge", with("3600", "1e19"), large, 0},
		{"C9/expires_in larger than any number", with("3600", "1e999"), large, 0},
		{"C9/expires_in 2^63", with("3600", "9223372036854775808"), large, 0},
		{"C9/expires_in 2^64", with("3600", "18446744073709551616"), large, 0},
		{"C9/expires_in huge digits", with("3600", `"18446744073709551616"`), large, 0},
		{"C9/expires_in a sign", with("3600", `"+3600"`), seconds, 0},
		{"C9/expires_in a space", with("3600", `" 3600"`), seconds, 0},
		{"C9/expires_in digits of another script", with("3600", `"٣٦٠٠"`), seconds, 0},
		{"C9/expires_in hexadecimal", with("3600", `"0xe10"`), seconds, 0},
		{"C9/expires_in an empty string", with("3600", `""`), seconds, 0},
		{"C9/expires_in NaN in a string", with("3600", `"NaN"`), seconds, 0},
		{"C9/expires_in NaN", with("3600", "NaN"), mistake, 0},
		{"C9/expires_in true", with("3600", "true"), seconds, 0},
		{"C9/expires_in an array", with("3600", "[3600]"), seconds, 0},
		{"C9/expires_in an object", with("3600", "{}"), seconds, 0},

		{"C9/ACCESS_TOKEN", with("access_token", "ACCESS_TOKEN"), noToken, 0},
		{"C9/access_token with a long s", with("access_token", "acceſs_token"), noToken, 0},
		{"C9/ACCESS_TOKEN beside it", with("{", `{"ACCESS_TOKEN": "secret-2", "Token_Type": "DPoP", "EXPIRES_IN": -1, "ERROR": "invalid_client", `), "", 3590 * time.Second},
		{"C9/access_token twice", with("{", `{"access_token": "secret-2", `), refused + "access_token stands twice in the answer: the provider must correct it", 0},
		{"C9/access_token twice, once null", with("{", `{"access_token": null, `), refused + "access_token stands twice in the answer: the provider must correct it", 0},
		{"C9/another member twice", with("{", `{"scope": "a", "scope": "b", `), "", 3590 * time.Second},
		{"C9/access_token null", with(`"secret-1"`, "null"), noToken, 0},
		{"C9/access_token a number", with(`"secret-1"`, "1"), refused + "access_token in the answer is not a string: the provider must correct it", 0},
		{"C9/access_token two words", with("secret-1", "secret 1"),
			refused + "access_token cannot be sent: it is empty, has more than 16 KiB, or holds a character that no token has, such as a space, comma or quote: have the provider issue bearer tokens (RFC 6750)", 0},
		{"C9/TOKEN_TYPE", with("token_type", "TOKEN_TYPE"), noType, 0},
		{"C9/token_type null", with(`"Bearer"`, "null"), noType, 0},
		{"C9/token_type bEARER", with("Bearer", "bEARER"), "", 3590 * time.Second},
		{"C9/token_type DPoP", with("Bearer", "DPoP"), bearer, 0},
		{"C9/error null", with("{", `{"error": null, `), "", 3590 * time.Second},
		{"C9/error beside a token", with("{", `{"error": "secret", `), log, 0},
		{"C9/error a number", with("{", `{"error": 1, `), log, 0},
		{"C9/two answers", respond(200, good+good), mistake, 0},
		{"C9/HTML", respond(200, "<title>secret</title>"), html, 0},
		{"C9/a form", respond(200, "access_token=secret-1&token_type=Bearer"), object, 0},
		{"C9/null", respond(200, "null"), refused + "the answer is not a JSON object in UTF-8: it is JSON, but not an object: is this the provider's token endpoint?", 0},
		{"C9/too large", respond(200, strings.Repeat(" ", 1<<20)+good), refused + "the response is larger than 1048576 bytes: is this the provider's token endpoint?", 0},

		{"C9/404", respond(404, "secret"), refused + "the endpoint answered with status 404: is this the provider's token endpoint?", 0},
		{"C9/301", respond(301, "", "Location", "https://user:secret@login.test/token?secret#secret"),
			refused + `the endpoint answered with status 301, a redirect to another host, which is not followed: is this the provider's token endpoint?`, 0},
		{"C9/301 to no URL", respond(301, "", "Location", "https://secret%zz"),
			refused + "the endpoint answered with status 301, a redirect, which is not followed: is this the provider's token endpoint?", 0},
		{"C9/401", respond(401, "secret"), refused + "the endpoint answered with status 401: check the client's credentials, and how they are sent (AuthStyle)", 0},
		{"C9/invalid_client", respond(400, `{"error": "invalid_client"}`),
			refused + "the endpoint answered with status 400, invalid_client: check the client's credentials, and how they are sent (AuthStyle)", 0},
		{"C9/invalid_client with status 200", respond(200, `{"error": "invalid_client"}`),
			refused + "the endpoint answered with status 200, invalid_client: check the client's credentials, and how they are sent (AuthStyle)", 0},
		{"C9/unauthorized_client", respond(400, `{"error": "unauthorized_client"}`),
			refused + "the endpoint answered with status 400, unauthorized_client: let the client use the client credentials grant at the provider", 0},
		{"C9/invalid_scope", respond(400, `{"error": "invalid_scope"}`), refused + "the endpoint answered with status 400, invalid_scope: check Target.Scopes", 0},
		{"C9/invalid_target", respond(400, `{"error": "invalid_target"}`), refused + "the endpoint answered with status 400, invalid_target: check Target.Resource", 0},
		{"C9/access_denied", respond(403, `{"error": "access_denied"}`),
			refused + "the endpoint answered with status 403, access_denied: check the client's roles at the provider, and Target.Organization", 0},
		{"C9/403", respond(403, "secret"),
			refused + "the endpoint answered with status 403: check Target.Scopes, Target.Resource and Target.Organization, and what the provider lets the client have", 0},
		{"C9/ERROR", respond(400, `{"ERROR": "invalid_client"}`),
			refused + "the endpoint answered with status 400: check Target.Scopes, Target.Resource and Target.Organization, and what the provider lets the client have", 0},
		{"C9/an error of its own", respond(400, `{"error": "secret"}`),
			refused + "the endpoint answered with status 400: check Target.Scopes, Target.Resource and Target.Organization, and what the provider lets the client have", 0},

		{"C2/byte order mark", respond(200, "\ufeff"+good), "", 3590 * time.Second},
		{"C2/byte order mark before an error", respond(400, "\ufeff"+`{"error": "invalid_scope"}`),
			refused + "the endpoint answered with status 400, invalid_scope: check Target.Scopes", 0},
		{"C2/two byte order marks", respond(200, "\ufeff\ufeff"+good), refused + "the answer is not a JSON object in UTF-8: it has two byte order marks: is this the provider's token endpoint?", 0},
		{"C2/UTF-16, little endian", respond(200, "\xff\xfe{\x00}\x00"), utf16, 0},
		{"C2/gzip", respond(200, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"), refused + "the answer is not a JSON object in UTF-8: it is compressed, and Content-Encoding does not name the compression: the endpoint must name the compression, or send the answer without compression", 0},
		{"C2/UTF-16, big endian", respond(200, "\xfe\xff\x00{\x00}"), utf16, 0},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := tokens.NewIDP()
				idp.Serve(tokenURL, test.serve)
				source := newClient(t, idp).Source(target)
				if test.text != "" {
					fails(t, source, clientauth.ErrRefused)
					want(t, source, test.text)
					asked(t, idp, 1)
					return
				}
				want(t, source, "secret-1")
				idp.Serve(tokenURL, respond(503, ""))
				time.Sleep(test.lives - 1) // the bubble's clock
				want(t, source, "secret-1")
				time.Sleep(time.Nanosecond) // the bubble's clock
				fails(t, source, clientauth.ErrUnavailable)
			})
		})
	}
}

// TestOutsideCode makes sure that the code of a call tells whether another attempt may help.
func TestOutsideCode(t *testing.T) {
	t.Parallel()
	fails := func(err error) tokens.Handler {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	for name, test := range map[string]struct {
		serve tokens.Handler
		code  connect.Code
	}{
		"C9/malformed":               {tokens.Respond(200, `{"ACCESS_TOKEN": "secret"}`), connect.CodeInternal},
		"C9/refused":                 {tokens.Respond(401, `{"error": "invalid_client"}`), connect.CodeInternal},
		"C9/moved":                   {tokens.Respond(308, ""), connect.CodeInternal},
		"C9/down":                    {tokens.Respond(503, ""), connect.CodeUnavailable},
		"C9/rate limit":              {tokens.Respond(429, ""), connect.CodeUnavailable},
		"C9/temporarily_unavailable": {tokens.Respond(400, `{"error": "temporarily_unavailable"}`), connect.CodeUnavailable},
		"C9/not reached":             {fails(http.ErrServerClosed), connect.CodeUnavailable},
		"C9/no such host":            {fails(&net.DNSError{IsNotFound: true}), connect.CodeUnavailable},
		"C9/connection refused":      {fails(syscall.ECONNREFUSED), connect.CodeUnavailable},
		"C9/timeout":                 {fails(os.ErrDeadlineExceeded), connect.CodeUnavailable},
		"C9/cut":                     {fails(io.ErrUnexpectedEOF), connect.CodeUnavailable},
		"C9/expired certificate":     {fails(x509.CertificateInvalidError{Reason: x509.Expired}), connect.CodeUnavailable},
		"C9/proxy, 502":              {fails(errors.New(http.StatusText(http.StatusBadGateway))), connect.CodeUnavailable},
		"C9/proxy, 403":              {fails(errors.New(http.StatusText(http.StatusForbidden))), connect.CodeInternal},
		"C9/proxy, 407":              {fails(errors.New(http.StatusText(http.StatusProxyAuthRequired))), connect.CodeInternal},
		"C9/plain proxy, 407":        {tokens.Respond(407, ""), connect.CodeInternal},
		"C9/unknown authority":       {fails(x509.UnknownAuthorityError{}), connect.CodeInternal},
		"C9/another host":            {fails(x509.HostnameError{Host: "secret", Certificate: new(x509.Certificate)}), connect.CodeInternal},
		"C9/no TLS":                  {fails(http.ErrSchemeMismatch), connect.CodeInternal},
		"C9/certificate wanted":      {fails(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}), connect.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := tokens.NewIDP()
			idp.Serve(tokenURL, test.serve)
			client := connect.NewClient[message, answer](clientauth.HTTPClient(nil), "https://orders.test"+catalogue.Procedure("Read", catalogue.Unary),
				connect.WithInterceptors(clientauth.NewInterceptor(newClient(t, idp).Source(target))))
			_, err := call(t.Context(), client, catalogue.Unary)
			if got := connect.CodeOf(err); got != test.code {
				t.Errorf("%v instead of %v: %v", got, test.code, err)
			}
		})
	}
}

// TestOutsideFaults makes sure that a missing setting is one fault, and that the fault names the
// setting.
func TestOutsideFaults(t *testing.T) {
	t.Parallel()
	const (
		noURL = "clientauth: the TokenURL is empty: give the tenant's endpoint or domain, or Provider.TokenURL; " +
			"if a variable or a file should supply it, set the variable or fill the file"
		noID     = "clientauth: the client's id is empty: if a variable or a file should supply it, set the variable or fill the file"
		noSecret = "clientauth: the client's secret is empty: if a variable or a file should supply it, set the variable or fill the file"
		padded   = "has white space around it, such as a line break at its end: if a variable or a file supplies it, remove the white space there"
		space    = "it holds white space, such as a line break at its end: if a variable or a file supplies it, remove the white space there"
		noHost   = "it names no host: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file"
		noScheme = "it does not begin with https://"
	)
	for name, test := range map[string]struct {
		provider   clientauth.Provider
		id, secret string
		want       string
	}{
		"C18/Logto":           {clientauth.Logto(""), "shop", "s", noURL},
		"C18/Logto, slash":    {clientauth.Logto("/"), "shop", "s", noURL},
		"C18/Logto, issuer":   {clientauth.Logto("/oidc"), "shop", "s", noURL},
		"C18/Logto, blank":    {clientauth.Logto(" \n"), "shop", "s", noURL},
		"C18/Auth0":           {clientauth.Auth0(""), "shop", "s", noURL},
		"C18/Auth0, blank":    {clientauth.Auth0(" "), "shop", "s", noURL},
		"C18/AuthAction":      {clientauth.AuthAction(""), "shop", "s", noURL},
		"C18/none":            {clientauth.Provider{}, "shop", "s", noURL},
		"C18/by hand, blank":  {clientauth.Provider{TokenURL: " "}, "shop", "s", noURL},
		"C18/id and secret":   {clientauth.Logto("https://idp.test"), "", "", noID + "\n" + noSecret},
		"C18/blank":           {clientauth.Logto("https://idp.test"), " ", "\n", noID + "\n" + noSecret},
		"C18/everything":      {clientauth.Auth0(""), "", "", noURL + "\n" + noID + "\n" + noSecret},
		"C18/a space in each": {clientauth.Logto("https://idp.test"), "a shop", "a b", ""},
		"C18/line breaks":     {clientauth.Logto("https://idp.test"), "shop\n", " s", "clientauth: the client's id " + padded + "\nclientauth: the client's secret " + padded},

		"C18/Logto, no host":         {clientauth.Logto("https://"), "shop", "s", `clientauth: TokenURL "https://": ` + noHost},
		"C18/Logto, slash, no host":  {clientauth.Logto("https:///"), "shop", "s", `clientauth: TokenURL "https:///": ` + noHost},
		"C18/Logto, issuer, no host": {clientauth.Logto("https:///oidc"), "shop", "s", `clientauth: TokenURL "https:///oidc": ` + noHost},
		"C18/Logto, scheme":          {clientauth.Logto("https:"), "shop", "s", `clientauth: TokenURL "https:": ` + noScheme},
		"C18/Logto, half a scheme":   {clientauth.Logto("https:/"), "shop", "s", `clientauth: TokenURL "https:/": ` + noScheme},
		"C18/Logto, user alone":      {clientauth.Logto("https://user:secret@"), "shop", "s", `clientauth: TokenURL "xxxxx@": ` + noHost},
		"C18/Logto, port alone":      {clientauth.Logto("https://:443"), "shop", "s", `clientauth: TokenURL "https://:443": ` + noHost},
		"C18/Logto, query alone":     {clientauth.Logto("https://?a"), "shop", "s", `clientauth: TokenURL "https://?…": it has a query`},
		"C18/Logto, fragment alone":  {clientauth.Logto("https://#"), "shop", "s", `clientauth: TokenURL "https://?…": ` + noHost},
		"C18/Logto, no tenant": {clientauth.Logto("https://.logto.app"), "shop", "s",
			`clientauth: TokenURL "https://.logto.app/oidc/token": its host begins with a dot: a part of the URL seems to be missing; if a variable or a file should supply it, set the variable or fill the file`},
		"C18/Logto, line break":    {clientauth.Logto("https://idp.test\n"), "shop", "s", `clientauth: TokenURL "https://idp.test\n": ` + space},
		"C18/Auth0, line break":    {clientauth.Auth0("idp.test\n"), "shop", "s", `clientauth: TokenURL "https://idp.test\n/oauth/token": ` + space},
		"C18/Auth0, port alone":    {clientauth.Auth0(":443"), "shop", "s", `clientauth: TokenURL "https://:443/oauth/token": ` + noHost},
		"C18/AuthAction, user":     {clientauth.AuthAction("user:secret@"), "shop", "s", `clientauth: TokenURL "xxxxx@/oauth2/m2m/token": ` + noHost},
		"C18/Logto, a host `oidc`": {clientauth.Logto("https://oidc"), "shop", "s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := clientauth.New(test.provider, test.id, test.secret)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}
