package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// primitive makes the least that verifying a signature can cost: the hash of what was
// signed, and the standard library's own function with a key and a signature that are
// decoded already. It parses nothing, and checks nothing else.
func primitive(key *tokens.Key, raw string) (operation, error) {
	text, encoded := tokens.CutSignature(raw)
	signed := []byte(text)
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	switch public := key.Private.Public().(type) {
	case *rsa.PublicKey:
		return repeat(func() error {
			digest := sha256.Sum256(signed)
			return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature)
		}), nil
	case *ecdsa.PublicKey:
		half := len(signature) / 2
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		return repeat(func() error {
			var digest []byte
			if key.Alg == "ES384" {
				sum := sha512.Sum384(signed)
				digest = sum[:]
			} else {
				sum := sha256.Sum256(signed)
				digest = sum[:]
			}
			return matches(ecdsa.Verify(public, digest, r, s))
		}), nil
	case ed25519.PublicKey:
		return repeat(func() error { return matches(ed25519.Verify(public, signed, signature)) }), nil
	default:
		return nil, fmt.Errorf("no primitive for %T", public)
	}
}

func matches(ok bool) error {
	if !ok {
		return errors.New("the signature does not match")
	}
	return nil
}
