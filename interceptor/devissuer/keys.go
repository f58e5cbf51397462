package devissuer

import (
	"bytes"
	"crypto"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

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

// sign returns a signed token, after the members of header have replaced alg and kid. A nil member is
// left out.
func (s *keySet) sign(claims, header map[string]any) (string, error) {
	key := s.keys[0]
	token := jwt.NewWithClaims(key.method, jwt.MapClaims(claims))
	token.Header = merge(map[string]any{"alg": key.method.Alg(), "kid": key.id}, header)
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
	public  []byte      // a JWK
	seal    cipher.AEAD // for opaque tokens
}

func newSigningKey(algorithm string) (key signingKey, err error) {
	var private crypto.Signer
	switch algorithm {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		private, err = rsa.GenerateKey(rand.Reader, 2048) // Logto takes 4096 bits, which are slow to find
	default:
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	if err == nil {
		key, err = signingKeyOf(private)
	}
	if err != nil {
		return signingKey{}, fmt.Errorf("devissuer: make %s key: %w", algorithm, err)
	}
	return key, nil
}

// signingKeyOf returns the key whose id is the thumbprint (RFC 7638) of its public key.
func signingKeyOf(private crypto.Signer) (signingKey, error) {
	public, method := publicJWK(private)
	document, _ := json.Marshal(public) // strings have a JSON form
	seal, err := sealing(private)
	return signingKey{id: public.KeyID, method: method, private: private, public: document, seal: seal}, err
}
