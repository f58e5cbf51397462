package token

import (
	"encoding/base64"
	"testing"
)

// TestForm tells the tokens that are never sent to an introspection endpoint from the others.
func TestForm(t *testing.T) {
	t.Parallel()
	encode := base64.RawURLEncoding.EncodeToString
	for header, ofSegments := range map[string][]bool{ // whether it is a JWT with one to six segments
		`{"alg":"RS256","typ":"JWT"}`:             {true, true, true, true, true, true},
		`{"alg":"A256GCMKW","enc":"A256GCM"}`:     {true, true, true, true, false, true},
		`{"alg":"RS256","ENC":"A256GCM"}`:         {true, true, true, true, true, true},
		`{"alg":"RS256","typ":{"enc":"A256GCM"}}`: {true, true, true, true, true, true},
		`"enc"`: {false, false, false, false, false, false},
	} {
		raw := encode([]byte(header))
		for n, want := range ofSegments {
			if got := isJWT(raw); got != want {
				t.Errorf("%s with %d segments: got %t, want %t", header, n+1, got, want)
			}
			raw += ".AAAA"
		}
	}
}
