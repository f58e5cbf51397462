package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// checkSigned verifies a token with a key, without any choice of the key.
func checkSigned(t *testing.T, raw string, public crypto.PublicKey, want bool) {
	t.Helper()
	token, err := jose.ParseJWS(raw)
	if err != nil {
		t.Fatal(err)
	}
	if token.SignedBy(public) != want {
		t.Errorf("a %s with a key of type %T: want %t", token.Algorithm, public, want)
	}
}

// TestKeyOfAnotherKind makes sure that SignedBy refuses a key that does not fit the algorithm.
func TestKeyOfAnotherKind(t *testing.T) {
	t.Parallel()
	es256, es384 := tokens.I1.ES256, tokens.I1.ES384
	raw := scene.Token(es384)
	signed := raw[:strings.LastIndexByte(raw, '.')]
	small := es256.Sign("ES384", signed) // r and s of P-256, made as long as those of P-384
	wide := make([]byte, 96)
	copy(wide[16:], small[:32])
	copy(wide[64:], small[32:])
	checkSigned(t, signed+"."+tokens.Encode(wide), es256.Private.Public(), false)
	all := tokens.I1.Keys()
	for _, k := range all {
		for _, other := range all {
			if k != other && k.Alg[1:] == other.Alg[1:] && k.Alg[0] != 'E' {
				continue // RS256 and PS256 have one key
			}
			checkSigned(t, scene.Token(k), other.Private.Public(), k == other)
		}
	}
	noCurve := jose.Key{Public: new(ecdsa.PublicKey)}
	if names := noCurve.Algorithms(); len(names) > 0 {
		t.Errorf("a key without a curve fits %q", names)
	}
	if new(jose.JWS).SignedBy(noCurve.Public) {
		t.Error("a token without an algorithm is signed by a key without a curve")
	}
}

// TestParseJWSErrors has tokens with one fault each. The error names the fault.
func TestParseJWSErrors(t *testing.T) {
	t.Parallel()
	const (
		noBase64 = "a segment is not in base64url without padding: the client must send the token unchanged"
		empty    = "an empty segment"
		good     = `{"alg":"ES256","kid":"k"}`
	)
	for _, test := range []struct{ header, payload, signature, want string }{
		{"!", tokens.Encode([]byte("{}")), "AAAA", noBase64},
		{tokens.Encode([]byte(good)), "!", "AAAA", noBase64},
		{tokens.Encode([]byte(good)), tokens.Encode([]byte("{}")), "!", noBase64},
		{"", tokens.Encode([]byte("{}")), "AAAA", "header: " + jose.ErrJSON.Error()},
		{tokens.Encode([]byte(good)), "", "AAAA", empty},
		{tokens.Encode([]byte(good)), tokens.Encode([]byte("{}")), "", empty},
		{tokens.Encode([]byte(`{"kid":"k"}`)), tokens.Encode([]byte("{}")), "AAAA", "header has no alg"},
		{tokens.Encode([]byte(`{"alg":1}`)), tokens.Encode([]byte("{}")), "AAAA", "alg is not a string"},
		{tokens.Encode([]byte(`{"alg":"HS256"}`)), tokens.Encode([]byte("{}")), "AAAA", "alg is not supported"},
		{tokens.Encode([]byte(`{"alg":"ES256","kid":1}`)), tokens.Encode([]byte("{}")), "AAAA", "kid is not a string"},
		{tokens.Encode([]byte(`{"alg":"ES256","kid":""}`)), tokens.Encode([]byte("{}")), "AAAA", "kid is empty or too long"},
	} {
		raw := test.header + "." + test.payload + "." + test.signature
		if _, err := jose.ParseJWS(raw); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", raw, err, test.want)
		}
	}
}

// TestParseJWSAllocations makes sure that the segments of a token are decoded into memory that is allocated
// once, whatever the size of the token.
func TestParseJWSAllocations(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	for _, size := range []int{1, 10_000} {
		raw := scene.Token(tokens.I1.ES256, "pad", strings.Repeat("x", size))
		allocations := testing.AllocsPerRun(1000, func() {
			if _, err := jose.ParseJWS(raw); err != nil {
				t.Error(err)
			}
		})
		if allocations > 3 { // the texts, the header's members and the signature
			t.Errorf("%v allocations for a token of %d bytes", allocations, len(raw))
		}
	}
}

func TestCanonicalType(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]string{
		"at+jwt": "at+jwt", "AT+JWT": "at+jwt", "Application/at+JWT": "at+jwt", "application/application/x": "application/x", "text/x": "text/x",
		"AZaz": "azaz", "@[`{09": "@[`{09", "\u0130\u212a": "\u0130\u212a",
	} {
		if got := jose.CanonicalType(typ); got != want {
			t.Errorf("%q is %q, want %q", typ, got, want)
		}
	}
}
