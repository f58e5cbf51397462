package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// A Key is a public key of a key set (RFC 7517 section 4).
type Key struct {
	ID        string // empty if the JWK has none
	Algorithm string // as the JWK names it, or empty
	Issuer    string // the member issuer, which Entra ID's keys have, or empty
	Public    crypto.PublicKey
}

// ParseKey reads a JWK. Its errors name the fault, and never a value.
func ParseKey(raw []byte) (Key, error) {
	jwk, err := ParseObject(raw)
	if err != nil {
		return Key{}, err
	}
	jwk.DropNulls(required...) // a required member keeps its null, and is refused
	var key Key
	var kty string
	for name, into := range map[string]*string{"kty": &kty, "kid": &key.ID, "alg": &key.Algorithm, "issuer": &key.Issuer} {
		text, _, err := jwk.Text(name)
		if err != nil {
			return Key{}, fmt.Errorf("its %w", err)
		}
		*into = strings.Clone(text) // keeps the JWK out of memory
	}
	for _, name := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
		if jwk.Has(name) {
			return Key{}, errors.New("it holds private or symmetric key material: replace the key at the issuer, since every reader of the key set has it")
		}
	}
	if use, ok, err := jwk.Text("use"); err != nil || ok && use != "sig" {
		return Key{}, errors.New("its use is not sig")
	}
	if ops, array, ok, err := jwk.Texts("key_ops"); err != nil || ok && (!array || !slices.Contains(ops, "verify")) {
		return Key{}, errors.New("its key_ops do not contain verify: the issuer must correct the key")
	}
	if len(key.ID) > maxKeyID {
		return Key{}, errors.New("its kid is too long")
	}
	key.Public, err = parsePublic(kty, &jwk)
	return key, err
}

// Algorithms returns the names of all algorithms that the key fits, sorted.
func (k *Key) Algorithms() []string {
	return slices.DeleteFunc(Algorithms(), func(name string) bool { return !algorithms[name].fits(k.Public) })
}

// required are the members that a key of some type needs.
var required = []string{"kty", "crv", "n", "e", "x", "y"}

// coordinates are the members that a public key is built from, by key type.
var coordinates = map[string][]string{
	"RSA": {"n", "e"},
	"EC":  {"x", "y"},
	"OKP": {"x"},
}

// parsePublic builds the public key from its coordinates. It passes no other member on, so that
// keyfunc reads no private parts, certificates or URLs.
func parsePublic(kty string, jwk *Object) (crypto.PublicKey, error) {
	names, ok := coordinates[kty]
	if !ok {
		return nil, errors.New("its kty is not supported")
	}
	parts := map[string]string{"kty": kty}
	for _, name := range names {
		value, _, err := jwk.Text(name)
		if err == nil {
			_, err = DecodeSegment(value) // keyfunc accepts more
		}
		if err != nil {
			return nil, fmt.Errorf("its %s is missing or not in base64url", name)
		}
		parts[name] = value
	}
	if kty != "RSA" {
		crv, _, err := jwk.Text("crv")
		if err != nil {
			return nil, fmt.Errorf("its %w", err)
		}
		parts["crv"] = crv
	}
	public, err := build(parts)
	if err != nil {
		return nil, errors.New("it is not a valid key")
	}
	return public, checkPublic(public, len(parts["x"]), len(parts["y"]))
}

// build builds the key of a JWK, which has neither kid nor alg, with keyfunc.
func build(parts map[string]string) (crypto.PublicKey, error) {
	jwk, _ := json.Marshal(parts) // strings have a JSON form
	set, err := keyfunc.NewJWKJSON(jwk)
	if err != nil {
		return nil, err
	}
	return set.Keyfunc(&jwt.Token{Header: map[string]any{"kid": "", "alg": ""}})
}

const (
	minRSABits  = 2048
	maxRSABits  = 8192
	maxExponent = 1<<31 - 1
)

// checkPublic refuses well-formed keys that are not safe, given the lengths of the coordinates x and
// y in base64url.
func checkPublic(public crypto.PublicKey, x, y int) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits || public.N.Bit(0) == 0 {
			return fmt.Errorf("an RSA modulus must be odd and have %d to %d bits", minRSABits, maxRSABits)
		}
		if public.E < 3 || public.E > maxExponent || public.E%2 == 0 {
			return errors.New("an RSA exponent must be odd, and from 3 to 2^31-1")
		}
	case *ecdsa.PublicKey:
		size := strictBase64.EncodedLen((public.Params().BitSize + 7) / 8)
		if x != size || y != size {
			return errors.New("an EC coordinate is not of the curve's length")
		}
		if _, err := public.ECDH(); err != nil {
			return errors.New("the EC point is not on the curve")
		}
	case ed25519.PublicKey:
		if len(public) != ed25519.PublicKeySize {
			return errors.New("an Ed25519 key is not 32 bytes long")
		}
	default:
		return errors.New("its kty or crv is not supported")
	}
	return nil
}
