package token_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestBadKeys puts a key that cannot be used beside a good key.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	n := rsaKey.N
	small := must(rsa.GenerateKey(rand.Reader, 1024)).N
	even, huge := new(big.Int).Lsh(n, 1), new(big.Int).Lsh(big.NewInt(1), 8192)
	exponent := func(e ...byte) string { return rs256.JWK("e", encode(e)) }
	x := must(as[*ecdsa.PublicKey](es256.Private.Public()).Bytes())[1:33]
	okp := newEd25519("okp") // any 32 bytes are such a key
	x25519 := encode(must(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey().Bytes())
	bad := map[string]string{
		"oct":                       `{"kty":"oct","kid":"o","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"oct without alg":           `{"kty":"oct","kid":"o","k":"AAAA"}`,
		"private EC":                es256.JWK("d", encode(x)),
		"private OKP":               okp.JWK("d", encode(x)),
		"private RSA":               rs256.JWK("d", "AQAB", "p", "Aw", "q", "BQ"),
		"a prime alone":             rs256.JWK("p", "Aw"),
		"symmetric in RSA":          rs256.JWK("k", "AAAA"),
		"other primes":              rs256.JWK("oth", []any{}),
		"use enc":                   es256.JWK("use", "enc"),
		"use empty":                 es256.JWK("use", ""),
		"use array":                 es256.JWK("use", []string{"sig"}),
		"key_ops encrypt":           es256.JWK("key_ops", []string{"encrypt"}),
		"key_ops sign":              es256.JWK("key_ops", []string{"sign"}),
		"key_ops empty":             es256.JWK("key_ops", []string{}),
		"key_ops string":            es256.JWK("key_ops", "verify"),
		"key_ops of mixed types":    es256.JWK("key_ops", []any{"verify", 1}),
		"RSA of 1024 bits":          rs256.JWK("n", encode(small.Bytes())),
		"RSA of 2047 bits":          rs256.JWK("n", encode(new(big.Int).SetBit(new(big.Int).Rsh(n, 1), 0, 1).Bytes())),
		"RSA of 8193 bits":          rs256.JWK("n", encode(new(big.Int).SetBit(huge, 0, 1).Bytes())),
		"RSA even modulus":          rs256.JWK("n", encode(even.Bytes())),
		"RSA modulus zero":          rs256.JWK("n", "AA"),
		"RSA modulus missing":       rs256.JWK("n", absent{}),
		"RSA modulus empty":         rs256.JWK("n", ""),
		"RSA modulus number":        rs256.JWK("n", 15),
		"RSA exponent 0":            exponent(0),
		"RSA exponent 1":            exponent(1),
		"RSA exponent 2":            exponent(2),
		"RSA exponent even":         exponent(1, 0, 0),
		"RSA exponent 2^31":         exponent(0x80, 0, 0, 0),
		"RSA exponent 2^31+1":       exponent(0x80, 0, 0, 1),
		"RSA exponent 2^32+1":       exponent(1, 0, 0, 0, 1),
		"RSA exponent 2^32+65537":   exponent(1, 0, 1, 0, 1), // which is 65537 in an int of 32 bits
		"RSA exponent 2^64+65537":   exponent(1, 0, 0, 0, 0, 0, 1, 0, 1),
		"RSA exponent 2^63+65537":   exponent(0x80, 0, 0, 0, 0, 1, 0, 1),
		"RSA exponent missing":      rs256.JWK("e", absent{}),
		"RSA without alg":           rs256.JWK("alg", absent{}), // it could be for RS256 and for PS256
		"RSA with alg RS512":        rs256.JWK("alg", "RS512"),  // which the issuer does not use
		"RSA with alg ES256":        rs256.JWK("alg", "ES256"),
		"RSA with alg RSA-OAEP":     rs256.JWK("alg", "RSA-OAEP"),
		"RSA with alg none":         rs256.JWK("alg", "none"),
		"RSA with alg HS256":        rs256.JWK("alg", "HS256"),
		"EC off the curve":          es256.JWK("y", encode(x)),
		"EC at infinity":            es256.JWK("x", encode(make([]byte, 32)), "y", encode(make([]byte, 32))),
		"EC coordinate above p":     es256.JWK("x", encode([]byte(strings.Repeat("\xff", 32)))),
		"EC short coordinate":       es256.JWK("x", encode(x[:31])),
		"EC long coordinate":        es256.JWK("x", encode(append([]byte{0}, x...))),
		"EC coordinate missing":     es256.JWK("y", absent{}),
		"EC of another curve":       es256.JWK("crv", "P-384"),
		"EC of an unknown curve":    es256.JWK("crv", "P-257"),
		"EC secp256k1":              es256.JWK("crv", "secp256k1", "alg", absent{}),
		"EC without a curve":        es256.JWK("crv", absent{}),
		"EC with alg of P-384":      es256.JWK("alg", "ES384"),
		"EC with alg ES521":         es512.JWK("alg", "ES521"),
		"EC with alg ECDH-ES":       es256.JWK("alg", "ECDH-ES"),
		"EC as RSA":                 es256.JWK("kty", "RSA"),
		"EC as OKP":                 es256.JWK("kty", "OKP"),
		"OKP X25519":                eddsa.JWK("crv", "X25519", "x", x25519, "alg", absent{}),
		"OKP X25519 as EdDSA":       eddsa.JWK("crv", "X25519", "x", x25519),
		"OKP Ed448":                 eddsa.JWK("crv", "Ed448", "x", encode(make([]byte, 57))),
		"OKP short":                 eddsa.JWK("x", encode(x[:31])),
		"OKP long":                  eddsa.JWK("x", encode(append(x[:32:32], 0))),
		"OKP with alg ES256":        eddsa.JWK("alg", "ES256"),
		"kty missing":               es256.JWK("kty", absent{}),
		"kty empty":                 es256.JWK("kty", ""),
		"kty in lower case":         es256.JWK("kty", "ec"),
		"kty unknown":               es256.JWK("kty", "AKP"),
		"kty number":                es256.JWK("kty", 1),
		"kid number":                es256.JWK("kid", 1),
		"kid too long":              es256.JWK("kid", strings.Repeat("k", 257)),
		"alg number":                es256.JWK("alg", 1),
		"member twice":              strings.Replace(es256.JWK(), "{", `{"kid":"x",`, 1),
		"member twice, alike":       strings.Replace(es256.JWK(), "{", `{"kty":"EC",`, 1),
		"twice inside a member":     es256.JWK("x5t", json.RawMessage(`{"a":1,"a":1}`)),
		"the good one again":        eddsa.JWK("use", absent{}),
		"padding":                   es256.JWK("x", encode(x)+"="),
		"line break":                es256.JWK("x", encode(x)[:8]+"\n"+encode(x)[8:]),
		"line break in RSA":         rs256.JWK("n", encode(n.Bytes())[:8]+"\n"+encode(n.Bytes())[8:]),
		"line break in OKP":         okp.JWK("x", encode(x)[:8]+"\n"+encode(x)[8:]),
		"line break at the end":     es256.JWK("x", encode(x)+"\r\n"),
		"standard base64":           es256.JWK("x", strings.Repeat("+/", 21)+"8"),
		"unused bits":               es256.JWK("x", strings.Repeat("A", 42)+"B"),
		"unused bits in OKP":        okp.JWK("x", strings.Repeat("A", 42)+"B"),
		"array":                     `["EC"]`,
		"null":                      "null",
		"number":                    "1",
		"string":                    `"EC"`,
		"empty object":              "{}",
		"key set inside a key set ": keySet(es256.JWK()),
	}
	for name, jwk := range bad {
		t.Run("J09/"+name, func(t *testing.T) {
			t.Parallel()
			good := eddsa
			for _, body := range []string{keySet(good.JWK(), jwk), keySet(good.JWK(), jwk, es384.JWK("alg", "x")), keySet(jwk, good.JWK())} {
				keys, skipped, err := token.ParseKeySet([]byte(body), allowed...)
				if err != nil || len(keys) != 1 || len(skipped) != strings.Count(body, `"alg":"x"`)+1 {
					t.Fatalf("%d keys, %q skipped, %v, want the good one", len(keys), skipped, err)
				}
				for _, reason := range skipped {
					checkSilent(t, reason, jwk)
				}
				if keys[0].ID != good.ID {
					t.Errorf("%q was kept", keys[0].ID)
				}
				if public, ok := keys[0].Public.(ed25519.PublicKey); name != "kid of the good one" && (!ok || !public.Equal(good.Private.Public())) {
					t.Errorf("another key was kept")
				}
			}
		})
	}
}

// TestGoodKeys has odd keys that must be accepted.
func TestGoodKeys(t *testing.T) {
	t.Parallel()
	modulus := rsaKey.N.Bytes()
	good := map[string]string{
		"RSA without alg":         rs256.JWK("alg", absent{}),
		"RSA with a leading zero": rs256.JWK("n", encode(append([]byte{0}, modulus...))),
		"RSA exponent 3":          rs256.JWK("e", "Aw"),
		"RSA exponent 2^31-1":     rs256.JWK("e", encode([]byte{0x7f, 0xff, 0xff, 0xff})),
		"RSA with a certificate":  rs256.JWK("x5c", []string{"AAAA"}, "x5t", "AAAA", "x5u", "https://evil.test"),
		"EC without alg":          es256.JWK("alg", absent{}),
		"EC without use":          es256.JWK("use", absent{}),
		"EC without kid":          es256.JWK("kid", absent{}),
		"EC to verify":            es256.JWK("key_ops", []string{"verify"}, "use", absent{}),
		"OKP without alg":         eddsa.JWK("alg", absent{}),
		"unknown members":         es256.JWK("exp", 1, "ext", true, "nbf", nil),
		"kid of 256 bytes":        es256.JWK("kid", strings.Repeat("k", 256)),
	}
	for name, jwk := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, skipped, err := token.ParseKeySet([]byte(keySet(jwk)), "RS256", "RS256", "ES256", "EdDSA")
			if err != nil || len(keys) != 1 || len(skipped) != 0 {
				t.Errorf("%d keys, %q skipped, %v, want 1 key", len(keys), skipped, err)
			}
		})
	}
	if keys, skipped, err := token.ParseKeySet([]byte(keySet(jwksOf(all...)...)), allowed...); err != nil || len(keys) != len(all) || len(skipped) != 0 {
		t.Errorf("%d keys, %q skipped, %v, want all %d", len(keys), skipped, err, len(all))
	}
}

// TestKeySetForm has documents that are not key sets, and one with more members than a key set.
func TestKeySetForm(t *testing.T) {
	t.Parallel()
	const noArray = `it has no array "keys": is it a key set (RFC 7517 section 5)?`
	for body, want := range map[string]string{
		"{}":            noArray,
		`{"keys":null}`: noArray,
		`{"keys":{}}`:   noArray,
		`{"keys":"[]"}`: noArray,
		`{"keys":[]}`:   "it holds no keys",
		discovery():     "it is the issuer's metadata, and not a key set: leave Issuer.KeySetURL empty; if it is empty, the issuer must correct jwks_uri",
		keySet(slices.Repeat([]string{"{}"}, 101)...): "more than 100 keys",
	} {
		_, _, err := token.ParseKeySet([]byte(body), allowed...)
		checkText(t, body, err, want)
	}
	both := strings.Replace(keySet(eddsa.JWK()), "{", `{"jwks_uri":"https://idp.test/oidc/jwks",`, 1)
	if keys, _, err := token.ParseKeySet([]byte(both), allowed...); err != nil || len(keys) != 1 {
		t.Errorf("a key set with jwks_uri: %d keys, %v", len(keys), err)
	}
}

// TestKeyChoice checks which key of a set a token finds.
func TestKeyChoice(t *testing.T) {
	t.Parallel()
	second := &key{ID: "kid-second", Alg: "ES256", Issuer: issuerURL, Private: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	sameKid := &key{ID: eddsa.ID, Alg: "ES256", Issuer: issuerURL, Private: second.Private}
	without := func(k *key) string { return k.Mint(k.Header("kid", absent{}), payload()) }
	tests := []struct {
		name string
		jwks []string
		raw  string
		err  error
	}{
		{"J11/no kid, single key", jwksOf(es256), without(es256), nil},
		{"J11/no kid, single key for the alg", jwksOf(es256, es384, eddsa, rs256), without(es256), nil},
		{"J11/no kid, two keys for the alg", jwksOf(es256, second), without(es256), token.ErrInvalid},
		{"J11/no kid, two RSA keys of one alg", []string{rs256.JWK(), ps256.JWK("alg", "RS256")}, without(rs256), token.ErrInvalid},
		{"J11/kid, two keys for the alg", jwksOf(es256, second), scene.Token(second), nil},
		{"J11/kid, key has none", []string{es256.JWK("kid", absent{})}, scene.Token(es256), token.ErrInvalid},
		{"J11/no kid, key has none", []string{es256.JWK("kid", absent{})}, without(es256), nil},
		{"J11/no kid, two keys have none", []string{es256.JWK("kid", absent{}), second.JWK("kid", absent{})}, without(es256), token.ErrInvalid},
		{"J11/one kid for two algs, first", jwksOf(eddsa, sameKid), scene.Token(eddsa), nil},
		{"J11/one kid for two algs, second", jwksOf(eddsa, sameKid), scene.Token(sameKid), nil},
		{"J11/RSA key without alg, RS256", []string{rs256.JWK("alg", absent{}), eddsa.JWK()}, scene.Token(rs256), token.ErrInvalid},
		{"J11/RSA key without alg, PS256", []string{ps256.JWK("alg", absent{}), eddsa.JWK()}, scene.Token(ps256), token.ErrInvalid},
		{"J11/RSA key of RS256, PS256", []string{ps256.JWK("alg", "RS256")}, scene.Token(ps256), token.ErrInvalid},
		{"J11/RSA key of RS512, RS256", []string{rs256.JWK("alg", "RS512"), eddsa.JWK()}, scene.Token(rs256), token.ErrInvalid},
		{"J11/kid of 256 bytes", []string{es256.JWK("kid", strings.Repeat("k", 256))}, es256.Mint(es256.Header("kid", strings.Repeat("k", 256)), payload()), nil},
		{"J11/kid that is a number in the set", []string{es256.JWK("kid", 1), eddsa.JWK()}, es256.Mint(es256.Header("kid", "1"), payload()), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, err := newVerifier(t, newIDP(test.jwks...)).Verify(t.Context(), test.raw)
				checkError(t, err, test.err)
			})
		})
	}
}
