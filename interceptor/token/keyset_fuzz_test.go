package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// fuzzAlgorithms are the algorithms of issuers.
var fuzzAlgorithms = [][]string{allowed, {"RS256"}, {"ES256", "EdDSA"}, {"PS512", "ES384", "PS512"}, {"RS384", "PS384"}}

// FuzzParseKeySet reads key sets, and compares the keys and their algorithms with an
// oracle.
func FuzzParseKeySet(f *testing.F) {
	more := func(n int) (jwks []string) { return slices.Repeat([]string{eddsa.JWK()}, n) }
	// The kid differs from the good key, so that the test can tell which key was used.
	bad := func(k *key, changes ...any) string { return k.JWK(append([]any{"kid", "bad"}, changes...)...) }
	seeds := []string{
		keySet(jwksOf(all...)...), keySet(eddsa.JWK(), es256.JWK("use", "enc"), "null", "{}", "[]", "1", `"x"`), keySet(rs256.JWK("alg", absent{}, "x5c", []string{"AAAA"})),
		keySet(es256.JWK(), foreign.JWK("kid", es256.ID), newEd25519(eddsa.ID).JWK(), eddsa.JWK()), keySet(es512.JWK("key_ops", []string{"verify"}), rs256.JWK("e", "Aw")),
		keySet(eddsa.JWK("kid", absent{}), eddsa.JWK("kid", absent{}), eddsa.JWK("kid", "")), keySet(eddsa.JWK("alg", absent{}), es256.JWK("alg", ""), es384.JWK("alg", "ES256"), es512.JWK("alg", "none")),
		keySet(eddsa.JWK("alg", "Ed25519"), es256.JWK("kid", "bad", "alg", "Ed25519"), es384.JWK("d", nil, "k", nil)), keySet(rs256.JWK("alg", "RS384"), rs256.JWK("alg", "PS512"), rs256.JWK("alg", "PS384"), rs256.JWK("alg", "RS384")), keySet(more(100)...), keySet(more(101)...),
		keySet(bad(eddsa, "kid", 1), bad(eddsa, "kty", "okp"), bad(eddsa, "alg", nil), bad(eddsa, "use", nil), bad(eddsa, "crv", "X25519"), bad(eddsa, "x", "AA"), bad(eddsa, "x", absent{}), bad(eddsa, "d", ""), eddsa.JWK()),
		keySet(bad(es256, "key_ops", []string{"sign"}), bad(es256, "key_ops", "verify"), bad(es256, "key_ops", []any{"verify", nil}), bad(es256, "key_ops", nil), bad(es256, "crv", "P-384"), bad(es256, "y", "AAAA"), bad(es256, "kty", "RSA"), es256.JWK()),
		keySet(bad(rs256, "n", encode(rsaKey.N.Bytes()[1:])), bad(rs256, "n", encode(rsaKey.N.Bytes())+"="), bad(rs256, "n", "AA"+encode(rsaKey.N.Bytes())), bad(rs256, "e", "AQ"), bad(rs256, "e", "BA"), bad(rs256, "e", "AQAAAAE"), bad(rs256, "e", "AAAB"), bad(rs256, "p", "AA"), rs256.JWK()),
		keySet(eddsa.JWK("kid", string(bytes.Repeat([]byte("x"), 257))), eddsa.JWK("kid", string(bytes.Repeat([]byte("x"), 256)))), keySet(eddsa.JWK()[:1]+`"x":"AA",`+eddsa.JWK()[1:], es256.JWK()),
		`{"keys":[` + eddsa.JWK() + `],"keys":[]}`, `{"Keys":[` + eddsa.JWK() + `]}`, `{"x":{"a":1,"a":2},"keys":[` + eddsa.JWK() + `]}`, keySet(eddsa.JWK()) + "x", keySet(eddsa.JWK("x5t", "\xff")),
		keySet(), `{"keys":null}`, `{"keys":{}}`, "{}", "", "[]", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, keySet(rs256.JWK("e", "AQ")), keySet(es256.JWK("x", "AAAA")), keySet(es384.JWK("d", "AA")),
	}
	for _, algorithms := range fuzzAlgorithms {
		tokens.CheckSeeds(f, seeds, func(seed string) bool { keys, _ := readKeys([]byte(seed), algorithms); return keys != nil })
	}
	for n := range fuzzAlgorithms {
		for _, seed := range seeds {
			f.Add(uint8(n), []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		if tokens.Replaced.Match(body) {
			return
		}
		algorithms := fuzzAlgorithms[int(n)%len(fuzzAlgorithms)]
		want, total := readKeys(body, algorithms)
		keys, skipped, err := token.ParseKeySet(body, algorithms...)
		for _, err := range append(skipped, err) {
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) {
					t.Errorf("an error of a token: %v", err)
				}
			}
		}
		if (err == nil) != (want != nil) || err == nil && len(keys)+len(skipped) != total {
			t.Fatalf("%s for %q: got %d keys and %d skipped of %d, %v, want %d", body, algorithms, len(keys), len(skipped), total, err, len(want))
		}
		if !slices.EqualFunc(keys, want, equalKeys) {
			t.Errorf("%s for %q: got keys %v, want %v", body, algorithms, keys, want)
		}
	})
}

