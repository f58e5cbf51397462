package devissuer

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// An opaque token is its claims, encrypted with a key that is derived from a signing key. So an issuer
// that keeps its keys knows its opaque tokens after a restart, and rotation ends them as it ends JWTs.

// sealing returns the cipher of opaque tokens for a signing key.
func sealing(private crypto.Signer) (cipher.AEAD, error) {
	var secret []byte
	var err error
	switch private := private.(type) {
	case *ecdsa.PrivateKey:
		secret, err = private.Bytes()
	case *rsa.PrivateKey:
		secret = private.D.Bytes()
	}
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "devissuer opaque token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealClaims returns an opaque token.
func (s *keySet) sealClaims(claims map[string]any) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("devissuer: seal token: %w", err)
	}
	return encode(s.keys[0].seal.Seal(nil, nil, text, nil)), nil //nolint:gosec // the cipher makes the nonce
}

// openClaims returns the claims of an opaque token of any key of the set.
func (s *keySet) openClaims(token string) (claims []byte, ok bool) {
	sealed := decode(token)
	for _, key := range s.keys {
		if claims, err := key.seal.Open(nil, nil, sealed, nil); err == nil {
			return claims, true
		}
	}
	return nil, false
}
