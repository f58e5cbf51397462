package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// testNulls has keys with optional members that are null, as .NET and Java write them.
func testNulls(t *testing.T) {
	optional := []string{"d", "k", "p", "q", "dp", "dq", "qi", "oth", "use", "key_ops", "alg", "x5u", "x5c", "x5t", "x5t#S256", "ext", "iat", "exp", "nbf"}
	for _, k := range all {
		var nulls []any
		for _, name := range optional {
			nulls = append(nulls, name, nil)
			if keys, skipped, err := token.ParseKeySet([]byte(keySet(k.JWK(name, nil))), k.Alg); err != nil || len(keys) != 1 {
				t.Errorf("%s, %s null: %v, %q", k.Alg, name, err, skipped)
			}
		}
		others := map[string][]any{"RSA": {"crv", nil, "x", nil, "y", nil}, "EC": {"n", nil, "e", nil}, "OKP": {"n", nil, "e", nil, "y", nil}}
		var kty struct{ Kty string }
		if err := json.Unmarshal([]byte(k.JWK()), &kty); err != nil {
			t.Fatal(err)
		}
		if keys, skipped, err := token.ParseKeySet([]byte(keySet(k.JWK(append(nulls, others[kty.Kty]...)...))), k.Alg); err != nil || len(keys) != 1 {
			t.Errorf("%s, all at once: %v, %q", k.Alg, err, skipped)
		}
	}
	_, err := newVerifier(t, newIDP(es256.JWK("kid", nil, "d", nil))).Verify(t.Context(), es256.Mint(es256.Header("kid", absent{}), payload()))
	checkError(t, err, nil)

	const private = "it holds private or symmetric key material: replace the key at the issuer, since every reader of the key set has it"
	for _, test := range []struct{ jwk, want string }{
		{es256.JWK("d", ""), private},
		{es256.JWK("d", false), private},
		{es256.JWK("d", 0), private},
		{es256.JWK("d", []any{nil}), private},
		{es256.JWK("d", map[string]any{}), private},
		{es256.JWK("d", "null"), private},
		{rs256.JWK("oth", []any{nil}), private},
		{rs256.JWK("p", nil, "q", "AQ"), private},
		{es256.JWK("key_ops", []any{nil}), "its key_ops do not contain verify: the issuer must correct the key"},
		{es256.JWK("kty", nil), "its kty is not a string"},
		{es256.JWK("kty", "AKP"), "its kty is not supported"},
		{es256.JWK("crv", nil), "its crv is not a string"},
		{es256.JWK("x", nil), "its x is missing or not in base64url"},
		{es256.JWK("y", nil), "its y is missing or not in base64url"},
		{eddsa.JWK("x", nil), "its x is missing or not in base64url"},
		{eddsa.JWK("crv", nil), "its crv is not a string"},
		{rs256.JWK("n", nil), "its n is missing or not in base64url"},
		{rs256.JWK("n", ""), "its n is missing or not in base64url"},
		{rs256.JWK("e", nil), "its e is missing or not in base64url"},
		{strings.Replace(es256.JWK("d", nil), `"d":null`, `"d":null,"d":"AA"`, 1), "an object has a member name twice"},
	} {
		_, _, err := token.ParseKeySet([]byte(keySet(test.jwk)), allowed...)
		checkText(t, test.jwk, err, "none of its keys (1) can be used; key 0: "+test.want)
	}
	// A required member of a document must not be null, and an optional one may be.
	idp := newIDP(es256.JWK())
	idp.Serve(discoveryURL, respond(200, discovery("authorization_endpoint", nil, "scopes_supported", nil)))
	idp.Serve(keySetURL, respond(200, strings.Replace(keySet(es256.JWK()), "{", `{"x":null,`, 1)))
	_, err = newVerifier(t, idp).Verify(t.Context(), scene.Token(es256))
	checkError(t, err, nil)
	for _, name := range []string{"exp", "sub", "scope", "organization_id", "jti", "client_id"} { // tokens stay strict
		_, err := unverified.Token(issuer(issuerURL), scene.Token(es256, name, nil))
		checkError(t, err, token.ErrInvalid)
	}
}

