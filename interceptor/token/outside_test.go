package token_test

import (
	"fmt"
	"strings"
	"testing"

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
