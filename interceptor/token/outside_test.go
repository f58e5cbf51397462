package token_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// texts are the parts of TestOutside about what is said of documents and tokens.
var texts = map[string]func(t *testing.T){
	"C1 null is absent":                  testNulls,
	"C2 byte order mark":                 testByteOrderMark,
	"C3 both names":                      testBothNames,
	"C3 both names share one budget":     testNamesShareBudget,
	"C3 mismatch names both":             testMismatch,
	"C4 typ":                             testTypes,
	"C5 fetch":                           testFetchTexts,
	"C6 by how much":                     testDates,
	"C6 only if the signature is good":   testDatesOfStrangers,
	"C6 a cached token that expires":     testCachedExpiry,
	"C6 a verifier that has no keys":     testDatesWithoutKeys,
	"C6 a flood is not explained":        testExplanationBudget,
	"C6 nothing is told before its time": testUntold,
}

// checkText fails unless an error has a text.
func checkText(t *testing.T, name string, err error, want string) {
	t.Helper()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != want {
		t.Errorf("%s:\n got %s\nwant %s", name, text, want)
	}
}

// testNulls is about members that .NET and Java write though a key does not have them.
func testNulls(t *testing.T) {
	optional := []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "use", "key_ops", "alg", "x5u", "x5c", "x5t", "x5t#S256", "ext", "iat", "exp", "nbf"}
	for _, k := range all {
		var nulls []any
		for _, name := range optional {
			nulls = append(nulls, name, nil)
			if keys, skipped, err := token.ParseKeySet([]byte(keySet(k.JWK(name, nil))), k.Alg); err != nil || len(keys) != 1 {
				t.Errorf("%s, %s null: %v, %q", k.Alg, name, err, skipped)
			}
		}
		others := map[string][]any{"RSA": {"crv", nil, "x", nil, "y", nil}, "EC": {"n", nil, "e", nil}, "OKP": {"n", nil, "e", nil, "y", nil}}
		var kty struct{ Kty string }
		if err := json.Unmarshal([]byte(k.JWK()), &kty); err != nil {
			t.Fatal(err)
		}
		if keys, skipped, err := token.ParseKeySet([]byte(keySet(k.JWK(append(nulls, others[kty.Kty]...)...))), k.Alg); err != nil || len(keys) != 1 {
			t.Errorf("%s, all at once: %v, %q", k.Alg, err, skipped)
		}
	}
	_, err := newVerifier(t, newIDP(es256.JWK("kid", nil, "d", nil))).Verify(t.Context(), es256.Mint(es256.Header("kid", absent{}), payload()))
	checkError(t, err, nil)

	const private = "it holds private or symmetric key material"
	for _, test := range []struct{ jwk, want string }{
		{es256.JWK("d", ""), private},
		{es256.JWK("d", false), private},
		{es256.JWK("d", 0), private},
		{es256.JWK("d", []any{nil}), private},
		{es256.JWK("d", map[string]any{}), private},
		{es256.JWK("d", "null"), private},
		{rs256.JWK("oth", []any{nil}), private},
		{rs256.JWK("p", nil, "q", "AQ"), private},
		{es256.JWK("key_ops", []any{nil}), "its key_ops do not contain verify"},
		{es256.JWK("kty", nil), "its kty is not a string"},
		{es256.JWK("crv", nil), "its crv is not a string"},
		{es256.JWK("x", nil), "its x is missing or not in base64url"},
		{es256.JWK("y", nil), "its y is missing or not in base64url"},
		{eddsa.JWK("x", nil), "its x is missing or not in base64url"},
		{eddsa.JWK("crv", nil), "its crv is not a string"},
		{rs256.JWK("n", nil), "its n is missing or not in base64url"},
		{rs256.JWK("e", nil), "its e is missing or not in base64url"},
		{strings.Replace(es256.JWK("d", nil), `"d":null`, `"d":null,"d":"AA"`, 1), "an object has a member name twice"},
	} {
		_, _, err := token.ParseKeySet([]byte(keySet(test.jwk)), allowed...)
		checkText(t, test.jwk, err, "none of its keys (1) can be used; key 0: "+test.want)
	}
	// What a document must have cannot be null, and what else it has may be.
	idp := newIDP(es256.JWK())
	idp.Serve(discoveryURL, respond(200, discovery("authorization_endpoint", nil, "scopes_supported", nil)))
	idp.Serve(keySetURL, respond(200, strings.Replace(keySet(es256.JWK()), "{", `{"x":null,`, 1)))
	_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkError(t, err, nil)
	for _, name := range []string{"exp", "sub", "scope", "organization_id", "jti", "client_id"} { // tokens stay strict
		_, err := token.Unverified(issuer(issuerURL), scene.Token(es256, name, nil))
		checkError(t, err, token.ErrInvalid)
	}
}