// testBothNames is about EdDSA, which RFC 9864 calls Ed25519.
func testBothNames(t *testing.T) {
	for _, list := range [][]string{{"EdDSA"}, {"Ed25519"}, {"EdDSA", "Ed25519"}, {"Ed25519", "ES256", "EdDSA", "Ed25519"}} {
		for _, alg := range []any{"EdDSA", "Ed25519", absent{}, nil} {
			for _, header := range []string{"EdDSA", "Ed25519"} {
				for _, kid := range []any{eddsa.ID, absent{}} {
					issuer := issuer(issuerURL)
					issuer.Algorithms = list
					verifier := must(token.NewVerifier(issuer, token.WithTransport(newIDP(eddsa.JWK("alg", alg), es256.JWK()))))
					raw := eddsa.Mint(eddsa.Header("alg", header, "kid", kid), payload())
					for range 2 {
						if _, err := verifier.Verify(t.Context(), raw); err != nil {
							t.Errorf("%q, key %v, token %s, kid %v: %v", list, alg, header, kid, err)
						}
					}
					if stats := verifier.Stats(); stats.Hits != 1 || stats.Misses != 1 {
						t.Errorf("%q, key %v, token %s, kid %v: %+v", list, alg, header, kid, stats)
					}
					forged := newEd25519(eddsa.ID)
					_, err := verifier.Verify(t.Context(), forged.Mint(forged.Header("alg", header, "kid", kid), payload()))
					checkError(t, err, token.ErrInvalid)
				}
			}
		}
	}
	// Nothing else gets in by the name.
	x448 := encode(make([]byte, 57))
	for name, jwk := range map[string]string{
		"Ed448":              eddsa.JWK("crv", "Ed448", "x", x448, "alg", "Ed448"),
		"Ed448 as EdDSA":     eddsa.JWK("crv", "Ed448", "x", x448),
		"Ed448 as Ed25519":   eddsa.JWK("crv", "Ed448", "x", x448, "alg", "Ed25519"),
		"Ed448, a short one": eddsa.JWK("crv", "Ed448", "alg", "Ed25519"),
		"X25519":             eddsa.JWK("crv", "X25519", "alg", "Ed25519"),
		"EC":                 es256.JWK("alg", "Ed25519"),
		"ed25519":            eddsa.JWK("alg", "ed25519"),
	} {
		if keys, _, err := token.ParseKeySet([]byte(keySet(jwk)), "EdDSA", "Ed25519", "ES256"); err == nil {
			t.Errorf("%s: %v", name, keys)
		}
	}
	issuer := issuer(issuerURL)
	issuer.Algorithms = []string{"ES256"}
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		_, err := unverified.Token(issuer, eddsa.Mint(eddsa.Header("alg", alg), payload()))
		checkText(t, alg, err, `invalid token: alg is not one of ["ES256"], the issuer's Algorithms: if the issuer may sign access tokens with the token's algorithm, add that algorithm to Issuer.Algorithms`)
	}
}

