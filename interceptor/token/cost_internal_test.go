package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// besideSignature verifies a token as Verify does, without the call that verifies the signature.
func besideSignature(ctx context.Context, v *Verifier, raw string) (*Claims, error) {
	if claims, ok, err := v.fromCache(ctx, raw); ok {
		return claims, err
	}
	token, err := v.check(ctx, raw)
	if err != nil {
		return nil, err
	}
	if err := v.limit.acquire(ctx); err != nil {
		return nil, err
	}
	defer v.limit.release(0, nil)
	if claims, err := v.prepare(&token); claims != nil || err != nil {
		return claims, err
	}
	for _, key := range token.tried {
		if key.isOf(token.issuedBy) {
			key.cost(1, true)
			return v.accept(&token, key)
		}
	}
	return nil, errors.New("no key")
}

// A costlyToken is a token whose first verification is measured beside its signature.
type costlyToken struct {
	name   string
	issuer Issuer
	raw    string
	scopes int
	allocs float64 // at most
}

// costlyTokens are tokens of ten scopes with each algorithm, and tokens with a hundred roles, each of which is read
// through a pointer or is not.
func costlyTokens() (all []costlyToken) {
	scene := tokens.Scene{Now: 946684800, Leeway: 30}
	issuer := Logto(tokens.I1.URL)
	issuer.Algorithms = tokens.Algorithms()
	var scopes, roles []string
	for n := range 100 {
		scopes = append(scopes, fmt.Sprintf("scope:%d", n))
		roles = append(roles, fmt.Sprintf(`"role:%d":{"acme":"acme.example"}`, n))
	}
	for _, key := range []*tokens.Key{tokens.I1.RS256, tokens.I1.ES256, tokens.I1.ES384, tokens.I1.EdDSA} {
		raw := scene.Token(key, "exp", tokens.MaxDate, "scope", strings.Join(scopes[:10], " "))
		all = append(all, costlyToken{key.Alg, issuer, raw, 10, 20})
	}
	hundred := scene.Token(tokens.I1.RS256, "exp", tokens.MaxDate, "organization_id", "acme", "a", json.RawMessage(`{"b":{`+strings.Join(roles, ",")+`}}`))
	pointed := issuer
	pointed.ScopeClaims = []string{"/a/b/{scope}/{organization}"}
	return append(all, costlyToken{"100 roles that no pointer names", issuer, hundred, 2, 22}, costlyToken{"100 roles that a pointer names", pointed, hundred, 100, 40})
}

func (c *costlyToken) verifier(tb testing.TB) *Verifier {
	tb.Helper()
	v, err := NewVerifier(c.issuer, WithoutCache(), WithTransport(tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := v.Verify(tb.Context(), c.raw); err != nil { // so that there are keys
		tb.Fatal(err)
	}
	return v
}

func TestBesideSignature(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	for _, c := range costlyTokens() {
		v := c.verifier(t)
		var claims *Claims
		var err error
		allocs := testing.AllocsPerRun(10, func() { claims, err = besideSignature(t.Context(), v, c.raw) })
		if err != nil || claims.Subject() != "user_1" || len(claims.Scopes()) != c.scopes {
			t.Errorf("%s: %v, scopes %q", c.name, err, claims.Scopes())
		}
		if allocs > c.allocs {
			t.Errorf("%s: %.0f allocations, want at most %.0f", c.name, allocs, c.allocs)
		}
	}
}

func BenchmarkBesideSignature(b *testing.B) {
	for _, c := range costlyTokens() {
		b.Run(c.name, func(b *testing.B) {
			v := c.verifier(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := besideSignature(b.Context(), v, c.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
