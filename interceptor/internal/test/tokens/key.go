// Package tokens forges tokens, and plays their identity provider.
//
// It shares no code with the verifier: a mistake of both would pass. Its functions panic if a test makes a mistake,
// so that a table of tokens needs no errors.
package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"math/big"
	"strings"
)

// A Key signs tokens.
type Key struct {
	ID, Alg string
	// Issuer is the `iss` of the key's tokens by default.
	Issuer  string
	Private crypto.Signer
}

// NewEd25519 makes a key of the first issuer, for key sets that change.
func NewEd25519(id string) *Key {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return &Key{ID: id, Alg: "EdDSA", Issuer: I1.URL, Private: Must(private, err)}
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// Sign signs text with an algorithm that fits the key: the key's own, or another.
func (k *Key) Sign(alg, text string) []byte {
	if private, ok := k.Private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, []byte(text))
	}
	hash := hashes[alg[2:]]
	h := hash.New()
	_, _ = io.WriteString(h, text)
	digest := h.Sum(nil)
	switch private := k.Private.(type) {
	case *rsa.PrivateKey:
		if alg[0] == 'P' {
			return Must(rsa.SignPSS(rand.Reader, private, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
		}
		return Must(rsa.SignPKCS1v15(rand.Reader, private, hash, digest))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest)
		return rawSignature(private.Curve, Must(r, err), s)
	}
	panic("tokens: no such key")
}

// rawSignature returns R and S, each as long as the curve's order (RFC 7518 section 3.4).
func rawSignature(curve elliptic.Curve, r, s *big.Int) []byte {
	size := (curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
}

// JWK returns the public key as a JWK, with changes: see [With].
func (k *Key) JWK(changes ...any) string {
	members := map[string]any{"kid": k.ID, "alg": k.Alg, "use": "sig"}
	switch public := k.Private.Public().(type) {
	case *rsa.PublicKey:
		members["kty"], members["n"] = "RSA", Encode(public.N.Bytes())
		members["e"] = Encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point := Must(public.Bytes())[1:]
		members["kty"], members["crv"] = "EC", public.Params().Name
		members["x"], members["y"] = Encode(point[:len(point)/2]), Encode(point[len(point)/2:])
	case ed25519.PublicKey:
		members["kty"], members["crv"], members["x"] = "OKP", "Ed25519", Encode(public)
	}
	return With(members, changes...)
}

// JWKs returns the public keys as JWKs.
func JWKs(keys ...*Key) (jwks []string) {
	for _, k := range keys {
		jwks = append(jwks, k.JWK())
	}
	return jwks
}

// KeySet returns a key set of JWKs (RFC 7517 section 5).
func KeySet(jwks ...string) string { return `{"keys":[` + strings.Join(jwks, ",") + `]}` }

// Header returns the JOSE header of a good token, with changes: see [With].
func (k *Key) Header(changes ...any) string {
	return With(map[string]any{"alg": k.Alg, "kid": k.ID, "typ": "at+jwt"}, changes...)
}

// Mint signs a header and a payload, well-formed or not.
func (k *Key) Mint(header, payload string) string {
	signed := unsigned(header, payload)
	return signed + "." + Encode(k.Sign(k.Alg, signed))
}

// unsigned returns the part of a token that is signed.
func unsigned(header, payload string) string {
	return Encode([]byte(header)) + "." + Encode([]byte(payload))
}