func inUTF16(text string, order func(unit uint16) [2]byte) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		bytes := order(unit)
		b.Write(bytes[:])
	}
	return b.String()
}

func testByteOrderMark(t *testing.T) {
	const mark = "\ufeff"
	idp := newIDP()
	idp.Serve(discoveryURL, respond(200, mark+discovery()))
	idp.Serve(keySetURL, respond(200, mark+keySet(es256.JWK())))
	_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkError(t, err, nil)
	for _, raw := range []string{es256.Mint(mark+es256.Header(), payload()), es256.Mint(es256.Header(), mark+payload())} { // tokens stay strict
		_, err := token.Unverified(issuer(issuerURL), raw)
		checkError(t, err, token.ErrMalformed)
	}

	little := func(u uint16) [2]byte { return [2]byte{byte(u), byte(u >> 8)} }
	big := func(u uint16) [2]byte { return [2]byte{byte(u >> 8), byte(u)} }
	const (
		in16 = "not a JSON object in UTF-8: it is in UTF-16: the server must send UTF-8"
		in32 = "not a JSON object in UTF-8: it is in UTF-32: the server must send UTF-8"
		html = "not a JSON object in UTF-8: it is HTML or XML, such as a page for signing in or an error page"
	)
	set := keySet(es256.JWK())
	for name, test := range map[string]struct{ body, want string }{
		"two marks":                    {mark + mark + set, "not a JSON object in UTF-8: it has two byte order marks"},
		"UTF-16, little":               {inUTF16(mark+set, little), in16},
		"UTF-16, big":                  {inUTF16(mark+set, big), in16},
		"UTF-16, little, without mark": {inUTF16(set, little), in16},
		"UTF-16, big, without mark":    {inUTF16(set, big), in16},
		"UTF-32, little":               {"\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", in32},
		"UTF-32, big":                  {"\x00\x00\xfe\xff\x00\x00\x00{\x00\x00\x00}", in32},
		"UTF-32, little, without mark": {"{\x00\x00\x00}\x00\x00\x00", in32},
		"UTF-32, big, without mark":    {"\x00\x00\x00{\x00\x00\x00}", in32},
		"Latin-1":                      {strings.Replace(set, "{", "{\"name\":\"Jos\xe9\",", 1), "not a JSON object in UTF-8: it has bytes that are not UTF-8"},
		"HTML":                         {"\n<!doctype html><title>Sign in</title>", html},
		"HTML with a mark":             {mark + "<html>", html},
		"gzip":                         {"\x1f\x8b\x08", "not a JSON object in UTF-8: it is compressed, and Content-Encoding does not say so"},
		"empty":                        {" \n", "not a JSON object in UTF-8: it is empty"},
		"a mark alone":                 {mark, "not a JSON object in UTF-8: it is empty"},
		"array":                        {"[" + set + "]", "not a JSON object in UTF-8: it is JSON, but not an object"},
		"null":                         {"null", "not a JSON object in UTF-8: it is JSON, but not an object"},
		"cut":                          {set[:len(set)-1], "not a JSON object in UTF-8: it is cut short, or has a mistake"},
		"text":                         {"secret", "not a JSON object in UTF-8"},
	} {
		idp := newIDP()
		idp.Serve(keySetURL, respond(200, test.body))
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, `issuer keys are unavailable: issuer "https://idp.test/oidc": key set: "https://idp.test/oidc/jwks": `+test.want)
		idp.Serve(discoveryURL, respond(200, test.body))
		_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, `issuer keys are unavailable: issuer "https://idp.test/oidc": discovery: `+test.want+": is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL")
	}
}

