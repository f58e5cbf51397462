package jose_test

import (
	"crypto"
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
}
