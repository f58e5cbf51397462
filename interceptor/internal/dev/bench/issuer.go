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

	// What tokens carry in every contest: the scopes that the procedures ask for, among
	// others.
	globalScopes = "read:profile write:orders write:products read:invoices write:invoices read:customers write:customers read:reports read:settings read:products"
	memberScopes = "read:profile write:settings write:data read:invoices write:invoices read:customers write:customers read:reports read:data"
)

// algorithms are those that all contenders accept. ES384 is Logto's default.
var algorithms = []string{"RS256", "ES256", "ES384", "EdDSA"}

// An issuer is an identity provider on loopback, as Logto is one.
type issuer struct {
	*server
	issuerURL, keySetURL string
	keys                 map[string]*tokens.Key // by algorithm
	fetches              atomic.Int64           // of the key set
	lifetime             int64                  // until when tokens are good
}

func startIssuer(ctx context.Context) (*issuer, error) {
	i := &issuer{keys: map[string]*tokens.Key{}, lifetime: time.Now().Add(4 * time.Hour).Unix()}
	mux := http.NewServeMux()
	server, err := serve(ctx, mux)
	if err != nil {
		return nil, err
	}
	i.server = server
	i.issuerURL, i.keySetURL = server.url+"/oidc", server.url+"/oidc/jwks"
	var jwks []string
	for _, key := range []*tokens.Key{tokens.I1.RS256, tokens.I1.ES256, tokens.I1.ES384, tokens.I1.EdDSA} {
		thumbprint := sha256.Sum256([]byte(key.Alg)) // as long as that of a key
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

// global mints a token for the API, with changes to its payload.
func (i *issuer) global(algorithm string, changes ...any) string {
	key := i.keys[algorithm]
	return key.Mint(key.Header(), i.payload(changes...))
}

// member mints a token for the API inside the organization.
func (i *issuer) member(algorithm string, changes ...any) string {
	return i.global(algorithm, append([]any{"scope", memberScopes, "organization_id", organization}, changes...)...)
}

func (i *issuer) payload(changes ...any) string { return payload(i.issuerURL, i.lifetime, changes...) }

// payload is that of a good token, as Logto fills it.
func payload(issuerURL string, lifetime int64, changes ...any) string {
	return tokens.With(map[string]any{
		"iss": issuerURL, "sub": subject, "client_id": "m2x8q4k6w1z9v3t7b5n0j", "jti": "Qm3vT8xLk2WnZ5pRy7BdC",
		"aud": api, "scope": globalScopes, "iat": time.Now().Unix(), "exp": lifetime,
	}, changes...)
}

// trusted is the issuer as our verifier knows it.
func (i *issuer) trusted() token.Issuer {
	trusted := token.Logto(i.issuerURL)
	trusted.Algorithms = algorithms
	return trusted
}

// refusals are tokens that must not be accepted.
func (i *issuer) refusals(algorithm string) map[string]string {
	key := i.keys[algorithm]
	good := i.global(algorithm)
	backwards := []byte(good)
	slices.Reverse(backwards) // three segments of base64url, and nothing more
	signed, _ := tokens.CutSignature(good)
	_, otherSignature := tokens.CutSignature(i.global(algorithm, "sub", "root"))
	return map[string]string{
		expired:     i.global(algorithm, "exp", time.Now().Add(-time.Hour).Unix()),
		wrongIssuer: i.global(algorithm, "iss", "https://other.example.com/oidc"),
		wrongType:   key.Mint(key.Header("typ", "JWT"), i.payload()),
		forged:      signed + "." + otherSignature,
		garbage:     string(backwards),
	}
}

const (
	expired     = "expired"
	wrongIssuer = "wrong issuer"
	wrongType   = "wrong typ (an ID token)"
	forged      = "forged signature"
	garbage     = "garbage"
)
