package devissuer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// Rotate replaces the signing key by a new key. The key set holds the new key and the replaced key, so
// that its tokens stay good, and no older key. For a rotation without overlap, which Logto can do too,
// call [Issuer.TrimKeys] next.
func (i *Issuer) Rotate() error {
	key, err := newSigningKey(i.algorithm) // before the lock, since an RSA key takes time
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = newKeySet(key, i.keys.keys[0])
	return nil
}

// TrimKeys drops every key but the signing key from the key set. A verifier that fetches the key set
// from now on refuses tokens that a dropped key signed.
func (i *Issuer) TrimKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = newKeySet(i.keys.keys[0])
}

func (i *Issuer) keySet() *keySet {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.keys
}

// A keySet is an immutable list of keys, with its JWK Set. The first key signs.
type keySet struct {
	keys     []signingKey
	document []byte
	etag     string
}

func newKeySet(keys ...signingKey) *keySet {
	publics := make([][]byte, len(keys))
	for n, key := range keys {
		publics[n] = key.public
	}
	document := append([]byte(`{"keys":[`), bytes.Join(publics, []byte(","))...)
	document = append(document, "]}"...)
	sum := sha256.Sum256(document)
	return &keySet{keys: keys, document: document, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`}
}

// sign returns a signed token with Logto's header, after the members of header have replaced others. A
// nil member removes another.
func (s *keySet) sign(claims, header map[string]any) (string, error) {
	key := s.keys[0]
	token := jwt.NewWithClaims(key.method, jwt.MapClaims(claims))
	token.Header = merge(map[string]any{"alg": key.method.Alg(), "typ": "at+jwt", "kid": key.id}, header)
	signed, err := token.SignedString(key.private)
	if err != nil {
		return "", fmt.Errorf("devissuer: sign token: %w", err)
	}
	return signed, nil
}

type signingKey struct {
	id      string
	method  jwt.SigningMethod
	private crypto.Signer
	public  []byte // a JWK
}

// A jwk has its members in Logto's order. Logto gives RSA keys no alg.
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
}

func newSigningKey(algorithm string) (signingKey, error) {
	var key signingKey
	var err error
	switch algorithm {
	case "ES256":
		key, err = newECKey(jwt.SigningMethodES256, elliptic.P256())
	case "RS256":
		key, err = newRSAKey()
	default:
		key, err = newECKey(jwt.SigningMethodES384, elliptic.P384())
	}
	if err != nil {
		return signingKey{}, fmt.Errorf("devissuer: make %s key: %w", algorithm, err)
	}
	return key, nil
}

func newECKey(method jwt.SigningMethod, curve elliptic.Curve) (signingKey, error) {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return signingKey{}, err
	}
	point, err := private.PublicKey.Bytes() // 4, then both coordinates at their full length
	if err != nil {
		return signingKey{}, err
	}
	coordinates := point[1:]
	x := base64.RawURLEncoding.EncodeToString(coordinates[:len(coordinates)/2])
	y := base64.RawURLEncoding.EncodeToString(coordinates[len(coordinates)/2:])
	name := curve.Params().Name
	id := thumbprint(`{"crv":"` + name + `","kty":"EC","x":"` + x + `","y":"` + y + `"}`)
	public, err := json.Marshal(jwk{KeyType: "EC", Use: "sig", KeyID: id, Algorithm: method.Alg(), Curve: name, X: x, Y: y})
	return signingKey{id: id, method: method, private: private, public: public}, err
}

func newRSAKey() (signingKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048) // Logto takes 4096 bits, which are slow to find
	if err != nil {
		return signingKey{}, err
	}
	e := base64.RawURLEncoding.EncodeToString(big.NewInt(int64(private.E)).Bytes())
	n := base64.RawURLEncoding.EncodeToString(private.N.Bytes())
	id := thumbprint(`{"e":"` + e + `","kty":"RSA","n":"` + n + `"}`)
	public, err := json.Marshal(jwk{KeyType: "RSA", Use: "sig", KeyID: id, Exponent: e, Modulus: n})
	return signingKey{id: id, method: jwt.SigningMethodRS256, private: private, public: public}, err
}

// thumbprint hashes the required members of a JWK, in the canonical form of RFC 7638 §3.
func thumbprint(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
