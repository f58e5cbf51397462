package token

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"
)

// TestRandomTokens makes sure that no random token looks like a JWT.
func TestRandomTokens(t *testing.T) {
	t.Parallel()
	random := rand.NewChaCha8([32]byte{18})
	data := make([]byte, 32)
	for range 1_000_000 {
		_, _ = random.Read(data)
		for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.StdEncoding} {
			if raw := encoding.EncodeToString(data); isJWT(raw) {
				t.Fatalf("%q looks like a JWT", raw)
			}
		}
	}
	// Bytes that begin with {} are the most common beginning of an object.
	for range 100_000 {
		_, _ = random.Read(data)
		data[0], data[1] = '{', '}'
		if raw := base64.RawURLEncoding.EncodeToString(data); isJWT(raw) {
			t.Fatalf("%q looks like a JWT", raw)
		}
	}
}
