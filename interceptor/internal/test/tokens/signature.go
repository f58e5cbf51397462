package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
)

// curves are ECDSA signatures with numbers that a signer does not make, or in another form than RFC 7518 section 3.4.
func (s Scene) curves() []Trial {
	var trials []Trial
	for _, k := range []*Key{I1.ES256, I1.ES384, I1.ES512} {
		curve := As[*ecdsa.PublicKey](k.Private.Public()).Curve
		order, size := curve.Params().N, (curve.Params().BitSize+7)/8
		signed, _ := CutSignature(s.Token(k))
		signature := k.Sign(k.Alg, signed)
		r, sum := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		zero, one := new(big.Int), big.NewInt(1)
		refuse := func(row, name string, signature []byte) {
			trials = append(trials, Trial{row, k.Alg + " " + name, signed + "." + Encode(signature), Invalid})
		}
		refuse("D17", "all zero", make([]byte, 2*size))
		refuse("D17", "r zero", rawSignature(curve, zero, sum))
		refuse("D17", "s zero", rawSignature(curve, r, zero))
		refuse("D17", "r is n", rawSignature(curve, order, sum))
		refuse("D17", "s is n", rawSignature(curve, r, order))
		refuse("D17", "r and s are n", rawSignature(curve, order, order))
		refuse("D17", "one", rawSignature(curve, one, one))
		refuse("D17", "s and r", rawSignature(curve, sum, r))
		refuse("D18", "DER", Must(asn1.Marshal(struct{ R, S *big.Int }{r, sum})))
		refuse("D18", "one byte short", signature[:2*size-1])
		refuse("D18", "one byte long", append(signature[:2*size:2*size], 0))
		refuse("D18", "a zero before", append([]byte{0}, signature...))
		refuse("D18", "both halves wider", append(append([]byte{0}, signature[:size]...), append([]byte{0}, signature[size:]...)...))
		refuse("D18", "half", signature[:size])
		refuse("D18", "one byte", []byte{1})
	}
	return trials
}

// changed are tokens that were changed after they were signed.
func (s Scene) changed() []Trial {
	var trials []Trial
	for _, k := range I1.Keys() {
		signed, signature := CutSignature(s.Token(k))
		_, pasted := CutSignature(s.Token(k, "sub", "user_2"))
		flipped := Must(base64.RawURLEncoding.DecodeString(signature))
		flipped[len(flipped)/2] ^= 1
		refuse := func(name, raw string) {
			trials = append(trials, Trial{"D19", k.Alg + " " + name, raw, Invalid})
		}
		refuse("signature of another token", signed+"."+pasted)
		refuse("payload changed", unsigned(k.Header(), s.Payload(k.Issuer, "sub", "root"))+"."+signature)
		refuse("header changed", unsigned(k.Header("x", 1), s.Payload(k.Issuer))+"."+signature)
		refuse("one bit", signed+"."+Encode(flipped))
		refuse("twice", signed+"."+Encode(append(flipped, flipped...)))
		refuse("by another key", signed+"."+Encode(I2.ES256.Sign("ES256", signed)))
	}
	return trials
}

// otherSchemes are RSA signatures that are valid for another algorithm.
func (s Scene) otherSchemes() []Trial {
	var trials []Trial
	refuse := func(name, signed string, signature []byte) {
		trials = append(trials, Trial{"D18", name, signed + "." + Encode(signature), Invalid})
	}
	// RFC 7518 section 3.5: the salt is as long as the hash.
	k := I1.PS256
	signed, _ := CutSignature(s.Token(k))
	digest := sha256.Sum256([]byte(signed))
	for _, salt := range []int{0, 20, 31, 33, 64} {
		options := &rsa.PSSOptions{SaltLength: salt}
		refuse(fmt.Sprintf("PS256 with a salt of %d", salt), signed,
			Must(rsa.SignPSS(rand.Reader, As[*rsa.PrivateKey](k.Private), crypto.SHA256, digest[:], options)))
	}
	refuse("PS256 as PKCS #1", signed, k.Sign("RS256", signed))
	refuse("PS256 with SHA-384", signed, k.Sign("PS384", signed))
	signed, _ = CutSignature(s.Token(I1.RS256))
	refuse("RS256 as PSS", signed, k.Sign("PS256", signed))
	refuse("RS256 with SHA-512", signed, k.Sign("RS512", signed))
	return trials
}
