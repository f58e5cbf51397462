// Package providers has tokens in the documented shape of many providers. Its tests hold the presets and the
// literals of the guide against the tokens.
package providers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A Setup is one way to use a provider.
type Setup struct {
	Name          string
	Metadata      map[string]json.RawMessage // documents, by URL
	JWKS          string                     // the URL of the key set
	Keys          []Key
	Audience      string
	Organizations []string
	Header        map[string]any // of all tokens
	Tokens        []*Token
}

// A Key is a key of the set.
type Key struct {
	Key     string
	Members map[string]any
}

// A Token is a token that is accepted, with what it says, or refused.
type Token struct {
	Name, Key, Like, Raw string
	Header, Claims       map[string]any
	Want                 *struct {
		Subject, Client, Caller, Organization string
		Scopes, Lacks                         []string
	}
	Refused string // why
	Kind    string // of a refused token: one of Kinds, or empty
}

// Kinds are the tokens that every setup must refuse one of. They come from the same issuer as the tokens that it
// accepts.
var Kinds = []string{"ID token", "other audience", "other client"}

//go:embed testdata/*.json
var testdata embed.FS

// Load reads all setups.
func Load(t testing.TB) (all []*Setup) {
	t.Helper()
	for _, name := range []string{"providers.json", "more.json"} {
		text, err := testdata.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		var setups []*Setup
		if err := decoder.Decode(&setups); err != nil {
			t.Fatal(err)
		}
		all = append(all, setups...)
	}
	return all
}

// Keys returns the keys of all setups, which it makes once.
var Keys = sync.OnceValue(func() map[string]crypto.Signer {
	all := map[string]crypto.Signer{
		"ec256": tokens.Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"ec384": tokens.Must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
	}
	for _, name := range []string{"rsa1", "rsa2", "rsa3"} {
		all[name] = tokens.Must(rsa.GenerateKey(rand.Reader, 2048))
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	all["ed25519"] = tokens.Must(private, err)
	return all
})

// Provider serves the documents and the key set of the setup.
func (s *Setup) Provider() *tokens.IDP {
	provider := tokens.NewIDP()
	for url, document := range s.Metadata {
		provider.Serve(url, tokens.Respond(200, string(document)))
	}
	if len(s.Keys) == 0 {
		s.Keys = []Key{{"rsa1", map[string]any{"kid": "k1", "alg": "RS256", "use": "sig"}}}
	}
	var jwks []string
	for _, key := range s.Keys {
		changes := []any{"kid", tokens.Absent{}, "alg", tokens.Absent{}, "use", tokens.Absent{}}
		for name, value := range key.Members {
			changes = append(changes, name, value)
		}
		jwks = append(jwks, (&tokens.Key{Private: Keys()[key.Key]}).JWK(changes...))
	}
	provider.Serve(s.JWKS, tokens.Respond(200, tokens.KeySet(jwks...)))
	return provider
}

// epoch is when the bubbles of testing/synctest begin, in seconds: 2000-01-01.
const epoch = 946684800

// Sign returns a token as the issuer signs it at the beginning of a bubble, and its `iss`.
func (s *Setup) Sign(t testing.TB, token *Token) (raw, iss string) {
	t.Helper()
	if token.Raw != "" {
		return token.Raw, ""
	}
	header, claims, key := s.merge(t, token)
	for name, value := range claims {
		claims[name] = filled(value)
	}
	iss, _ = claims["iss"].(string)
	alg, _ := header["alg"].(string)
	private := tokens.Key{Alg: alg, Private: Keys()[key]}
	return private.Mint(string(tokens.Must(json.Marshal(header))), string(tokens.Must(json.Marshal(claims)))), iss
}

// Variants returns a token as it is, without the claims that only some ID tokens have, and with all of them.
func (s *Token) Variants() []*Token {
	bare, whole := *s, *s
	for variant, value := range map[*Token]any{&bare: nil, &whole: "x"} {
		variant.Claims = map[string]any{"nonce": value, "at_hash": value, "c_hash": value}
		for name, claim := range s.Claims {
			if _, ok := variant.Claims[name]; !ok {
				variant.Claims[name] = claim
			}
		}
	}
	return []*Token{s, &bare, &whole}
}

// merge returns the header, the claims and the key of a token that may be like another.
func (s *Setup) merge(t testing.TB, token *Token) (header, claims map[string]any, key string) {
	t.Helper()
	header, claims, key = maps.Clone(s.Header), map[string]any{}, "rsa1"
	if token.Like != "" {
		header = nil
		for _, other := range s.Tokens {
			if other.Name == token.Like {
				header, claims, key = s.merge(t, other)
			}
		}
		if header == nil {
			t.Fatalf("the setup lacks the token %q", token.Like)
		}
	}
	if token.Key != "" {
		key = token.Key
	}
	for into, changes := range map[*map[string]any]map[string]any{&header: token.Header, &claims: token.Claims} {
		for name, value := range changes {
			if (*into)[name] = value; value == nil {
				delete(*into, name)
			}
		}
	}
	return header, claims, key
}

// filled returns a value with times ("@-60") and many groups ("*200") in place of their names.
func filled(value any) any {
	switch value := value.(type) {
	case string:
		if seconds, ok := strings.CutPrefix(value, "@"); ok {
			return epoch + int64(tokens.Must(strconv.Atoi(seconds)))
		}
	case []any:
		if len(value) == 1 && value[0] == "*200" {
			groups := make([]string, 200)
			for n := range groups {
				groups[n] = fmt.Sprintf("%08x-1111-2222-3333-444444444444", n)
			}
			return groups
		}
	}
	return value
}
