package token_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// texts are the parts of TestOutside about the texts of errors.
var texts = map[string]func(t *testing.T){
	"C1 null is absent":                  testNulls,
	"C2 byte order mark":                 testByteOrderMark,
	"C3 both names":                      testBothNames,
	"C3 both names share one budget":     testNamesShareBudget,
	"C3 mismatch names both":             testMismatch,
	"C4 typ":                             testTypes,
	"C4 not a token":                     testNoToken,
	"C4 iss":                             testIssuers,
	"C5 no key":                          testNoKey,
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

func testTypes(t *testing.T) {
	const ask = `, and the issuer's Types are ["at+jwt"]: the client must send the access token, and must request it for this API (as resource or audience)`
	for _, test := range []struct {
		typ  any
		want string
	}{
		{absent{}, "invalid token: it has no typ, and the issuer's Types are [\"at+jwt\"], so it looks like an ID token: the client must send the access token, and must request it for this API (as resource or audience); if the issuer's access tokens have no typ, add \"\" to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have"},
		{"", "invalid token: its typ is empty" + ask},
		{nil, "invalid token: its typ is not a string" + ask},
		{1, "invalid token: its typ is not a string" + ask},
		{[]string{"at+jwt"}, "invalid token: its typ is not a string" + ask},
		{strings.Repeat("evil", 64), "invalid token: its typ is longer than any media type" + ask},
		{"evil", `invalid token: its typ is not one of ["at+jwt"], the issuer's Types, so it looks like an ID token, or a token of another kind: the client must send the access token, and must request it for this API (as resource or audience); if the issuer's access tokens are of another typ, add that typ to Issuer.Types, and to Issuer.RequiredClaims a claim that access tokens alone have`},
	} {
		raw := es256.Mint(es256.Header("typ", test.typ), payload())
		_, err := newVerifier(t, newIDP(es256.JWK())).Verify(t.Context(), raw)
		checkText(t, fmt.Sprint(test.typ), err, test.want)
		checkError(t, err, token.ErrInvalid)
		_, err = unverified.Token(issuer(issuerURL), raw)
		checkText(t, fmt.Sprint(test.typ), err, test.want)
	}
	// Whose token it is comes first.
	_, err := unverified.Token(issuer(issuerURL), es256.Mint(es256.Header("typ", absent{}), payload("iss", otherIssuer)))
	if err == nil || strings.Contains(err.Error(), "typ") {
		t.Error(err)
	}
}

// testIssuers checks the texts for tokens of another issuer.
func testIssuers(t *testing.T) {
	const end = ": compare byte by byte, the slash at the end too"
	five := `invalid token: iss is none of ["https://a.test" "https://b.test" "https://c.test" "https://d.test" "https://idp.test/oidc"]`
	for _, test := range []struct {
		more []string
		iss  any
		want string
	}{
		{nil, otherIssuer, `invalid token: iss is none of ["https://idp.test/oidc"]` + end},
		{nil, absent{}, `invalid token: iss is none of ["https://idp.test/oidc"]` + end},
		{nil, 1, "invalid token: iss is not a string"},
		{[]string{"a", "b", "c", "d"}, otherIssuer, five + end},
		{[]string{"a", "b", "c", "d", "z"}, otherIssuer, five + " and 1 more" + end},
	} {
		var options []token.Option
		for _, name := range test.more {
			more := issuer(issuerURL)
			more.URL = "https://" + name + ".test"
			options = append(options, token.WithIssuer(more))
		}
		_, err := unverified.Token(issuer(issuerURL), scene.Token(es256, "iss", test.iss), options...)
		checkText(t, fmt.Sprint(test.more, test.iss), err, test.want)
		checkError(t, err, token.ErrInvalid)
	}
	inside := keysAt("http://logto:3001/oidc", "", "logto")
	for keySetURL, want := range map[string]string{
		"":                            end + "; if iss has another host, for browsers, set Issuer.URL to that iss, and Issuer.KeySetURL to the address that this server reaches",
		"http://logto:3001/oidc/jwks": end,
	} {
		inside.KeySetURL = keySetURL
		_, err := unverified.Token(inside, scene.Token(es256, "iss", "http://localhost:3001/oidc"))
		checkText(t, "two hosts "+keySetURL, err, `invalid token: iss is none of ["http://logto:3001/oidc"]`+want)
	}
}

// testNoToken checks the texts for credentials that are not a token.
func testNoToken(t *testing.T) {
	_, verifier := warm(t)
	good := scene.Token(eddsa)
	const (
		grammar   = "malformed token: the credentials hold a character that no token has, such as a space, comma or quote: send the token alone behind Bearer"
		encrypted = "malformed token: an encrypted token (JWE): have the issuer sign access tokens without encrypting them"
		opaque    = "malformed token: it is an opaque token, without the form of a JWT: the client must request a JWT, with this API as resource or audience; to accept opaque tokens, give the verifier token.WithIntrospector"
	)
	for credentials, want := range map[string]string{
		"Bearer a.b.c.d.e":                       encrypted,
		"Bearer abc":                             opaque,
		"Bearer abc==":                           opaque,
		"Bearer " + good + ", Bearer " + good:    grammar,
		"Bearer " + good + " " + good:            grammar,
		"Bearer " + good + ";":                   grammar,
		"Bearer a, Basic b":                      grammar,
		"Bearer " + good[:len(good)-5] + " aaaa": grammar,
		"Bearer a.b":                             "malformed token: it has 2 segments, and a JWT has 3: the client must send the whole token, unchanged",
		"Bearer a.b.c":                           "malformed token: a segment is not in base64url without padding: the client must send the token unchanged",
	} {
		_, err := verifier.Authenticate(t.Context(), []string{credentials})
		checkText(t, credentials, err, want)
		checkError(t, err, token.ErrMalformed)
	}
	_, err := verifier.Authenticate(t.Context(), []string{"Bearer " + good, "Basic b"})
	checkText(t, "two", err, "malformed token: 2 Authorization values")
}

// testNoKey checks the texts for tokens without a key.
func testNoKey(t *testing.T) {
	const (
		unknown   = "invalid token: the key set has no key with the token's kid: if the token is of another environment, the client must get one from this environment's issuer; if two environments write the same iss, set Issuer.KeySetURL to the key set of this one; if the issuer has rotated within 30 s, the client must try again"
		anonymous = "invalid token: the token has no kid, and the key set does not have exactly one key for the token's alg: the issuer must write kid into the token's header"
		skipped   = "; keys that cannot be used: 2, see the log or WithKeySetObserver"
	)
	stranger := newEd25519("made up")
	again := newEd25519("another")
	for name, test := range map[string]struct {
		keys      []string
		raw, want string
	}{
		"unknown kid":          {[]string{es256.JWK()}, scene.Token(stranger), unknown},
		"keys are skipped":     {[]string{es256.JWK(), rs256.JWK("use", "enc"), "{}"}, scene.Token(stranger), unknown + skipped},
		"the key is skipped":   {[]string{es256.JWK(), stranger.JWK("use", "enc"), "{}"}, scene.Token(stranger), unknown + skipped},
		"another alg":          {[]string{es256.JWK("kid", stranger.ID)}, scene.Token(stranger), `invalid token: the key with the token's kid is for ["ES256"], and the token's header names another alg: the issuer must correct one of them`},
		"two keys of the kid":  {[]string{es256.JWK("kid", stranger.ID), es384.JWK("kid", stranger.ID)}, scene.Token(stranger), `invalid token: the key with the token's kid is for ["ES256" "ES384"], and the token's header names another alg: the issuer must correct one of them`},
		"no kid, no key":       {[]string{es256.JWK()}, stranger.Mint(stranger.Header("kid", absent{}), payload()), anonymous},
		"no kid, several keys": {[]string{eddsa.JWK(), again.JWK()}, stranger.Mint(stranger.Header("kid", absent{}), payload()), anonymous},
	} {
		verifier := newVerifier(t, newIDP(test.keys...))
		for range 10 { // with and without a fetch
			_, err := verifier.Verify(t.Context(), test.raw)
			checkText(t, name, err, test.want)
			checkError(t, err, token.ErrInvalid)
			checkSilent(t, err, test.raw)
		}
	}
}