// testBothNames is about EdDSA, which RFC 9864 calls Ed25519.
func testBothNames(t *testing.T) {
	for _, list := range [][]string{{"EdDSA"}, {"Ed25519"}, {"EdDSA", "Ed25519"}, {"Ed25519", "ES256", "EdDSA", "Ed25519"}} {
		for _, alg := range []any{"EdDSA", "Ed25519", absent{}, nil} {
			for _, header := range []string{"EdDSA", "Ed25519"} {
				for _, kid := range []any{eddsa.ID, absent{}} {
					issuer := issuer(issuerURL)
					issuer.Algorithms = list
					verifier := must(token.NewVerifier(issuer, token.WithTransport(newIDP(eddsa.JWK("alg", alg), es256.JWK()))))
					raw := eddsa.Mint(eddsa.Header("alg", header, "kid", kid), payload())
					for range 2 {
						if _, err := verifier.Verify(t.Context(), raw); err != nil {
							t.Errorf("%q, key %v, token %s, kid %v: %v", list, alg, header, kid, err)
						}
					}
					if stats := verifier.Stats(); stats.Hits != 1 || stats.Misses != 1 {
						t.Errorf("%q, key %v, token %s, kid %v: %+v", list, alg, header, kid, stats)
					}
					forged := newEd25519(eddsa.ID)
					_, err := verifier.Verify(t.Context(), forged.Mint(forged.Header("alg", header, "kid", kid), payload()))
					checkError(t, err, token.ErrInvalid)
				}
			}
		}
	}
	// Nothing else gets in by the name.
	x448 := encode(make([]byte, 57))
	for name, jwk := range map[string]string{
		"Ed448":              eddsa.JWK("crv", "Ed448", "x", x448, "alg", "Ed448"),
		"Ed448 as EdDSA":     eddsa.JWK("crv", "Ed448", "x", x448),
		"Ed448 as Ed25519":   eddsa.JWK("crv", "Ed448", "x", x448, "alg", "Ed25519"),
		"Ed448, a short one": eddsa.JWK("crv", "Ed448", "alg", "Ed25519"),
		"X25519":             eddsa.JWK("crv", "X25519", "alg", "Ed25519"),
		"EC":                 es256.JWK("alg", "Ed25519"),
		"ed25519":            eddsa.JWK("alg", "ed25519"),
	} {
		if keys, _, err := token.ParseKeySet([]byte(keySet(jwk)), "EdDSA", "Ed25519", "ES256"); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
	issuer := issuer(issuerURL)
	issuer.Algorithms = []string{"ES256"}
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		_, err := token.Unverified(issuer, eddsa.Mint(eddsa.Header("alg", alg), payload()))
		checkText(t, alg, err, `invalid token: alg is not one of ["ES256"], the issuer's Algorithms: if the issuer is to sign access tokens with another, add that`)
	}
}

// testNamesShareBudget makes sure that two names of one algorithm are one for kids, candidates and fetches.
func testNamesShareBudget(t *testing.T) {
	sign := func(k *key, alg string, kid any) string {
		return k.Mint(k.Header("alg", alg, "kid", kid), payload("exp", never))
	}
	names := []string{"EdDSA", "Ed25519"}
	one, two, three := newEd25519("kid"), newEd25519("kid"), newEd25519("kid")
	idp := newIDP(one.JWK(), two.JWK("alg", "Ed25519"), three.JWK("alg", "Ed25519"))
	verifier := newVerifier(t, idp)
	for _, alg := range names {
		check(t, verifier, sign(one, alg, "kid"), nil, 0)
		check(t, verifier, sign(two, alg, "kid"), nil, 0)
		check(t, verifier, sign(three, alg, "kid"), token.ErrInvalid, 0)  // the third of one name
		check(t, verifier, sign(one, alg, absent{}), token.ErrInvalid, 0) // two keys are for it
	}
	both := newVerifier(t, newIDP(one.JWK("kid", absent{}), one.JWK("kid", absent{}, "alg", "Ed25519")))
	for _, alg := range names {
		check(t, both, sign(one, alg, absent{}), nil, 0) // it is one key
		check(t, both, sign(two, alg, absent{}), token.ErrInvalid, 0)
	}
	time.Sleep(5 * time.Minute) // the bubble's clock
	before := idp.Count(keySetURL)
	for n := range 20 {
		check(t, verifier, sign(one, names[n%2], "made up"), token.ErrInvalid, 0)
	}
	checkCount(t, idp, keySetURL, before+1)
}

