package main

import (
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	api          = "https://api.example.com/v1"
	organization = "org_7x2k9m4q1w8z"
	subject      = "u4k8w2m6x1qz"

	// Ten scopes, with the scopes that the procedures require.
	scopes = "read:profile write:settings write:data read:invoices write:invoices read:customers write:customers read:reports read:data read:settings"

	// The algorithm of all groups but verify, memory and flood: the default of most providers, and the
	// cheapest to verify for all contenders.
	usual = "RS256"
)

// algorithms are the algorithms that all contenders accept.
var algorithms = []string{"RS256", "ES256", "ES384", "EdDSA"}

// An issuer is an identity provider on loopback.
type issuer struct {
	issuerURL, keySetURL string
	keys                 map[string]*tokens.Key // by algorithm
	fetches              atomic.Int64           // of the key set
	expiry               int64                  // of tokens
}

func (b *bench) startIssuer(ctx context.Context) (*issuer, error) {
	i := &issuer{keys: map[string]*tokens.Key{}, expiry: time.Now().Add(4 * time.Hour).Unix()}
	mux := http.NewServeMux()
	url, err := b.serve(ctx, mux)
	if err != nil {
		return nil, err
	}
	i.issuerURL, i.keySetURL = url+"/oidc", url+"/oidc/jwks"
	var jwks []string
	for _, key := range []*tokens.Key{tokens.I1.RS256, tokens.I1.ES256, tokens.I1.ES384, tokens.I1.EdDSA} {
		thumbprint := sha256.Sum256([]byte(key.Alg)) // for a `kid` of the usual length
		own := *key
		own.ID, own.Issuer = tokens.Encode(thumbprint[:]), i.issuerURL
		i.keys[key.Alg] = &own
		jwks = append(jwks, own.JWK())
	}
	metadata := tokens.With(map[string]any{
		"issuer": i.issuerURL, "jwks_uri": i.keySetURL,
		"authorization_endpoint": i.issuerURL + "/auth", "token_endpoint": i.issuerURL + "/token",
		"id_token_signing_alg_values_supported": algorithms,
	})
	mux.HandleFunc("/oidc/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, metadata)
	})
	mux.HandleFunc("/oidc/jwks", func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		answer(w, tokens.KeySet(jwks...))
	})
	return i, nil
}

func answer(w http.ResponseWriter, json string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(json))
}

// token mints a good token with changes to its payload, see [tokens.With].
func (i *issuer) token(algorithm string, changes ...any) string {
	key := i.keys[algorithm]
	return key.Mint(key.Header(), i.payload(changes...))
}

func (i *issuer) payload(changes ...any) string {
	return tokens.With(map[string]any{
		"iss": i.issuerURL, "sub": subject, "client_id": "m2x8q4k6w1z9v3t7b5n0j", "jti": "Qm3vT8xLk2WnZ5pRy7BdC", "aud": api,
		"scope": scopes, "organization_id": organization, "iat": time.Now().Unix(), "exp": i.expiry,
	}, changes...)
}

// trusted is the issuer for our verifier.
func (i *issuer) trusted() token.Issuer {
	trusted := token.Logto(i.issuerURL)
	trusted.Algorithms = algorithms
	return trusted
}

// Kinds of bad tokens.
const (
	expired     = "expired"
	wrongIssuer = "wrong issuer"
	wrongType   = "wrong typ (an ID token)"
	garbage     = "garbage"
	forged      = "forged signature"
)

// refusals are bad tokens, by kind.
func (i *issuer) refusals(algorithm string) map[string]string {
	key := i.keys[algorithm]
	good := i.token(algorithm)
	backwards := []byte(good)
	slices.Reverse(backwards) // three segments of base64url, and nothing more
	signed, _ := tokens.CutSignature(good)
	_, otherSignature := tokens.CutSignature(i.token(algorithm, "sub", "root"))
	return map[string]string{
		expired:     i.token(algorithm, "exp", time.Now().Add(-time.Hour).Unix()),
		wrongIssuer: i.token(algorithm, "iss", "https://other.example.com/oidc"),
		wrongType:   key.Mint(key.Header("typ", "JWT"), i.payload()),
		forged:      signed + "." + otherSignature,
		garbage:     string(backwards),
	}
}
