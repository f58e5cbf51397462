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

// TestCheckPublic has keys that the libraries refuse to build today too.
func TestCheckPublic(t *testing.T) {
	t.Parallel()
	good := tokens.As[*ecdsa.PublicKey](tokens.I1.ES256.Private.Public())
	rsaKey := tokens.As[*rsa.PrivateKey](tokens.I1.RS256.Private)
	tooLarge := 1<<31 - 1
	tooLarge += 2 // a negative number if int has 32 bits
	// odd has a modulus of so many bits, which need not be a product of primes here.
	odd := func(bits uint, e int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: e}
	}
	agreement := tokens.Must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey()
	tests := map[string]struct {
		public crypto.PublicKey
		x, y   int // bytes
		ok     bool
	}{
		"RSA":                  {&rsaKey.PublicKey, 0, 0, true},
		"RSA shortest":         {odd(2048, 3), 0, 0, true},
		"RSA too short":        {odd(2047, 3), 0, 0, false},
		"RSA longest":          {odd(8192, 3), 0, 0, true},
		"RSA too long":         {odd(8193, 3), 0, 0, false},
		"RSA even":             {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3}, 0, 0, false},
		"RSA exponent 1":       {odd(2048, 1), 0, 0, false},
		"RSA exponent even":    {odd(2048, 4), 0, 0, false},
		"RSA exponent 2^31-1":  {odd(2048, 1<<31-1), 0, 0, true},
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
