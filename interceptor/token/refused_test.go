package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

func malformed() []verification {
	good := es384.token()
	parts := strings.Split(good, ".")
	header, body, signature := parts[0], parts[1], parts[2]
	at := func(header, payload string) string { return es384.mint(header, payload) }
	tests := []verification{
		{"D07/empty", "", token.ErrMalformed},
		{"D07/opaque", "gPCB-4JQcawZ2hrh6iw8-bkf9oTVh-9ILHcTVK3jy1v", token.ErrMalformed},
		{"D07/1 dot", header + "." + body, token.ErrMalformed},
		{"D07/3 dots", good + "." + signature, token.ErrMalformed},
		{"D07/trailing dot", good + ".", token.ErrMalformed},
		{"D07/leading dot", "." + good, token.ErrMalformed},
		{"D07/dots alone", "..", token.ErrMalformed},
		{"D07/no header", "." + body + "." + signature, token.ErrMalformed},
		{"D07/no payload", header + ".." + signature, token.ErrMalformed},
		{"D07/no signature", header + "." + body + ".", token.ErrMalformed},
		{"D08/dots", strings.Repeat(".", token.MaxBytes), token.ErrMalformed},
		{"D09/over the cap", es384.token("pad", strings.Repeat("x", 64<<10)), token.ErrMalformed},
		{"D10/JWE", encode([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)) + "..AAAA.AAAA.AAAA", token.ErrMalformed},
		{"D11/flattened JSON", `{"protected":"` + header + `","payload":"` + body + `","signature":"` + signature + `"}`, token.ErrMalformed},
		{"D11/general JSON", `{"payload":"` + body + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`, token.ErrMalformed},
		{"D31/header member twice", at(strings.Replace(es384.header(), "{", `{"alg":"none",`, 1), payload()), token.ErrMalformed},
		{"D31/kid twice", at(strings.Replace(es384.header(), "{", `{"kid":"x",`, 1), payload()), token.ErrMalformed},
		{"D31/twice inside the header", at(es384.header("x", json.RawMessage(`{"a":1,"a":1}`)), payload()), token.ErrMalformed},
		{"D31/exp twice", at(es384.header(), strings.Replace(payload(), "{", `{"exp":1,`, 1)), token.ErrMalformed},
		{"D31/exp twice, the past last", at(es384.header(), strings.TrimSuffix(payload(), "}")+`,"exp":1}`), token.ErrMalformed},
		{"D31/exp twice, alike", at(es384.header(), strings.Replace(payload(), "{", `{"exp":946685000,`, 1)), token.ErrMalformed},
		{"D31/exp twice, escaped", at(es384.header(), strings.Replace(payload(), "{", `{"e\u0078p":1,`, 1)), token.ErrMalformed},
		{"D31/aud twice", at(es384.header(), strings.Replace(payload(), "{", `{"aud":"https://other.test",`, 1)), token.ErrMalformed},
		{"D31/scope twice", at(es384.header(), strings.Replace(payload(), "{", `{"scope":"admin",`, 1)), token.ErrMalformed},
		{"D31/organization_id twice", at(es384.header(), strings.Replace(payload("organization_id", "A"), "{", `{"organization_id":"B",`, 1)), token.ErrMalformed},
		{"D31/an unknown claim twice", at(es384.header(), strings.Replace(payload("x", 1), "{", `{"x":1,`, 1)), token.ErrMalformed},
		{"D31/twice inside a claim", es384.token("x", json.RawMessage(`[{"y":{"a":1,"b":2,"a":1}}]`)), token.ErrMalformed},
	}
	// The same parts in an encoding that is not strict base64url.
	loose := map[string]string{
		"padding":         header + "." + body + "." + signature + "=",
		"padded header":   header + "=." + body + "." + signature,
		"line break":      header + "." + body[:8] + "\n" + body[8:] + "." + signature,
		"carriage return": header + "." + body + ".\r" + signature,
		"space":           header + "." + body + ". " + signature,
		"trailing space":  good + " ",
		"NUL":             good + "\x00",
		"beyond ASCII":    good + "é",
		"one left over":   header + "." + body + "." + signature + "A",
	}
	ed := strings.Split(eddsa.token(), ".") // 64 bytes leave 4 unused bits
	last := len(ed[2]) - 1
	index := strings.IndexByte(base64URL, ed[2][last])
	loose["unused bits"] = ed[0] + "." + ed[1] + "." + ed[2][:last] + string(base64URL[index+1])
	standard := func(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) }
	for { // until the signature has a character that differs
		raw := es384.token()
		if n := strings.LastIndexByte(raw, '.'); standard(raw[n:]) != raw[n:] {
			loose["standard alphabet"] = raw[:n] + standard(raw[n:])
			break
		}
	}
	for name, raw := range loose {
		tests = append(tests, verification{"base64/" + name, raw, token.ErrMalformed})
	}
	for name, text := range map[string]string{
		"array": "[]", "null": "null", "string": `"x"`, "number": "1", "nothing but space": " ", "cut": "{", "not JSON": "x",
		"BOM": "\ufeff" + payload(), "trailing bytes": payload() + "x", "two objects": payload() + payload(), "trailing comma": `{"a":1,}`,
		"single quotes": `{'a':1}`, "comment": `{}/**/`, "NaN": `{"a":NaN}`, "leading zero": `{"exp":01}`, "NUL": payload() + "\x00",
		"not UTF-8": strings.Replace(payload(), "user_1", "\xff", 1), "overlong UTF-8": strings.Replace(payload(), "user_1", "\xc0\xaf", 1),
		"surrogate in UTF-8": strings.Replace(payload(), "user_1", "\xed\xa0\x80", 1), "not UTF-8 in a name": strings.Replace(payload(), "jti", "\xff", 1),
		"control character": strings.Replace(payload(), "user_1", "\x01", 1), "deep": strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"33 levels": payload("a", nested(33)), "half a surrogate pair": strings.Replace(payload(), "user_1", `\ud800`, 1),
	} {
		tests = append(tests, verification{"payload/" + name, at(es384.header(), text), token.ErrMalformed})
		if text = strings.ReplaceAll(text, payload(), es384.header()); !strings.Contains(text, "iss") {
			tests = append(tests, verification{"header/" + name, at(text, payload()), token.ErrMalformed})
		}
	}
	return tests
}

// nested is an array of arrays.
func nested(levels int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", levels) + strings.Repeat("]", levels))
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// algorithms are tokens whose signature is none, or is a MAC.
func algorithms() []verification {
	var tests []verification
	for _, alg := range []string{"none", "None", "nOnE", "NONE", "", " none", "none\x00", "es384", "ES384 ", "ES256K", "Ed25519", "dir", "RSA-OAEP", "HS512"} {
		signed := encode([]byte(es384.header("alg", alg))) + "." + encode([]byte(payload()))
		tests = append(tests,
			verification{"D12/" + alg + ", no signature", signed + ".", token.ErrInvalid},
			verification{"D12/" + alg + ", any signature", signed + "." + encode(make([]byte, 96)), token.ErrInvalid},
			verification{"D12/" + alg + ", right signature", es384.mint(es384.header("alg", alg), payload()), token.ErrInvalid})
	}
	for _, k := range []*key{es256, es384, rs256} {
		der := must(x509.MarshalPKIXPublicKey(k.private.Public()))
		secrets := map[string][]byte{
			"DER": der,
			"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}),
			"JWK": []byte(k.jwk()),
			"kid": []byte(k.id),
		}
		switch public := k.private.Public().(type) {
		case *ecdsa.PublicKey:
			secrets["x and y"] = must(public.Bytes())[1:]
		case *rsa.PublicKey:
			secrets["n"] = public.N.Bytes()
		}
		for name, secret := range secrets {
			signed := encode([]byte(k.header("alg", "HS256"))) + "." + encode([]byte(payload()))
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(signed))
			tests = append(tests, verification{"D13/HS256 by " + k.alg + " as " + name, signed + "." + encode(mac.Sum(nil)), token.ErrInvalid})
		}
	}
	return tests
}

func headers() []verification {
	evil := json.RawMessage(foreign.jwk("kid", "evil"))
	certificate := base64.StdEncoding.EncodeToString(must(x509.MarshalPKIXPublicKey(foreign.private.Public())))
	tests := []verification{
		{"D14/jwk, no kid", foreign.mint(foreign.header("jwk", evil, "kid", absent{}), payload()), token.ErrInvalid},
		{"D14/jwk, its own kid", foreign.mint(foreign.header("jwk", evil, "kid", "evil"), payload()), token.ErrInvalid},
		{"D14/jwk, trusted kid", foreign.mint(foreign.header("jwk", evil), payload()), token.ErrInvalid},
		{"D15/jku", foreign.mint(foreign.header("jku", "https://evil.test/jwks"), payload()), token.ErrInvalid},
		{"D15/jku, its own kid", foreign.mint(foreign.header("jku", "https://evil.test/jwks", "kid", "evil"), payload()), token.ErrInvalid},
		{"D15/x5u", foreign.mint(foreign.header("x5u", "https://evil.test/x5u"), payload()), token.ErrInvalid},
		{"D15/x5c", foreign.mint(foreign.header("x5c", []string{certificate}), payload()), token.ErrInvalid},
		{"D16/crit of b64", es384.mint(es384.header("crit", []string{"b64"}, "b64", false), payload()), token.ErrInvalid},
		{"D16/b64 alone", es384.mint(es384.header("b64", false), payload()), token.ErrInvalid},
		{"D16/b64 true", es384.mint(es384.header("b64", true), payload()), token.ErrInvalid},
		{"D16/crit unknown", es384.mint(es384.header("crit", []string{"x"}, "x", 1), payload()), token.ErrInvalid},
		{"D16/crit empty", es384.mint(es384.header("crit", []string{}), payload()), token.ErrInvalid},
		{"D16/crit string", es384.mint(es384.header("crit", "exp"), payload()), token.ErrInvalid},
		{"D16/crit null", es384.mint(es384.header("crit", nil), payload()), token.ErrInvalid},
		{"D16/crit of alg", es384.mint(es384.header("crit", []string{"alg"}), payload()), token.ErrInvalid},
		{"D10/zip", es384.mint(es384.header("zip", "DEF"), payload()), token.ErrInvalid},
		{"D16/cty", es384.mint(es384.header("cty", "JWT"), payload()), token.ErrInvalid},
		{"D12/alg missing", es384.mint(es384.header("alg", absent{}), payload()), token.ErrInvalid},
		{"D12/alg null", es384.mint(es384.header("alg", nil), payload()), token.ErrInvalid},
		{"D12/alg array", es384.mint(es384.header("alg", []string{"ES384"}), payload()), token.ErrInvalid},
		{"D14/kid number", es384.mint(es384.header("kid", 1), payload()), token.ErrInvalid},
		{"D14/kid null", es384.mint(es384.header("kid", nil), payload()), token.ErrInvalid},
		{"D14/kid array", es384.mint(es384.header("kid", []string{es384.id}), payload()), token.ErrInvalid},
		{"D14/kid empty", es384.mint(es384.header("kid", ""), payload()), token.ErrInvalid},
		{"D14/kid too long", es384.mint(es384.header("kid", strings.Repeat("k", 257)), payload()), token.ErrInvalid},
		{"D14/kid unknown", es384.mint(es384.header("kid", "unknown"), payload()), token.ErrInvalid},
		{"D14/kid in another case", es384.mint(es384.header("kid", strings.ToUpper(es384.id)), payload()), token.ErrInvalid},
		{"D14/kid of another key", es384.mint(es384.header("kid", es256.id), payload()), token.ErrInvalid},
		{"D14/kid is a path", es384.mint(es384.header("kid", "../../dev/null"), payload()), token.ErrInvalid},
		{"D27/ID token", es384.mint(es384.header("typ", "JWT"), payload("aud", "app_1", "nonce", "n")), token.ErrInvalid},
		{"D27/typ missing", es384.mint(es384.header("typ", absent{}), payload()), token.ErrInvalid},
		{"D27/typ empty", es384.mint(es384.header("typ", ""), payload()), token.ErrInvalid},
		{"D27/typ null", es384.mint(es384.header("typ", nil), payload()), token.ErrInvalid},
		{"D27/typ array", es384.mint(es384.header("typ", []string{"at+jwt"}), payload()), token.ErrInvalid},
		{"D27/typ twice prefixed", es384.mint(es384.header("typ", "application/application/at+jwt"), payload()), token.ErrInvalid},
		{"D27/typ dpop", es384.mint(es384.header("typ", "dpop+jwt"), payload()), token.ErrInvalid},
		{"D28/ID token by at_hash", es384.mint(es384.header(), payload("at_hash", "h")), token.ErrInvalid},
		{"D28/ID token by c_hash", es384.mint(es384.header(), payload("c_hash", nil)), token.ErrInvalid},
		{"D28/ID token for the API", es384.mint(es384.header("typ", "JWT"), payload()), token.ErrInvalid},
	}
	// alg and key must belong together, whoever signed with what.
	for _, k := range all {
		for _, other := range all {
			if k != other {
				signed := encode([]byte(k.header("kid", other.id))) + "." + encode([]byte(payload()))
				tests = append(tests, verification{"D12/" + k.alg + " with the kid of " + other.alg, signed + "." + encode(k.sign(k.alg, signed)), token.ErrInvalid})
			}
		}
	}
	return tests
}

func signatures() []verification {
	var tests []verification
	refuse := func(name, signed string, signature []byte) {
		tests = append(tests, verification{name, signed + "." + encode(signature), token.ErrInvalid})
	}
	for _, k := range []*key{es256, es384, es512} {
		curve := as[*ecdsa.PublicKey](k.private.Public()).Curve
		order, size := curve.Params().N, (curve.Params().BitSize+7)/8
		signed, _, _ := cutLast(k.token())
		signature := k.sign(k.alg, signed)
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		zero, one := new(big.Int), big.NewInt(1)
		refuse("D17/"+k.alg+" all zero", signed, make([]byte, 2*size))
		refuse("D17/"+k.alg+" r zero", signed, rawSignature(curve, zero, s))
		refuse("D17/"+k.alg+" s zero", signed, rawSignature(curve, r, zero))
		refuse("D17/"+k.alg+" r is n", signed, rawSignature(curve, order, s))
		refuse("D17/"+k.alg+" s is n", signed, rawSignature(curve, r, order))
		refuse("D17/"+k.alg+" r and s are n", signed, rawSignature(curve, order, order))
		refuse("D17/"+k.alg+" one", signed, rawSignature(curve, one, one))
		refuse("D17/"+k.alg+" s and r", signed, rawSignature(curve, s, r))
		der := must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
		refuse("D18/"+k.alg+" DER", signed, der)
		refuse("D18/"+k.alg+" one byte short", signed, signature[:2*size-1])
		refuse("D18/"+k.alg+" one byte long", signed, append(signature[:2*size:2*size], 0))
		refuse("D18/"+k.alg+" a zero before", signed, append([]byte{0}, signature...))
		refuse("D18/"+k.alg+" both halves wider", signed, append(append([]byte{0}, signature[:size]...), append([]byte{0}, signature[size:]...)...))
		refuse("D18/"+k.alg+" one byte", signed, []byte{1})
	}
	for _, k := range all {
		signed, _, signature := cutLast(k.token())
		_, _, foreignSignature := cutLast(k.token("sub", "user_2"))
		otherPayload := encode([]byte(k.header())) + "." + encode([]byte(payload("sub", "root")))
		otherHeader := encode([]byte(k.header("x", 1))) + "." + encode([]byte(payload()))
		flipped := must(base64.RawURLEncoding.DecodeString(signature))
		flipped[len(flipped)/2] ^= 1
		tests = append(tests,
			verification{"D19/" + k.alg + " signature of another token", signed + "." + foreignSignature, token.ErrInvalid},
			verification{"D19/" + k.alg + " payload changed", otherPayload + "." + signature, token.ErrInvalid},
			verification{"D19/" + k.alg + " header changed", otherHeader + "." + signature, token.ErrInvalid})
		refuse("D19/"+k.alg+" one bit", signed, flipped)
		refuse("D19/"+k.alg+" twice", signed, append(flipped, flipped...))
		refuse("D19/"+k.alg+" by another key", signed, foreign.sign("ES384", signed))
	}
	// RFC 7518 section 3.5: the salt is as long as the hash.
	signed, _, _ := cutLast(ps256.token())
	digest := sha256.Sum256([]byte(signed))
	for _, salt := range []int{0, 20, 31, 33, 64} {
		refuse("D18/PS256 salt", signed, must(rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})))
	}
	refuse("D18/PS256 as PKCS1", signed, ps256.sign("RS256", signed))
	refuse("D18/PS256 with SHA-384", signed, ps256.sign("PS384", signed))
	signed, _, _ = cutLast(rs256.token())
	refuse("D18/RS256 as PSS", signed, rs256.sign("PS256", signed))
	refuse("D18/RS256 with SHA-512", signed, rs256.sign("RS512", signed))
	return tests
}

// cutLast parts a token before its signature.
func cutLast(raw string) (signed, dot, signature string) {
	n := strings.LastIndexByte(raw, '.')
	return raw[:n], raw[n : n+1], raw[n+1:]
}

func times() []verification {
	tests := []verification{
		{"D20/exp at the leeway", es384.token("exp", epoch-30), token.ErrExpired},
		{"D20/exp a second past the leeway", es384.token("exp", epoch-31), token.ErrExpired},
		{"D20/a fraction does not prolong", es384.token("exp", json.RawMessage("946684770.999")), token.ErrExpired},
		{"D21/exp missing", es384.token("exp", absent{}), token.ErrInvalid},
		{"D22/exp zero", es384.token("exp", 0), token.ErrExpired},
		{"D22/exp minus zero", es384.token("exp", json.RawMessage("-0")), token.ErrExpired},
		{"D23/nbf past the leeway", es384.token("nbf", epoch+31), token.ErrNotYetValid},
		{"D23/a fraction does not hasten", es384.token("nbf", json.RawMessage("946684830.001")), token.ErrNotYetValid},
		{"D23/nbf in 9999", es384.token("nbf", 253402300799), token.ErrNotYetValid},
		{"D20/expired and not yet valid", es384.token("exp", 1, "nbf", epoch+31), token.ErrExpired},
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		for _, value := range []string{
			"null", `"9999999999"`, "true", "{}", "[]", "[9999999999]", `""`,
			"-1", "-1e30", "1e30", "9.3e18", "1e400", "-1e400", "253402300799.5", "253402300800", "9223372036854775808", "18446744073709551616",
		} {
			tests = append(tests, verification{"D22/" + name + " " + value, es384.token(name, json.RawMessage(value)), token.ErrInvalid})
		}
	}
	return tests
}

func claims() []verification {
	tests := []verification{
		{"D24/other issuer", es384.token("iss", otherIssuer), token.ErrInvalid},
		{"D24/slash", es384.token("iss", issuerURL+"/"), token.ErrInvalid},
		{"D24/http", es384.token("iss", "http://idp.test/oidc"), token.ErrInvalid},
		{"D24/upper-case host", es384.token("iss", "https://IDP.test/oidc"), token.ErrInvalid},
		{"D24/default port", es384.token("iss", "https://idp.test:443/oidc"), token.ErrInvalid},
		{"D24/prefix", es384.token("iss", "https://idp.test"), token.ErrInvalid},
		{"D24/longer", es384.token("iss", issuerURL+".evil.test"), token.ErrInvalid},
		{"D24/missing", es384.token("iss", absent{}), token.ErrInvalid},
		{"D24/empty", es384.token("iss", ""), token.ErrInvalid},
		{"D24/null", es384.token("iss", nil), token.ErrInvalid},
		{"D24/array", es384.token("iss", []string{issuerURL}), token.ErrInvalid},
		{"D24/other case of the name", es384.token("iss", absent{}, "ISS", issuerURL), token.ErrInvalid},
		{"D21/other case of the name", es384.token("exp", absent{}, "EXP", epoch+300), token.ErrInvalid},
		{"sub/missing", es384.token("sub", absent{}), token.ErrInvalid},
		{"sub/empty", es384.token("sub", ""), token.ErrInvalid},
		{"sub/null", es384.token("sub", nil), token.ErrInvalid},
		{"sub/number", es384.token("sub", 1), token.ErrInvalid},
		{"sub/array", es384.token("sub", []string{"user_1"}), token.ErrInvalid},
		{"jti/number", es384.token("jti", 1), token.ErrInvalid},
		{"jti/null", es384.token("jti", nil), token.ErrInvalid},
		{"cnf/DPoP", es384.token("cnf", map[string]any{"jkt": "x"}), token.ErrInvalid},
		{"cnf/mTLS", es384.token("cnf", map[string]any{"x5t#S256": "x"}), token.ErrInvalid},
		{"cnf/empty", es384.token("cnf", map[string]any{}), token.ErrInvalid},
		{"cnf/null", es384.token("cnf", nil), token.ErrInvalid},
		{"client_id/empty", es384.token("client_id", ""), token.ErrInvalid},
		{"client_id/null", es384.token("client_id", nil), token.ErrInvalid},
		{"client_id/number", es384.token("client_id", 1), token.ErrInvalid},
		{"client_id/array", es384.token("client_id", []string{"app_1"}), token.ErrInvalid},
	}
	for _, value := range []string{"1", "true", "null", "{}", `{"0":"https://api.test"}`, `["https://api.test",5]`, `["https://api.test",null]`, `[null]`, `[["https://api.test"]]`} {
		tests = append(tests, verification{"D25/" + value, es384.token("aud", json.RawMessage(value)), token.ErrInvalid})
	}
	for _, value := range []string{`["read:a"]`, "[]", "{}", "1", "true", "null", `["read:a",1]`} {
		tests = append(tests, verification{"D34/" + value, es384.token("scope", json.RawMessage(value)), token.ErrInvalid})
	}
	for _, value := range []string{"null", "[]", "0", "42", "true", "{}", `["A"]`} {
		tests = append(tests, verification{"D39/" + value, es384.token("organization_id", json.RawMessage(value)), token.ErrInvalid})
	}
	return tests
}
