package tokens

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxBytes is the size of the largest token that is accepted.
const maxBytes = 16 << 10

func (s Scene) good() []Trial {
	k := I1.ES256
	payload := s.Payload(k.Issuer)
	trials := []Trial{
		{"D02", "only what is required", k.Mint(k.Header(), With(map[string]any{"iss": k.Issuer, "sub": "s", "exp": s.Now + 300, "aud": API, "scope": "read:a"})), Accepted},
		{"D02", "typ in upper case", k.Mint(k.Header("typ", "AT+JWT"), payload), Accepted},
		{"D02", "typ in full", k.Mint(k.Header("typ", "application/at+jwt"), payload), Accepted},
		{"D02", "no kid, and one key for the alg", k.Mint(k.Header("kid", Absent{}), payload), Accepted},
		{"D02", "unknown header members", k.Mint(k.Header("x", map[string]any{"exp": 1}), payload), Accepted},
		{"D02", "white space in the JSON", k.Mint(" "+k.Header()+"\r\n\t", "\n"+payload+" "), Accepted},
		{"D02", "escaped member names", k.Mint(k.Header(), strings.Replace(payload, `"exp"`, `"\u0065xp"`, 1)), Accepted},
		{"D02", "unknown claims of all types", s.Token(k, "x", []any{nil, true, 1.5, "", []any{}, map[string]any{"y": []any{nil}}}), Accepted},
	}
	for _, k := range I1.Keys() {
		trials = append(trials, Trial{"D02", k.Alg, s.Token(k), Accepted})
	}
	return append(trials, Trial{"D02", "Ed25519, the other name of EdDSA", I1.EdDSA.Mint(I1.EdDSA.Header("alg", "Ed25519"), payload), Accepted})
}

