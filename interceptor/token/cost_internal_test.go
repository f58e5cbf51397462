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

// pointed is an issuer whose scopes have a pointer of four steps with a placeholder.
func pointed(url string) Issuer {
	issuer := Logto(url)
	issuer.Algorithms = tokens.Algorithms()
	issuer.ScopeClaims = []string{"/a/b/c/{scope}"}
	return issuer
}

func members(n int) json.RawMessage {
	var all []string
	for n := range n {
		all = append(all, fmt.Sprintf(`"read:resource-%d":"x"`, n))
	}
	return json.RawMessage(`{"b":{"c":{` + strings.Join(all, ",") + `}}}`)
}

func BenchmarkBesideSignature(b *testing.B) {
	scene := tokens.Scene{Now: 946684800, Leeway: 30}
	logto := Logto(tokens.I1.URL)
	logto.Algorithms = tokens.Algorithms()
	scopes := "read:products write:products read:orders write:orders read:users write:users read:teams write:teams read:all write:all"
	type run struct {
		name   string
		issuer Issuer
		raw    string
	}
	var runs []run
	for _, key := range []*tokens.Key{tokens.I1.RS256, tokens.I1.ES256, tokens.I1.ES384, tokens.I1.EdDSA} {
		runs = append(runs, run{key.Alg, logto, scene.Token(key, "exp", tokens.MaxDate, "scope", scopes)})
	}
	for _, n := range []int{0, 100} {
		runs = append(runs, run{fmt.Sprintf("pointer over %d members", n), pointed(tokens.I1.URL), scene.Token(tokens.I1.RS256, "exp", tokens.MaxDate, "a", members(n))})
	}
	runs = append(runs, run{"100 members without a pointer", logto, scene.Token(tokens.I1.RS256, "exp", tokens.MaxDate, "a", members(100))})
	for _, run := range runs {
		b.Run(run.name, func(b *testing.B) {
			v, err := NewVerifier(run.issuer, WithoutCache(), WithTransport(tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := v.Verify(b.Context(), run.raw); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := besideSignature(b.Context(), v, run.raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
