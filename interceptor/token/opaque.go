package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// maxOpaque is the size of the largest opaque token, in bytes. What this package reads of a token before it knows the
// token is bounded so.
const maxOpaque = 4 << 10

// isOpaque reports whether a token is opaque for the introspector.
func (i *Introspector) isOpaque(raw string) bool {
	return len(raw) <= maxOpaque && (!isJWT(raw) || i.settings.JWE && isJWE(raw))
}

// isJWE reports whether a token is an encrypted one (RFC 7516 section 3.1). A signed JWT cannot be bent into a JWE,
// since its signature covers a header without `enc`.
func isJWE(raw string) bool {
	segment, rest, _ := strings.Cut(raw, ".")
	text, _ := jose.DecodeSegment(segment) // a text that cannot be read has no members
	header, _ := jose.ParseObject(text)
	encryption, _, _ := header.Text("enc")
	return strings.Count(rest, ".") == 3 && encryption != ""
}

// isJWT reports whether a token has the form of a JWT or JWE: its first segment decodes to a JSON object. An issuer may
// decode less strictly than this package. So isJWT takes both alphabets of base64, drops other characters, padding and
// unused bits, and does not look at what follows the object: a JWT that was bent must not pass for an opaque token.
func isJWT(raw string) bool {
	segment, _, _ := strings.Cut(strings.TrimLeft(raw, ".~"), ".")
	segment = toURLAlphabet.Replace(segment)
	if len(segment)%4 == 1 { // the last character holds no whole byte
		segment = segment[:len(segment)-1]
	}
	text, _ := base64.RawURLEncoding.DecodeString(segment) // up to a character that no token has
	text = bytes.TrimLeft(text, "\ufeff\u00a0 \t\r\n\v\f")
	if !bytes.HasPrefix(text, []byte("{")) {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var object json.RawMessage
	if decoder.Decode(&object) != nil {
		return false
	}
	// Random bytes that begin with {} are not so rare.
	isEmpty := len(bytes.Trim(object, "{} \t\r\n")) == 0
	return !isEmpty || len(bytes.TrimSpace(text[decoder.InputOffset():])) == 0
}

var toURLAlphabet = strings.NewReplacer("+", "-", "/", "_", "~", "", "=", "")