func equalKeys(a, b token.PublicKey) bool {
	public, ok := a.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(b.Public) && a.ID == b.ID && a.Algorithm == b.Algorithm
}

// readKeys is an oracle: it reads a key set by the standard library alone. The
// keys are nil if the set is refused. The total counts skipped keys too.
func readKeys(body []byte, algorithms []string) (keys []token.PublicKey, total int) {
	// What is wrong inside of one key, such as a name that is there twice, is no
	// reason to refuse the others: only the set's own names are looked at.
	var set []json.RawMessage
	if json.Unmarshal(body, new(map[string]json.RawMessage)) != nil || !utf8.Valid(body) {
		return nil, 0
	}
	decoder, names := json.NewDecoder(bytes.NewReader(body)), map[any]bool{}
	for _, err := decoder.Token(); err == nil && decoder.More(); {
		var name json.Token
		var value json.RawMessage
		if name, err = decoder.Token(); err != nil || names[name] || decoder.Decode(&value) != nil {
			return nil, 0
		}
		if names[name] = true; name == "keys" && (value[0] != '[' || json.Unmarshal(value, &set) != nil) {
			return nil, 0
		}
	}
	if len(set) > 100 {
		return nil, 0
	}
	for _, jwk := range set {
		key, ok := readKey(jwk, algorithms)
		sameName, same := 0, false
		for _, k := range keys {
			if ok && key.ID != "" && k.ID == key.ID && k.Algorithm == key.Algorithm {
				sameName++
				same = same || equalKeys(k, key)
			}
		}
		if ok && !same && sameName < 2 {
			keys = append(keys, key)
		}
	}
	return keys, len(set)
}

// readKey reads a JWK, and reports whether the key may be used.
func readKey(jwk json.RawMessage, algorithms []string) (key token.PublicKey, ok bool) {
	members, ok := tokens.ReadObject(jwk)
	if !ok {
		return key, false
	}
	for name, value := range members {
		if string(value) == "null" && !slices.Contains([]string{"kty", "crv", "n", "e", "x", "y"}, name) {
			delete(members, name)
		}
	}
	for _, name := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
		if members[name] != nil {
			return key, false
		}
	}
	text := func(name string) (value string) {
		if raw := members[name]; raw != nil && (raw[0] != '"' || json.Unmarshal(raw, &value) != nil) {
			ok = false
		}
		return value
	}
	data := func(name string) []byte {
		decoded, err := base64.RawURLEncoding.DecodeString(text(name))
		if err != nil || encode(decoded) != text(name) {
			return nil
		}
		return decoded
	}
	var operations []any
	if raw := members["key_ops"]; raw != nil {
		isString := func(v any) bool { _, ok := v.(string); return ok }
		ok = json.Unmarshal(raw, &operations) == nil && slices.Contains(operations, any("verify")) &&
			!slices.ContainsFunc(operations, func(v any) bool { return !isString(v) })
	}
	if members["use"] != nil && text("use") != "sig" {
		ok = false
	}
	var algs []string
	key.Public, algs = publicKey(text("kty"), text("crv"), data)
	algs = slices.DeleteFunc(algs, func(alg string) bool {
		return !slices.Contains(algorithms, alg) || text("alg") != "" && text("alg") != alg && (text("alg") != "Ed25519" || alg != "EdDSA")
	})
	if key.ID = text("kid"); !ok || key.Public == nil || len(algs) != 1 || len(key.ID) > 256 {
		return key, false
	}
	key.Algorithm = algs[0]
	return key, true
}

// publicKey builds a key by the standard library alone, and returns its algorithms. It
// returns nil if the key must not be used.
func publicKey(kty, crv string, data func(string) []byte) (public crypto.PublicKey, algs []string) {
	switch kty {
	case "RSA":
		n, e := new(big.Int).SetBytes(data("n")), new(big.Int).SetBytes(data("e"))
		if n.BitLen() < 2048 || n.BitLen() > 8192 || n.Bit(0) == 0 || e.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3 {
			return nil, nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case "EC":
		curve, alg := elliptic.P256(), "ES256"
		switch crv {
		case "P-256":
		case "P-384":
			curve, alg = elliptic.P384(), "ES384"
		case "P-521":
			curve, alg = elliptic.P521(), "ES512"
		default:
			return nil, nil
		}
		if len(data("x")) != len(data("y")) {
			return nil, nil
		}
		public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, data("x"), data("y")))
		if err != nil {
			return nil, nil
		}
		return public, []string{alg}
	case "OKP":
		if crv != "Ed25519" || len(data("x")) != ed25519.PublicKeySize {
			return nil, nil
		}
		return ed25519.PublicKey(data("x")), []string{"EdDSA"}
	}
	return nil, nil
}
