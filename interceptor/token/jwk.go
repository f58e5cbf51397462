package token

import (
	"context"
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
)

// parseKey reads one JWK. Its errors name what is wrong, never a value.
func parseKey(raw json.RawMessage, allowed []string) (*publicKey, error) {
	members, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	members.dropNulls()
	key := new(publicKey)
	var kty string
	for name, into := range map[string]*string{"kty": &kty, "kid": &key.id, "alg": &key.algorithm} {
		if *into, _, err = members.text(name); err != nil {
			return nil, fmt.Errorf("its %s is not a string", name) // err means a token's claim
		}
	}
	for _, name := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
		if members.has(name) {
			return nil, errors.New("it holds private or symmetric key material: replace the key at the issuer, since every reader of the key set has it")
		}
	}
	if use, ok, err := members.text("use"); err != nil || ok && use != "sig" {
		return nil, errors.New("its use is not sig")
	}
	if ops, array, ok, err := members.texts("key_ops"); err != nil || ok && (!array || !slices.Contains(ops, "verify")) {
		return nil, errors.New("its key_ops do not contain verify: the issuer must correct the key")
	}
	if len(key.id) > maxKeyID {
		return nil, errors.New("its kid is too long")
	}
	key.id, key.algorithm = strings.Clone(key.id), strings.Clone(key.algorithm) // of the whole JWK
	if key.public, err = parsePublic(kty, &members); err != nil {
		return nil, err
	}
	key.algorithm, err = bind(key, allowed)
	return key, err
}

// required are the members without which no key of some type is one.
var required = []string{"kty", "crv", "n", "e", "x", "y"}

// dropNulls leaves out the optional members that are null: .NET and Java write what a key does not have
// as null. A required member keeps its null and is refused.
func (o *object) dropNulls() {
	o.members = slices.DeleteFunc(o.members, func(m member) bool {
		return m.value == "null" && !slices.Contains(required, m.name)
	})
}

// bind returns the one algorithm that a key is for: that which it names, or the only
// one of those allowed that is for such keys.
func bind(key *publicKey, allowed []string) (string, error) {
	var fitting []string
	for _, name := range allowed {
		name = canonicalAlgorithm(name)
		if (key.algorithm == "" || canonicalAlgorithm(key.algorithm) == name) && algorithms[name].fits(key.public) && !slices.Contains(fitting, name) {
			fitting = append(fitting, name)
		}
	}
	switch len(fitting) {
	case 0:
		return "", mismatch(key, allowed)
	case 1:
		return fitting[0], nil
	default:
		return "", fmt.Errorf("it names no alg, and %q fit it: leave only one of them in Issuer.Algorithms, or have the issuer write alg into the key", fitting)
	}
}

// maxAlgorithm is the longest `alg` of a key, in bytes, that an error names.
const maxAlgorithm = 32

// mismatch says why a key is for none of the algorithms that are allowed.
func mismatch(key *publicKey, allowed []string) error {
	var own []string
	for name, algorithm := range algorithms {
		if algorithm.fits(key.public) {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	alg := fmt.Sprintf("%q", key.algorithm)
	if len(key.algorithm) > maxAlgorithm {
		alg = fmt.Sprintf("%d bytes long", len(key.algorithm))
	}
	_, known := algorithms[key.algorithm]
	switch {
	case key.algorithm == "":
		return fmt.Errorf("it names no alg, and is for one of %q, while the issuer's Algorithms are %q: add the one with which the issuer signs access tokens to Issuer.Algorithms", own, allowed)
	case slices.Contains(own, key.algorithm):
		return fmt.Errorf("its alg is %s, while the issuer's Algorithms are %q: add %s to Issuer.Algorithms if the issuer signs access tokens with this key", alg, allowed, alg)
	case known:
		return fmt.Errorf("its alg is %s, while its kty and crv are for %q, and the issuer's Algorithms are %q: the issuer must mend the key", alg, own, allowed)
	default:
		return fmt.Errorf("its alg is %s, which signs no token that is accepted, and the issuer's Algorithms are %q: if the issuer signs access tokens with this key, it must name another alg", alg, allowed)
	}
}

// coordinates are the members that make up a public key, by key type.
var coordinates = map[string][]string{
	"RSA": {"n", "e"},
	"EC":  {"x", "y"},
	"OKP": {"x"},
}

// parsePublic builds the public key. It hands on nothing but the members that
// make it up, so that nothing else (private parts, certificates, URLs) is read.
func parsePublic(kty string, members *object) (crypto.PublicKey, error) {
	names, ok := coordinates[kty]
	if !ok {
		return nil, errors.New("its kty is not supported")
	}
	jwk := map[string]string{"kty": kty}
	lengths := map[string]int{}
	for _, name := range names {
		value, _, err := members.text(name)
		var decoded []byte
		if err == nil {
			decoded, err = decodeSegment(value)
		}
		if err != nil {
			return nil, fmt.Errorf("its %s is missing or not in base64url", name)
		}
		jwk[name], lengths[name] = value, len(decoded)
	}
	if kty != "RSA" {
		crv, _, err := members.text("crv")
		if err != nil {
			return nil, errors.New("its crv is not a string")
		}
		jwk["crv"] = crv
	}
	encoded, err := json.Marshal(jwk)
	if err != nil {
		return nil, errors.New("it cannot be encoded")
	}
	public, err := publicOf(encoded)
	if err != nil {
		return nil, errors.New("it is not a valid key")
	}
	return public, checkPublic(public, lengths)
}

// publicOf lets keyfunc build the key of a single JWK.
func publicOf(jwk json.RawMessage) (crypto.PublicKey, error) {
	set, err := keyfunc.NewJWKJSON(jwk)
	if err != nil {
		return nil, err
	}
	keys, err := set.VerificationKeySet(context.Background())
	if err != nil || len(keys.Keys) != 1 {
		return nil, errors.New("not one key")
	}
	return keys.Keys[0], nil
}

const (
	minRSABits  = 2048
	maxRSABits  = 8192
	maxExponent = 1<<31 - 1
)

// checkPublic refuses keys that are well-formed and yet not to be trusted.
func checkPublic(public crypto.PublicKey, lengths map[string]int) error {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits || public.N.Bit(0) == 0 {
			return fmt.Errorf("an RSA modulus must be odd and have %d to %d bits", minRSABits, maxRSABits)
		}
		if public.E < 3 || public.E > maxExponent || public.E%2 == 0 {
			return errors.New("an RSA exponent must be odd, and from 3 to 2^31-1")
		}
	case *ecdsa.PublicKey:
		size := (public.Params().BitSize + 7) / 8
		if lengths["x"] != size || lengths["y"] != size {
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
