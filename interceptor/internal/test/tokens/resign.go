package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Resign is a token with the same header and payload, byte for byte, and a signature that the
// first issuer makes with the key that the header names: the JWK is that key. It reports false
// if what was signed has no header, or one whose algorithm is none of [Algorithms].
func Resign(raw string) (resigned, jwk string, ok bool) {
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		return "", "", false
	}
	header, err := base64.RawURLEncoding.DecodeString(segments[0])
	var members map[string]any
	if err != nil || json.Unmarshal(header, &members) != nil {
		return "", "", false
	}
	kid, named := members["kid"]
	if !named {
		kid = Absent{}
	}
	for _, key := range I1.Keys() {
		if key.Alg == members["alg"] {
			signed := segments[0] + "." + segments[1]
			return signed + "." + Encode(key.Sign(key.Alg, signed)), key.JWK("kid", kid), true
		}
	}
	return "", "", false
}
