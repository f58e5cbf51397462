package jose

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestCheckPublic is about keys that the libraries refuse to build today: we do not rely
// on that.
func TestCheckPublic(t *testing.T) {
	t.Parallel()
	good := tokens.As[*ecdsa.PublicKey](tokens.I1.ES256.Private.Public())
	rsaKey := tokens.As[*rsa.PrivateKey](tokens.I1.RS256.Private)
	tooLarge := 1<<31 - 1
	tooLarge += 2 // which an int of 32 bits makes a number below zero
	agreement := tokens.Must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey()
	tests := map[string]struct {
		public crypto.PublicKey
		x, y   int // bytes
		ok     bool
	}{
		"RSA":                  {&rsaKey.PublicKey, 0, 0, true},
		"RSA exponent 1":       {&rsa.PublicKey{N: rsaKey.N, E: 1}, 0, 0, false},
		"RSA exponent 2^31+1":  {&rsa.PublicKey{N: rsaKey.N, E: tooLarge}, 0, 0, false},
		"EC":                   {good, 32, 32, true},
		"EC short x":           {good, 31, 32, false},
		"EC long y":            {good, 32, 33, false},
		"EC off the curve":     {&ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, 32, 32, false}, //nolint:staticcheck // the way to a bad key
		"Ed25519":              {tokens.I1.EdDSA.Private.Public(), 32, 0, true},
		"Ed25519 short":        {ed25519.PublicKey(make([]byte, 31)), 31, 0, false},
		"key agreement":        {agreement, 32, 0, false},
		"symmetric":            {[]byte("secret"), 0, 0, false},
		"nothing":              {nil, 0, 0, false},
		"private":              {rsaKey, 0, 0, false},
		"RSA not as a pointer": {rsaKey.PublicKey, 0, 0, false},
	}
	for name, test := range tests {
		if err := checkPublic(test.public, base64.RawURLEncoding.EncodedLen(test.x), base64.RawURLEncoding.EncodedLen(test.y)); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
