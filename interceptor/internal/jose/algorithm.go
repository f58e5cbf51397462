package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// An algorithm is a signature algorithm of RFC 7518 section 3, RFC 8037 or RFC 9864, with
// the only kind of key that it may be used with.
type algorithm struct {
	method jwt.SigningMethod
	kty    string
	curve  elliptic.Curve // of an EC key
}

// algorithms are all algorithms that an issuer may use. No configuration can add none or HMAC.
var algorithms = map[string]algorithm{
	"RS256": {method: jwt.SigningMethodRS256, kty: "RSA"},
	"RS384": {method: jwt.SigningMethodRS384, kty: "RSA"},
	"RS512": {method: jwt.SigningMethodRS512, kty: "RSA"},
	"PS256": {method: strictPSS(jwt.SigningMethodPS256), kty: "RSA"},
	"PS384": {method: strictPSS(jwt.SigningMethodPS384), kty: "RSA"},
	"PS512": {method: strictPSS(jwt.SigningMethodPS512), kty: "RSA"},
	"ES256": {method: jwt.SigningMethodES256, kty: "EC", curve: elliptic.P256()},
	"ES384": {method: jwt.SigningMethodES384, kty: "EC", curve: elliptic.P384()},
	"ES512": {method: jwt.SigningMethodES512, kty: "EC", curve: elliptic.P521()},
	"EdDSA": {method: jwt.SigningMethodEdDSA, kty: "OKP"},

	"Ed25519": {method: jwt.SigningMethodEdDSA, kty: "OKP"},
}

// Algorithms returns the names of all algorithms, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(algorithms)) }

// CanonicalAlgorithm returns the name that golang-jwt uses for an algorithm: EdDSA for Ed25519 (RFC 9864).
func CanonicalAlgorithm(name string) string {
	if name == "Ed25519" {
		return "EdDSA"
	}
	return name
}

// strictPSS requires a salt as long as the hash (RFC 7518 section 3.5). The method of
// golang-jwt accepts any length.
func strictPSS(method *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: method.SigningMethodRSA,
		Options:          method.Options,
		VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash},
	}
}

// fits reports whether a public key is of the algorithm's kind. The zero algorithm fits no key.
func (a algorithm) fits(public crypto.PublicKey) bool {
	switch public := public.(type) {
	case *rsa.PublicKey:
		return a.kty == "RSA"
	case *ecdsa.PublicKey:
		return a.kty == "EC" && public.Curve == a.curve
	case ed25519.PublicKey:
		return a.kty == "OKP"
	default:
		return false
	}
}

// Signer returns a function that signs claims as a JWT, with members of its header. The key must be of the
// algorithm's kind. Errors hold nothing of the key.
func Signer(name string, key crypto.Signer) (sign func(header map[string]any, claims jwt.Claims) (string, error), err error) {
	algorithm, ok := algorithms[name]
	switch value := reflect.ValueOf(key); {
	case !ok:
		return nil, fmt.Errorf("the algorithm %q is none of %q", name, Algorithms())
	case key == nil, value.Kind() == reflect.Pointer && value.IsNil():
		return nil, errors.New("the key is nil")
	case value.Type() == reflect.TypeFor[ed25519.PrivateKey]() && value.Len() != ed25519.PrivateKeySize: // Public would panic
		return nil, fmt.Errorf("the key has %d bytes, and an ed25519.PrivateKey has %d", value.Len(), ed25519.PrivateKeySize)
	case !algorithm.fits(key.Public()):
		return nil, fmt.Errorf("the key, a %T, is not of the kind that %s needs", key, name)
	}
	sign = func(header map[string]any, claims jwt.Claims) (string, error) {
		token := jwt.NewWithClaims(algorithm.method, claims)
		maps.Copy(token.Header, header)
		return token.SignedString(key)
	}
	if _, err := sign(nil, jwt.MapClaims{}); err != nil { // golang-jwt takes no crypto.Signer of another package
		return nil, fmt.Errorf("the key, a %T, cannot sign with %s: give a private key of crypto/rsa, crypto/ecdsa or crypto/ed25519", key, name)
	}
	return sign, nil
}