func testMismatch(t *testing.T) {
	for _, test := range []struct {
		jwk  string
		list []string
		want string
	}{
		{eddsa.JWK("alg", "Ed25519"), []string{"RS256"}, `its alg is "Ed25519", while the issuer's Algorithms are ["RS256"]: add it if the issuer signs access tokens with this key`},
		{eddsa.JWK(), []string{"RS256", "ES256"}, `its alg is "EdDSA", while the issuer's Algorithms are ["RS256" "ES256"]: add it if the issuer signs access tokens with this key`},
		{rs256.JWK("alg", "RS512"), []string{"RS256"}, `its alg is "RS512", while the issuer's Algorithms are ["RS256"]: add it if the issuer signs access tokens with this key`},
		{es256.JWK("alg", absent{}), []string{"Ed25519"}, `it names no alg, and is for one of ["ES256"], while the issuer's Algorithms are ["Ed25519"]: add one if the issuer signs access tokens with this key`},
		{rs256.JWK("alg", nil), []string{"ES256"}, `it names no alg, and is for one of ["PS256" "PS384" "PS512" "RS256" "RS384" "RS512"], while the issuer's Algorithms are ["ES256"]: add one if the issuer signs access tokens with this key`},
		{es256.JWK("alg", "ES384"), []string{"ES384", "ES256"}, `its alg is "ES384", while its kty and crv are for ["ES256"], and the issuer's Algorithms are ["ES384" "ES256"]: the issuer must mend the key`},
		{rs256.JWK("alg", "Ed25519"), []string{"EdDSA"}, `its alg is "Ed25519", while its kty and crv are for ["PS256" "PS384" "PS512" "RS256" "RS384" "RS512"], and the issuer's Algorithms are ["EdDSA"]: the issuer must mend the key`},
		{rs256.JWK("alg", "RSA-OAEP"), []string{"RS256"}, `its alg is "RSA-OAEP", which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", "none\n"), []string{"RS256"}, `its alg is "none\n", which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", strings.Repeat("x", 33)), []string{"RS256"}, `its alg is 33 bytes long, which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", absent{}), []string{"PS256", "RS256"}, `it names no alg, and ["PS256" "RS256"] fit it: allow only one of them`},
	} {
		_, _, err := token.ParseKeySet([]byte(keySet(test.jwk)), test.list...)
		checkText(t, test.jwk, err, "none of its keys (1) can be used; key 0: "+test.want)
	}
}

func testTypes(t *testing.T) {
	const ask = `, and the issuer's Types are ["at+jwt"]: ask the issuer for an access token with one of these`
	for _, test := range []struct {
		typ  any
		want string
	}{
		{absent{}, "invalid token: it has no typ" + ask + "; there is no setting that accepts a token without typ, which may be an ID token"},
		{"", "invalid token: its typ is empty" + ask},
		{nil, "invalid token: its typ is not a string" + ask},
		{1, "invalid token: its typ is not a string" + ask},
		{[]string{"at+jwt"}, "invalid token: its typ is not a string" + ask},
		{strings.Repeat("evil", 64), "invalid token: its typ is longer than any media type" + ask},
		{"evil", `invalid token: its typ is not one of ["at+jwt"], the issuer's Types: is it an ID token, or of another kind? Send the access token; if the issuer's access tokens are of another typ, add that to Issuer.Types`},
	} {
		raw := es256.Mint(es256.Header("typ", test.typ), payload())
		_, err := newVerifier(t, newIDP(es256.JWK())).Verify(t.Context(), raw)
		checkText(t, fmt.Sprint(test.typ), err, test.want)
		checkError(t, err, token.ErrInvalid)
		_, err = token.Unverified(issuer(issuerURL), raw)
		checkText(t, fmt.Sprint(test.typ), err, test.want)
	}
	// Whose token it is comes first.
	_, err := token.Unverified(issuer(issuerURL), es256.Mint(es256.Header("typ", absent{}), payload("iss", otherIssuer)))
	if err == nil || strings.Contains(err.Error(), "typ") {
		t.Error(err)
	}
}

