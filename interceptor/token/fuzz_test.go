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
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// checkSeeds fails unless there are inputs of both kinds: without them a target
// would hold, and show, nothing.
func checkSeeds[T any](f *testing.F, seeds []T, accepts func(T) bool) {
	f.Helper()
	accepted := 0
	for _, seed := range seeds {
		if accepts(seed) {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(seeds) {
		f.Fatalf("%d of %d seeds are accepted", accepted, len(seeds))
	}
}

// readObject reads a JSON object whose names are unique on all levels, by
// encoding/json's own walk through the tokens.
func readObject(data []byte) (members map[string]json.RawMessage, ok bool) {
	if !utf8.Valid(data) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	members = map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		text, isString := name.(string)
		if strings.ContainsRune(text, utf8.RuneError) {
			return nil, false // none of the seeds means the character itself
		}
		var value json.RawMessage
		if err != nil || !isString || decoder.Decode(&value) != nil {
			return nil, false
		}
		if _, twice := members[text]; twice || !isUnique(value) {
			return nil, false
		}
		members[text] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return members, true
}

// isWhole reports whether encoding/json replaced nothing in a string. A string
// that has the replacement character itself is taken for one that it did.
func isWhole(quoted json.RawMessage) bool {
	var text string
	return json.Unmarshal(quoted, &text) == nil && !strings.ContainsRune(text, utf8.RuneError)
}

func isUnique(value json.RawMessage) bool {
	switch value[0] {
	case '"':
		return isWhole(value)
	case '{':
		_, ok := readObject(value)
		return ok
	case '[':
		var elements []json.RawMessage
		return json.Unmarshal(value, &elements) == nil && !slices.ContainsFunc(elements, func(e json.RawMessage) bool { return !isUnique(e) })
	}
	return true
}

func FuzzParseObject(f *testing.F) {
	seeds := []string{
		"{}", " {\t}\r\n", `{"a":1}`, `{"a":{"b":[1,{"c":null}]},"d":"\"}"}`, `{"a\\":"\\","b":[[],{}]}`, `{"\u0061":1,"b":-1.5e+9}`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"b":2}]}`, `{"a":1,}`, `{"a":1}{}`, `{"a" 1}`, `{"a":1 "b":2}`,
		"{\"\xff\":1}", `{"\ud800":1}`, `{"a":"\udfff"}`, `{"a":"\ud83d\ude00"}`, `{"a":["\ud83d\u0041"]}`, `{"a":"\\ud800"}`, `[]`, `null`, `"{}"`, `{`, ``, `{"":{"":{"":0}}}`, `{"a":[1,,2]}`, `{"a":1,"b":01}`, payload(), es384.header(),
	}
	checkSeeds(f, seeds, func(seed string) bool { _, ok := readObject([]byte(seed)); return ok })
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > token.MaxBytes {
			return // encoding/json has a limit of its own for the depth
		}
		if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) > 32 {
			return // perhaps too deep, which the oracle does not ask
		}
		if replaced := regexp.MustCompile(`(?i)\\ufffd|\x{fffd}`); replaced.Match(data) {
			return // the oracle cannot tell it from what encoding/json replaces
		}
		want, ok := readObject(data)
		got, err := token.ParseObject(data)
		if (err == nil) != ok || len(got) != len(want) {
			t.Fatalf("%d members, %v, want %d, %v", len(got), err, len(want), ok)
		}
		for name, value := range want {
			if other, ok := got[name]; !ok || compact(t, other) != compact(t, value) {
				t.Errorf("%q is %s, want %s", name, other, value)
			}
		}
	})
}

func FuzzBearer(f *testing.F) {
	grammar := regexp.MustCompile(`\A(?:[Bb][Ee][Aa][Rr][Ee][Rr])( +)([A-Za-z0-9\-._~+/]+=*)\z`)
	seeds := []string{"Bearer a.b.c", "bearer  a==", "BEARER a", "Bearer", "Bearer ", "", "Basic a", "Bearer a b", "Bearer a=b", "Bearer\ta", "Bearer a\n", "Bearer é", " Bearer a"}
	checkSeeds(f, seeds, grammar.MatchString)
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		raw, err := token.Bearer([]string{value})
		match := grammar.FindStringSubmatch(value)
		if accept := match != nil && len(value) <= len("Bearer ")+token.MaxBytes; accept != (err == nil) {
			t.Fatalf("%q is accepted: %v, want %v", value, err == nil, accept)
		}
		if err != nil {
			if raw != "" {
				t.Errorf("%q beside the error %v", raw, err)
			}
			return
		}
		if again := value[:len("Bearer")] + match[1] + raw; again != value {
			t.Errorf("%q became %q", value, again)
		}
	})
}

func FuzzVerify(f *testing.F) {
	type seed struct{ header, payload, rest string }
	good := payload("exp", never)
	seeds := []seed{
		{eddsa.header(), good, ""},
		{eddsa.header("kid", absent{}, "typ", "application/AT+JWT"), payload("exp", never, "aud", []string{"a", "b"}, "nbf", 1.5, "organization_id", "o"), ""},
		{eddsa.header(), good, "="}, {eddsa.header(), good, "A"}, {eddsa.header("alg", "none"), good, ""}, {eddsa.header("typ", "JWT"), good, ""},
		{eddsa.header("crit", []string{"x"}), good, ""}, {eddsa.header("kid", "x"), good, ""}, {eddsa.header(), payload("exp", 1), ""},
		{eddsa.header(), payload("exp", never, "sub", 1), ""}, {eddsa.header(), payload("exp", never, "cnf", 1), ""}, {eddsa.header(), payload("exp", "never"), ""},
		{eddsa.header(), good[:len(good)-1] + `,"sub":"root"}`, ""}, {eddsa.header(), good[:len(good)-1] + `,"SUB":"root"}`, ""}, {"{}", "{}", ""}, {"", "", ""},
	}
	verifier := newVerifier(f, newIDP(eddsa.jwk()))
	accepts := func(s seed) bool {
		_, err := verifier.Verify(f.Context(), eddsa.mint(s.header, s.payload)+s.rest)
		return err == nil
	}
	checkSeeds(f, seeds, accepts)
	for _, s := range seeds {
		f.Add([]byte(s.header), []byte(s.payload), s.rest, true)
	}
	f.Add([]byte(es384.token("exp", never)), []byte(nil), "", false)
	f.Fuzz(func(t *testing.T, header, payload []byte, rest string, signed bool) {
		raw := string(header) + rest
		if signed {
			raw = eddsa.mint(string(header), string(payload)) + rest
		}
		before := time.Now()
		claims, err := verifier.Verify(t.Context(), raw)
		if err != nil {
			matches := 0
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) {
					matches++
				}
			}
			if matches != 1 || claims != nil {
				t.Errorf("%v matches %d sentinels, beside the claims %v", err, matches, claims)
			}
			return
		}
		if fault := oracle(raw, claims, before); fault != "" {
			t.Errorf("%q was accepted, and %s", raw, fault)
		}
	})
}

// oracle verifies a token by the standard library alone. It returns what is
// wrong with it, or with its claims.
func oracle(raw string, claims *token.Claims, now time.Time) (fault string) {
	segments := strings.Split(raw, ".")
	if len(raw) > 8192 || len(segments) != 3 {
		return "its form is wrong"
	}
	var decoded [3][]byte
	for n, segment := range segments {
		var err error
		if decoded[n], err = base64.RawURLEncoding.DecodeString(segment); err != nil || encode(decoded[n]) != segment || segment == "" {
			return "a segment is not in strict base64url"
		}
	}
	header, ok := readObject(decoded[0])
	body, ok2 := readObject(decoded[1])
	if !ok || !ok2 {
		return "it holds something else than objects"
	}
	text := func(members map[string]json.RawMessage, name string) (value string) {
		if raw, ok := members[name]; ok && raw[0] == '"' {
			_ = json.Unmarshal(raw, &value)
		}
		return value
	}
	number := func(name string) (value float64) {
		if json.Unmarshal(body[name], &value) != nil || string(body[name]) == "null" {
			return -1
		}
		return value
	}
	typ := strings.ToLower(text(header, "typ"))
	if typ != "at+jwt" && typ != "application/at+jwt" || text(header, "alg") != "EdDSA" {
		return "alg or typ is wrong"
	}
	for _, name := range []string{"crit", "b64", "zip", "cty"} {
		if header[name] != nil {
			return "the header has " + name
		}
	}
	if header["kid"] != nil && text(header, "kid") != eddsa.id {
		return "the key is another"
	}
	if !ed25519.Verify(as[ed25519.PublicKey](eddsa.private.Public()), []byte(segments[0]+"."+segments[1]), decoded[2]) {
		return "the signature is wrong"
	}
	switch seconds := float64(now.Unix()); {
	case text(body, "iss") != issuerURL:
		return "iss is wrong"
	case number("exp") < 0 || number("exp")+30 < seconds || number("exp") > never:
		return "exp is wrong"
	case body["nbf"] != nil && (number("nbf") < 0 || number("nbf")-31 > seconds):
		return "nbf is wrong"
	case body["iat"] != nil && (number("iat") < 0 || number("iat") > never):
		return "iat is wrong"
	case body["cnf"] != nil:
		return "it is bound to a key"
	case text(body, "sub") == "" || text(body, "sub") != claims.Subject():
		return "sub is wrong"
	case body["scope"] != nil && body["scope"][0] != '"' || !slices.Equal(strings.FieldsFunc(text(body, "scope"), func(r rune) bool { return r == ' ' }), claims.Scopes()):
		return "scope is wrong"
	case body["client_id"] != nil && text(body, "client_id") == "" || text(body, "client_id") != claims.ClientID():
		return "client_id is wrong"
	case body["jti"] != nil && body["jti"][0] != '"' || text(body, "jti") != claims.ID():
		return "jti is wrong"
	case claims.Issuer() != issuerURL || claims.Expiry().Unix() != int64(number("exp")):
		return "issuer or expiry is wrong"
	}
	var audience any
	_ = json.Unmarshal(body["aud"], &audience)
	switch audience := audience.(type) {
	case nil:
		ok = body["aud"] == nil && claims.Audience() == nil
	case string:
		ok = slices.Equal(claims.Audience(), []string{audience})
	case []any:
		ok = len(audience) == len(claims.Audience())
		for n, value := range claims.Audience() {
			ok = ok && audience[n] == value
		}
	default:
		ok = false
	}
	if !ok {
		return "aud is wrong"
	}
	id, claimed := claims.OrganizationClaim()
	if claimed != (body["organization_id"] != nil) || claimed && body["organization_id"][0] != '"' || id != text(body, "organization_id") {
		return "organization_id is wrong"
	}
	return ""
}

func FuzzParseKeySet(f *testing.F) {
	seeds := []string{
		keySet(jwksOf(all...)...), keySet(eddsa.jwk(), es256.jwk("use", "enc"), "null", "{}"), keySet(rs256.jwk("alg", absent{}, "x5c", []string{"AAAA"})),
		keySet(es256.jwk(), foreign.jwk("kid", es256.id), newEd25519(eddsa.id).jwk(), eddsa.jwk()), keySet(es512.jwk("key_ops", []string{"verify"}), rs256.jwk("e", "Aw")),
		keySet(), `{"keys":null}`, "{}", "", `{"keys":[{"kty":"oct","k":"AAAA"}]}`, keySet(rs256.jwk("e", "AQ")), keySet(es256.jwk("x", "AAAA")), keySet(es384.jwk("d", "AA")),
	}
	checkSeeds(f, seeds, func(seed string) bool { _, _, err := token.ParseKeySet([]byte(seed), allowed...); return err == nil })
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, skipped, err := token.ParseKeySet(body, allowed...)
		if err != nil {
			for _, sentinel := range sentinels {
				if errors.Is(err, sentinel) {
					t.Errorf("%v is said of a token", err)
				}
			}
			return
		}
		var set struct {
			Keys []json.RawMessage `json:"keys"`
		}
		if err := json.Unmarshal(body, &set); err != nil || len(keys)+len(skipped) != len(set.Keys) || len(keys) == 0 {
			t.Fatalf("%d keys and %d skipped of %d, %v", len(keys), len(skipped), len(set.Keys), err)
		}
		next := 0
		for _, key := range keys { // they are in the order of the set
			for next < len(set.Keys) && !isKey(set.Keys[next], key) {
				next++
			}
			if next++; next > len(set.Keys) {
				t.Errorf("%q with %T is none of the set's usable keys", key.ID, key.Public)
			}
		}
	})
}

// isKey reports whether a JWK is a usable key, and that key.
func isKey(jwk json.RawMessage, key token.PublicKey) bool {
	members, ok := readObject(jwk)
	if !ok {
		return false
	}
	for _, name := range []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth"} {
		if members[name] != nil {
			return false
		}
	}
	text := func(name string) (value string) {
		if raw := members[name]; raw != nil && raw[0] == '"' {
			_ = json.Unmarshal(raw, &value)
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
	var operations []string
	_ = json.Unmarshal(members["key_ops"], &operations)
	if text("kid") != key.ID || members["alg"] != nil && text("alg") != key.Algorithm || len(key.ID) > 256 ||
		members["use"] != nil && text("use") != "sig" || members["key_ops"] != nil && !slices.Contains(operations, "verify") {
		return false
	}
	public, algs := publicKey(text("kty"), text("crv"), data)
	known, ok := key.Public.(interface{ Equal(crypto.PublicKey) bool })
	algs = slices.DeleteFunc(algs, func(alg string) bool { return !slices.Contains(allowed, alg) })
	return ok && public != nil && known.Equal(public) && slices.Contains(algs, key.Algorithm) && (text("alg") != "" || len(algs) == 1)
}

// publicKey builds a key by the standard library alone, or none if it is not fit
// for use, and says for which algorithms it is.
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
