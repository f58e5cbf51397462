package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Resign returns a token with the same header and payload, byte for byte, and a signature by the first issuer's key
// of the header's algorithm. The JWK is that key, under the kid of the header. Resign reports false if the token
// has no header, or if its algorithm is not one of [Algorithms].
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