func testFetchTexts(t *testing.T) {
	nameServer := &net.DNSError{Name: "secret"}
	nameServer.IsTimeout = true
	fails := func(err error) handler { return func(*http.Request) (*http.Response, error) { return nil, err } }
	dial := func(err error) handler {
		return fails(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	certificate := func(err error) handler { return fails(&tls.CertificateVerificationError{Err: err}) }
	const (
		of     = `issuer keys are unavailable: issuer "https://idp.test/oidc": `
		advice = ": is Issuer.URL right? Its metadata must be at Issuer.URL + /.well-known/openid-configuration; for an issuer that has none, set Issuer.KeySetURL"
		else_  = `: if that is the one to trust, Issuer.URL must be equal to it, byte for byte; if not, somebody else's endpoint answers`
		failed = of + "discovery: the request failed: "
	)
	document := func(changes ...any) handler { return respond(200, discovery(changes...)) }
	for name, test := range map[string]struct {
		serve handler
		want  string
	}{
		"slash":                   {document("issuer", issuerURL+"/"), of + `discovery: the document's issuer is "https://idp.test/oidc/": write Issuer.URL with the slash at its end`},
		"another issuer":          {document("issuer", otherIssuer), of + `discovery: the document's issuer is "` + otherIssuer + `"` + else_},
		"another tenant":          {document("issuer", "https://idp.test/{tenantid}/v2.0"), of + `discovery: the document's issuer is "https://idp.test/{tenantid}/v2.0"` + else_},
		"secrets":                 {document("issuer", "https://user:secret@idp.test/?key=secret#secret"), of + `discovery: the document's issuer is "xxxxx@idp.test/?…"` + else_},
		"a query":                 {document("issuer", "https://idp.test/oidc?key=secret"), of + `discovery: the document's issuer is "https://idp.test/oidc?…"` + else_},
		"a long issuer":           {document("issuer", "https://idp.test/"+strings.Repeat("é", 1000)), of + `discovery: the document's issuer is "https://idp.test/` + strings.Repeat("é", 91) + `…"` + else_},
		"line breaks":             {document("issuer", "\x1b[31m\nevil"), of + `discovery: the document's issuer is "\x1b[31m\nevil"` + else_},
		"no issuer":               {document("issuer", absent{}), of + "discovery: the document names no issuer" + advice},
		"issuer null":             {document("issuer", nil), of + "discovery: the document names no issuer" + advice},
		"no jwks_uri":             {document("jwks_uri", absent{}), of + "discovery: the document has no jwks_uri: set Issuer.KeySetURL"},
		"jwks_uri null":           {document("jwks_uri", nil), of + "discovery: jwks_uri is not a string: set Issuer.KeySetURL"},
		"404":                     {respond(404, ""), of + "discovery: the endpoint answered with status 404" + advice},
		"403":                     {respond(403, ""), of + "discovery: the endpoint answered with status 403" + advice},
		"503":                     {respond(503, ""), of + "discovery: the endpoint answered with status 503"},
		"redirect":                {respond(302, "", "Location", "https://evil.test/secret"), of + "discovery: the endpoint answered with status 302, a redirect, which is not followed: give the URL that it leads to" + advice},
		"a private authority":     {certificate(x509.UnknownAuthorityError{}), failed + "its certificate is of an unknown authority: trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates"},
		"another host":            {certificate(x509.HostnameError{Host: "secret", Certificate: new(x509.Certificate)}), failed + "its certificate is for another host: is the URL's host right?"},
		"an expired certificate":  {certificate(x509.CertificateInvalidError{Reason: x509.Expired}), failed + "its certificate has expired or is not valid yet: have it renewed, unless this machine's clock is wrong"},
		"a certificate of no use": {certificate(x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}), failed + "its certificate is not valid: have the server's certificate replaced"},
		"a client certificate":    {fails(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}), failed + "it broke off the TLS handshake: does it ask for a client certificate, or for another version of TLS? See WithTransport"},
		"no such host":            {fails(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "secret", IsNotFound: true}}), failed + "its host cannot be resolved: is the URL right, and does this machine's DNS know the host?"},
		"no name server":          {fails(&net.OpError{Op: "dial", Err: nameServer}), failed + "DNS does not answer: can this machine reach its name server?"},
		"refused":                 {dial(syscall.ECONNREFUSED), failed + "connection refused: does the server run, and are host and port of the URL right?"},
		"no route":                {dial(syscall.EHOSTUNREACH), failed + "no route to host: can this machine reach the host?"},
		"timeout":                 {fails(os.ErrDeadlineExceeded), failed + "it takes too long: does a firewall stop it, or does the way lead through a proxy (HTTPS_PROXY)?"},
		"anything else":           {fails(errors.New("secret")), failed + "a malformed response, or a fault of the transport: what does curl -v say of the URL on this machine?"},
	} {
		idp := newIDP(es256.JWK())
		idp.Serve(discoveryURL, test.serve)
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
		checkText(t, name, err, test.want)
	}
	without := issuer(issuerURL)
	without.URL += "/"
	idp := newIDP(es256.JWK())
	_, err := must(token.NewVerifier(without, token.WithTransport(idp))).Verify(t.Context(), scene.Token(es256, "iss", without.URL))
	checkText(t, "a slash too much", err, `issuer keys are unavailable: issuer "https://idp.test/oidc/": discovery: the document's issuer is "https://idp.test/oidc": write Issuer.URL without the slash at its end`)

	idp.Serve(keySetURL, respond(404, ""))
	_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkText(t, "no key set", err, of+`key set: "https://idp.test/oidc/jwks": the endpoint answered with status 404: the issuer's jwks_uri names it: is the issuer's metadata right?`)
	fixed := issuer(issuerURL)
	fixed.KeySetURL = "https://keys.test/jwks?key=secret"
	idp.Serve(fixed.KeySetURL, respond(404, ""))
	_, err = must(token.NewVerifier(fixed, token.WithTransport(idp))).Verify(t.Context(), scene.Token(es256))
	checkText(t, "no key set there", err, of+`key set: "https://keys.test/jwks?…": the endpoint answered with status 404: is Issuer.KeySetURL right?`)
}