// malformed are credentials that are not a JWS in its compact form.
func (s Scene) malformed() []Trial {
	k := I1.ES256
	good := s.Token(k)
	parts := strings.Split(good, ".")
	header, body, signature := parts[0], parts[1], parts[2]
	jwe := func(header, encryptedKey string, ciphertext []byte) string {
		return Encode([]byte(header)) + "." + encryptedKey + ".AAAAAAAAAAAAAAAA." + Encode(ciphertext) + ".AAAAAAAAAAAAAAAAAAAAAA"
	}
	return []Trial{
		{"D07", "2 segments", header + "." + body, Malformed},
		{"D07", "4 segments", good + "." + signature, Malformed},
		{"D07", "trailing dot", good + ".", Malformed},
		{"D07", "leading dot", "." + good, Malformed},
		{"D07", "empty", "", Malformed},
		{"D07", "opaque", "gPCB-4JQcawZ2hrh6iw8-bkf9oTVh-9ILHcTVK3jy1v", Malformed},
		{"D07", "dots alone", "..", Malformed},
		{"D07", "header alone", header + "..", Malformed},
		{"D07", "no header", "." + body + "." + signature, Malformed},
		{"D07", "no payload", header + ".." + signature, Malformed},
		{"D07", "no signature", header + "." + body + ".", Malformed},
		{"D08", "dots up to the cap", strings.Repeat(".", maxBytes), Malformed},
		{"D08", "100,000 dots", strings.Repeat(".", 100_000), Malformed},
		{"D08", "a million dots", strings.Repeat(".", 1_000_000), Malformed},
		{"D09", "16 KiB", s.Sized(k, maxBytes), Accepted},
		{"D09", "16 KiB and a byte", s.Sized(k, maxBytes+1), Malformed},
		{"D09", "200 groups", s.Token(k, "groups", slices.Repeat([]string{"5b1e7f6c-3f0a-4a52-9d0e-1b7d6c2f9a01"}, 200)), Accepted},
		{"D09", "a claim of 64 KiB", s.Token(k, "pad", strings.Repeat("x", 64<<10)), Malformed},
		{"D09", "a header member of 64 KiB", k.Mint(k.Header("pad", strings.Repeat("x", 64<<10)), s.Payload(k.Issuer)), Malformed},
		{"D09", "1 MiB", s.Token(k, "pad", strings.Repeat("x", 1<<20*3/4)), Malformed},
		{"D10", "JWE with a bomb", jwe(`{"alg":"RSA-OAEP-256","enc":"A256GCM","zip":"DEF"}`, Encode(make([]byte, 256)), bomb()), Malformed},
		{"D10", "JWE, alg dir", jwe(`{"alg":"dir","enc":"A256GCM"}`, "", []byte(good)), Malformed},
		{"D10", "JWE with a bomb, alg dir", jwe(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`, "", bomb()), Malformed},
		{"D10", "JWE, alg of a signature", jwe(k.Header("enc", "A256GCM"), "AAAA", []byte(good)), Malformed},
		{"D10", "JWE of nothing", "....", Malformed},
		{"D11", "flattened JSON", `{"protected":"` + header + `","payload":"` + body + `","signature":"` + signature + `"}`, Malformed},
		{"D11", "general JSON", `{"payload":"` + body + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`, Malformed},
		{"D11", "flattened JSON, alg outside", `{"header":` + k.Header() + `,"payload":"` + body + `","signature":"` + signature + `"}`, Malformed},
		{"D11", "JSON in base64url", Encode([]byte(`{"protected":"` + header + `","payload":"` + body + `","signature":"` + signature + `"}`)), Malformed},
	}
}

// Sized returns a good token of a size in bytes.
func (s Scene) Sized(k *Key, size int) string {
	room := (size - len(s.Token(k))) * 3 / 4
	for name := "x"; ; name += "x" { // Another header is needed: one header does not make tokens of every length.
		for pad := room - 32; pad < room; pad++ {
			if raw := k.Mint(k.Header(name, ""), s.Payload(k.Issuer, "pad", strings.Repeat("x", pad))); len(raw) == size {
				return raw
			}
		}
	}
}

// bomb is 4 MiB of zeros, compressed to 4 KiB.
func bomb() []byte {
	var compressed bytes.Buffer
	writer := Must(flate.NewWriter(&compressed, flate.BestCompression))
	_ = Must(io.Copy(writer, bytes.NewReader(make([]byte, 4<<20))))
	if err := writer.Close(); err != nil {
		panic(err)
	}
	return compressed.Bytes()
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// looseEncodings are good tokens in an encoding that is not strict base64url.
func (s Scene) looseEncodings() []Trial {
	good := s.Token(I1.ES256)
	parts := strings.Split(good, ".")
	header, body, signature := parts[0], parts[1], parts[2]
	loose := func(name, raw string) Trial { return Trial{"D07", "base64, " + name, raw, Malformed} }
	// 64 bytes leave 4 unused bits.
	last := len(signature) - 1
	unused := base64URL[strings.IndexByte(base64URL, signature[last])+1]
	return []Trial{
		loose("padding", header+"."+body+"."+signature+"="),
		loose("padded header", header+"=."+body+"."+signature),
		loose("line break", header+"."+body[:8]+"\n"+body[8:]+"."+signature),
		loose("carriage return", header+"."+body+".\r"+signature),
		loose("space", header+"."+body+". "+signature),
		loose("trailing space", good+" "),
		loose("NUL", good+"\x00"),
		loose("beyond ASCII", good+"é"),
		loose("one left over", header+"."+body+"."+signature[:last]),
		loose("unused bits", header+"."+body+"."+signature[:last]+string(unused)),
		loose("standard alphabet", s.inStandardAlphabet(I1.ES256)),
	}
}

// inStandardAlphabet is a good token whose signature is in the standard alphabet of base64.
func (s Scene) inStandardAlphabet(k *Key) string {
	for { // until the signature has a character that differs between the alphabets
		raw := s.Token(k)
		signed, signature := CutSignature(raw)
		if standard := strings.NewReplacer("-", "+", "_", "/").Replace(signature); standard != signature {
			return signed + "." + standard
		}
	}
}

// CutSignature splits a token into what is signed and the signature.
func CutSignature(raw string) (signed, signature string) {
	n := strings.LastIndexByte(raw, '.')
	return raw[:n], raw[n+1:]
}

// brokenJSON are tokens whose JSON is not valid, or differs between readers.
func (s Scene) brokenJSON() []Trial {
	k := I1.ES256
	payload, header := s.Payload(k.Issuer), k.Header()
	first := func(object, member string) string { return strings.Replace(object, "{", "{"+member+",", 1) }
	last := func(object, member string) string { return strings.TrimSuffix(object, "}") + "," + member + "}" }
	inA, other := s.Payload(k.Issuer, "organization_id", OrganizationA), s.Payload(k.Issuer, "aud", OtherAPI)
	past := s.Payload(k.Issuer, "exp", 1)
	var trials []Trial
	for _, test := range []struct{ name, header, payload string }{
		{"exp, past and future", header, last(past, fmt.Sprintf(`"exp":%d`, s.Now+300))},
		{"exp, future and past", header, last(payload, `"exp":1`)},
		{"exp, alike", header, last(payload, fmt.Sprintf(`"exp":%d`, s.Now+300))},
		{"exp, escaped", header, first(payload, `"e\u0078p":1`)},
		{"aud, another then ours", header, last(other, `"aud":"`+API+`"`)},
		{"aud, ours then another", header, first(other, `"aud":"`+API+`"`)},
		{"scope", header, first(payload, `"scope":"admin"`)},
		{"scope, last", header, last(payload, `"scope":"admin"`)},
		{"organization_id, A then B", header, last(inA, `"organization_id":"`+OrganizationB+`"`)},
		{"organization_id, B then A", header, first(inA, `"organization_id":"`+OrganizationB+`"`)},
		{"organization_id, null then A", header, first(inA, `"organization_id":null`)},
		{"iss", header, first(payload, `"iss":"`+I2.URL+`"`)},
		{"sub", header, last(payload, `"sub":"root"`)},
		{"an unknown claim", header, first(s.Payload(k.Issuer, "x", 1), `"x":1`)},
		{"inside a claim", header, s.Payload(k.Issuer, "x", json.RawMessage(`[{"y":{"a":1,"b":2,"a":1}}]`))},
		{"alg in the header", first(header, `"alg":"none"`), payload},
		{"kid in the header", first(header, `"kid":"x"`), payload},
		{"typ in the header", last(k.Header("typ", "JWT"), `"typ":"at+jwt"`), payload},
		{"inside the header", k.Header("x", json.RawMessage(`{"a":1,"a":1}`)), payload},
	} {
		trials = append(trials, Trial{"D31", "twice: " + test.name, k.Mint(test.header, test.payload), Malformed})
	}
	for _, test := range []struct {
		name   string
		change func(object string) string
	}{
		{"array", func(string) string { return "[]" }},
		{"null", func(string) string { return "null" }},
		{"string", func(string) string { return `"x"` }},
		{"number", func(string) string { return "1" }},
		{"nothing but space", func(string) string { return " " }},
		{"cut", func(string) string { return "{" }},
		{"not JSON", func(string) string { return "x" }},
		{"BOM", func(o string) string { return "\ufeff" + o }},
		{"trailing bytes", func(o string) string { return o + "x" }},
		{"two objects", func(o string) string { return o + o }},
		{"trailing comma", func(o string) string { return strings.TrimSuffix(o, "}") + ",}" }},
		{"single quotes", func(string) string { return `{'a':1}` }},
		{"comment", func(o string) string { return o + "/**/" }},
		{"NaN", func(o string) string { return last(o, `"x":NaN`) }},
		{"leading zero", func(o string) string { return last(o, `"x":01`) }},
		{"NUL", func(o string) string { return o + "\x00" }},
		{"not UTF-8", func(o string) string { return last(o, "\"x\":\"\xff\"") }},
		{"not UTF-8 in a name", func(o string) string { return last(o, "\"\xff\":1") }},
		{"overlong UTF-8", func(o string) string { return last(o, "\"x\":\"\xc0\xaf\"") }},
		{"surrogate in UTF-8", func(o string) string { return last(o, "\"x\":\"\xed\xa0\x80\"") }},
		{"half a surrogate pair", func(o string) string { return last(o, `"x":"\ud800"`) }},
		{"control character", func(o string) string { return last(o, "\"x\":\"\x01\"") }},
		{"deep", func(string) string { return strings.Repeat("[", 2500) + strings.Repeat("]", 2500) }},
		{"33 levels", func(o string) string { return last(o, `"x":`+strings.Repeat("[", 33)+strings.Repeat("]", 33)) }},
	} {
		trials = append(trials,
			Trial{"", "payload, " + test.name, k.Mint(header, test.change(payload)), Malformed},
			Trial{"", "header, " + test.name, k.Mint(test.change(header), payload), Malformed})
	}
	return trials
}
