package devissuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// PrivateKeys returns the keys of the issuer as a JWK Set with private keys (RFC 7517 §5), for
// [Config.Keys] of an issuer that takes its place. The keys can sign every token.
func (i *Issuer) PrivateKeys() []byte {
	set := jwkSet{Keys: []jwk{}}
	for _, key := range i.keySet().keys {
		set.Keys = append(set.Keys, privateJWK(key.private))
	}
	document, _ := json.Marshal(set) // strings have a JSON form
	return document
}

type jwkSet struct {
	Keys []jwk `json:"keys"`
}

// A jwk is a key in JSON (RFC 7517, RFC 7518 §6), with its members in Logto's order. Logto gives RSA keys no alg.
type jwk struct {
	KeyType   string `json:"kty"`
	Use       string `json:"use"`
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg,omitempty"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	Exponent  string `json:"e,omitempty"`
	Modulus   string `json:"n,omitempty"`
	Private   string `json:"d,omitempty"`
	Prime1    string `json:"p,omitempty"`
	Prime2    string `json:"q,omitempty"`
	Exponent1 string `json:"dp,omitempty"`
	Exponent2 string `json:"dq,omitempty"`
	Inverse   string `json:"qi,omitempty"`
}

// publicJWK returns the public key, and the method of its signatures.
func publicJWK(private crypto.Signer) (jwk, jwt.SigningMethod) {
	if private, ok := private.(*rsa.PrivateKey); ok {
		e, n := encodeInt(big.NewInt(int64(private.E))), encodeInt(private.N)
		id := thumbprint(`{"e":"` + e + `","kty":"RSA","n":"` + n + `"}`)
		return jwk{KeyType: "RSA", Use: "sig", KeyID: id, Exponent: e, Modulus: n}, jwt.SigningMethodRS256
	}
	public, _ := private.Public().(*ecdsa.PublicKey)
	point, _ := public.Bytes() // a point of the curve has no error
	coordinates := point[1:]   // which have their full length
	x, y := encode(coordinates[:len(coordinates)/2]), encode(coordinates[len(coordinates)/2:])
	method := jwt.SigningMethodES384
	if public.Curve == elliptic.P256() {
		method = jwt.SigningMethodES256
	}
	curve := public.Params().Name
	id := thumbprint(`{"crv":"` + curve + `","kty":"EC","x":"` + x + `","y":"` + y + `"}`)
	return jwk{KeyType: "EC", Use: "sig", KeyID: id, Algorithm: method.Alg(), Curve: curve, X: x, Y: y}, method
}

// privateJWK returns a key of the issuer with its private members.
func privateJWK(private crypto.Signer) jwk {
	key, _ := publicJWK(private)
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		d, _ := private.Bytes() // a key of a curve of crypto/elliptic has no error
		key.Private = encode(d)
	case *rsa.PrivateKey:
		key.Private = encodeInt(private.D)
		key.Prime1, key.Prime2 = encodeInt(private.Primes[0]), encodeInt(private.Primes[1])
		key.Exponent1, key.Exponent2 = encodeInt(private.Precomputed.Dp), encodeInt(private.Precomputed.Dq)
		key.Inverse = encodeInt(private.Precomputed.Qinv)
	}
	return key
}

// parseKeys returns the keys of a JWK Set. Its errors repeat nothing of the set.
func parseKeys(document []byte) (keys []signingKey, err error) {
	var set jwkSet
	if json.Unmarshal(document, &set) != nil || len(set.Keys) == 0 {
		return nil, fault("Keys", `must be a JWK Set (RFC 7517 §5) with a private key, as PrivateKeys returns it: {"keys": [{"kty": "EC", …}]}`)
	}
	var faults []error
	for n, key := range set.Keys {
		private, err := key.parse()
		var signing signingKey
		if err == nil {
			signing, err = signingKeyOf(private)
		}
		switch {
		case err != nil:
			faults = append(faults, fault(fmt.Sprintf("Keys[%d]", n), "%v", err))
		case key.KeyID != "" && key.KeyID != signing.id:
			faults = append(faults, fault(fmt.Sprintf("Keys[%d]", n), "kid must be the thumbprint of the key (RFC 7638): leave kid out"))
		case slices.ContainsFunc(keys, func(other signingKey) bool { return other.id == signing.id }):
			faults = append(faults, fault(fmt.Sprintf("Keys[%d]", n), "the key stands twice: remove one"))
		}
		keys = append(keys, signing)
	}
	return keys, errors.Join(faults...)
}

var (
	errKeyType = errors.New("must be an EC key of the curve P-384 or P-256, or an RSA key of 2048 to 8192 bits")
	errPrivate = errors.New("the private key is missing, broken, or does not fit the public key")
)

func (j jwk) parse() (crypto.Signer, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()}
	curve := curves[j.Curve]
	switch {
	case j.KeyType == "RSA":
		return j.parseRSA()
	case j.KeyType != "EC" || curve == nil:
		return nil, errKeyType
	}
	private, err := ecdsa.ParseRawPrivateKey(curve, decode(j.Private))
	if err != nil {
		return nil, errPrivate
	}
	if public, _ := publicJWK(private); public.X != j.X || public.Y != j.Y {
		return nil, errPrivate
	}
	return private, nil
}

func (j jwk) parseRSA() (crypto.Signer, error) {
	private := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: decodeInt(j.Modulus), E: int(decodeInt(j.Exponent).Int64())},
		D:         decodeInt(j.Private),
		Primes:    []*big.Int{decodeInt(j.Prime1), decodeInt(j.Prime2)},
	}
	if private.N.BitLen() < 2048 {
		return nil, errKeyType
	}
	for _, number := range append(private.Primes, private.N, private.D) {
		if number.BitLen() > 8192 { // larger numbers take minutes
			return nil, errKeyType
		}
	}
	private.Precompute()
	if private.Validate() != nil {
		return nil, errPrivate
	}
	return private, nil
}

// thumbprint hashes the required members of a JWK, in the canonical form of RFC 7638 §3.
func thumbprint(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return encode(sum[:])
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func encodeInt(n *big.Int) string { return encode(n.Bytes()) }

// decode returns nil for a text that is not base64url. No key has such a part.
func decode(text string) []byte {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || hasLineBreak(text) {
		return nil
	}
	return data
}

// hasLineBreak reports whether a text has a character that decoders of base64 skip.
func hasLineBreak(text string) bool { return strings.ContainsAny(text, "\r\n") }

func decodeInt(text string) *big.Int { return new(big.Int).SetBytes(decode(text)) }