// testNetworkTexts is about what a network does, as the transport of net/http tells it.
func testNetworkTexts(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0)
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, discovery("issuer", "https://"+r.Host, "jwks_uri", "https://"+r.Host+"/jwks"))
	}))
	proxy.Config.ErrorLog, secure.Config.ErrorLog = quiet, quiet
	proxy.Start()
	secure.StartTLS()
	t.Cleanup(proxy.Close)
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	through := func(host string) *http.Transport {
		return &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("user", "secret"), Host: host}), DisableKeepAlives: true}
	}
	unreadable := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("secret") }}
	for name, test := range map[string]struct {
		url       string
		transport *http.Transport
		want      string
	}{
		"a proxy that does not run":    {issuerURL, through("127.0.0.1:1"), `discovery: the request failed: the proxy cannot be used: connection refused: is the proxy's address right? (asked through the proxy "127.0.0.1:1"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`},
		"a proxy that refuses":         {issuerURL, through(proxy.Listener.Addr().String()), `discovery: the request failed: a malformed response, or a fault of the transport: did the proxy refuse to connect? (asked through the proxy "` + proxy.Listener.Addr().String() + `"; if HTTPS_PROXY names it, "idp.test" in NO_PROXY goes around it)`},
		"a proxy of unreadable URL":    {issuerURL, unreadable, `discovery: the request failed: the proxy's URL cannot be read: look at HTTPS_PROXY`},
		"a private authority":          {secure.URL, &http.Transport{DisableKeepAlives: true}, `discovery: the request failed: its certificate is of an unknown authority: trust a private authority by WithTransport, with an http.Transport whose TLSClientConfig.RootCAs holds its certificate, or on Linux by SSL_CERT_FILE; an image without any authorities needs ca-certificates`},
		"a private authority, trusted": {secure.URL, &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, `key set: it is the issuer's metadata: if Issuer.KeySetURL leads there, leave that empty`},
	} {
		of := issuer(issuerURL)
		of.URL = test.url
		verifier, fetched := fetching(t, of, token.WithTransport(test.transport))
		_, _ = verifier.Verify(t.Context(), scene.Token(eddsa, "iss", test.url, "exp", never))
		checkText(t, name, (<-fetched).Err, fmt.Sprintf("issuer keys are unavailable: issuer %q: %s", test.url, test.want))
	}
}