// testNamesShareBudget makes sure that the two names of one algorithm share candidates and fetches.
func testNamesShareBudget(t *testing.T) {
	sign := func(k *key, alg string, kid any) string {
		return k.Mint(k.Header("alg", alg, "kid", kid), payload("exp", never))
	}
	names := []string{"EdDSA", "Ed25519"}
	one, two, three := newEd25519("kid"), newEd25519("kid"), newEd25519("kid")
	idp := newIDP(one.JWK(), two.JWK("alg", "Ed25519"), three.JWK("alg", "Ed25519"))
	verifier := newVerifier(t, idp)
	for _, alg := range names {
		check(t, verifier, sign(one, alg, "kid"), nil, 0)
		check(t, verifier, sign(two, alg, "kid"), nil, 0)
		check(t, verifier, sign(three, alg, "kid"), token.ErrInvalid, 0)  // the third of one name
		check(t, verifier, sign(one, alg, absent{}), token.ErrInvalid, 0) // two keys are for it
	}
	both := newVerifier(t, newIDP(one.JWK("kid", absent{}), one.JWK("kid", absent{}, "alg", "Ed25519")))
	for _, alg := range names {
		check(t, both, sign(one, alg, absent{}), nil, 0) // it is one key
		check(t, both, sign(two, alg, absent{}), token.ErrInvalid, 0)
	}
	time.Sleep(5 * time.Minute) // the bubble's clock
	before := idp.Count(keySetURL)
	for n := range 20 {
		check(t, verifier, sign(one, names[n%2], "made up"), token.ErrInvalid, 0)
	}
	checkCount(t, idp, keySetURL, before+1)
}

func testMismatch(t *testing.T) {
	for _, test := range []struct {
		jwk  string
		list []string
		want string
	}{
		{eddsa.JWK("alg", "Ed25519"), []string{"RS256"}, `its alg is "Ed25519", while the issuer's Algorithms are ["RS256"]: add "Ed25519" to Issuer.Algorithms if the issuer signs access tokens with this key`},
		{eddsa.JWK(), []string{"RS256", "ES256"}, `its alg is "EdDSA", while the issuer's Algorithms are ["RS256" "ES256"]: add "EdDSA" to Issuer.Algorithms if the issuer signs access tokens with this key`},
		{rs256.JWK("alg", "RS512"), []string{"RS256"}, `its alg is "RS512", while the issuer's Algorithms are ["RS256"]: add "RS512" to Issuer.Algorithms if the issuer signs access tokens with this key`},
		{es256.JWK("alg", absent{}), []string{"Ed25519"}, `it names no alg, and is for one of ["ES256"], while the issuer's Algorithms are ["Ed25519"]: add the algorithm with which the issuer signs access tokens to Issuer.Algorithms`},
		{rs256.JWK("alg", nil), []string{"ES256"}, `it names no alg, and is for one of ["PS256" "PS384" "PS512" "RS256" "RS384" "RS512"], while the issuer's Algorithms are ["ES256"]: add the algorithm with which the issuer signs access tokens to Issuer.Algorithms`},
		{es256.JWK("alg", "ES384"), []string{"ES384", "ES256"}, `its alg is "ES384", while its kty and crv are for ["ES256"], and the issuer's Algorithms are ["ES384" "ES256"]: the issuer must correct the key`},
		{rs256.JWK("alg", "Ed25519"), []string{"EdDSA"}, `its alg is "Ed25519", while its kty and crv are for ["PS256" "PS384" "PS512" "RS256" "RS384" "RS512"], and the issuer's Algorithms are ["EdDSA"]: the issuer must correct the key`},
		{rs256.JWK("alg", "RSA-OAEP"), []string{"RS256"}, `its alg is "RSA-OAEP", which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", "none\n"), []string{"RS256"}, `its alg is "none\n", which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", strings.Repeat("x", 32)), []string{"RS256"}, `its alg is "` + strings.Repeat("x", 32) + `", which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", strings.Repeat("x", 33)), []string{"RS256"}, `its alg is 33 bytes long, which signs no token that is accepted, and the issuer's Algorithms are ["RS256"]: if the issuer signs access tokens with this key, it must name another alg`},
		{rs256.JWK("alg", absent{}), []string{"PS256", "RS256"}, `it names no alg, and ["PS256" "RS256"] fit it: leave only one of them in Issuer.Algorithms, or have the issuer write alg into the key`},
	} {
		_, _, err := token.ParseKeySet([]byte(keySet(test.jwk)), test.list...)
		checkText(t, test.jwk, err, "none of its keys (1) can be used; key 0: "+test.want)
	}
}
