package token_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// tenantsOf returns an issuer of several tenants, whose key set stands at keysURL.
func tenantsOf(change func(*token.Issuer)) token.Issuer {
	return multi(func(i *token.Issuer) {
		i.Algorithms, i.OrganizationClaim = []string{"EdDSA"}, "tid"
		change(i)
	})
}

func anyTenant(i *token.Issuer) { i.RequiredClaims = lists{"tid": {token.AnyValue}} }

// serving returns a verifier of issuers, and the endpoint that has a key set at keysURL.
func serving(t *testing.T, jwks []string, first token.Issuer, others ...token.Issuer) (*token.Verifier, *idp) {
	t.Helper()
	idp := newIDP(eddsa.JWK())
	idp.Serve(keysURL, respond(200, keySet(jwks...)))
	opts := []token.Option{token.WithTransport(idp)}
	for _, other := range others {
		opts = append(opts, token.WithIssuer(other))
	}
	verifier, err := token.NewVerifier(first, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return verifier, idp
}

// tenantToken returns a token of an issuer, with changes.
func tenantToken(k *key, iss any, changes ...any) string {
	return k.Mint(k.Header(), payload(append([]any{"iss", iss, "exp", never, "iat", absent{}}, changes...)...))
}

// TestTemplates has tokens whose `iss` fits their tenant, and tokens whose `iss` does not.
func TestTemplates(t *testing.T) {
	t.Parallel()
	const a = "https://idp.test/a/v2"
	tests := []struct {
		name     string
		iss, tid any
		want     [2]bool // accepted if any tenant is, and if the tenants a and b are
	}{
		{"equal", a, "a", [2]bool{true, true}},
		{"equal, a tenant that is not listed", "https://idp.test/c/v2", "c", [2]bool{true, false}},
		{"equal, all characters", "https://idp.test/AZaz09-_./v2", "AZaz09-_.", [2]bool{true, false}},
		{"equal, three dots", "https://idp.test/.../v2", "...", [2]bool{true, false}},
		{"different", a, "b", [2]bool{}},
		{"another case", a, "A", [2]bool{}},
		{"missing", a, absent{}, [2]bool{}},
		{"empty", a, "", [2]bool{}},
		{"null", a, nil, [2]bool{}},
		{"number", "https://idp.test/1/v2", 1, [2]bool{}},
		{"array", a, []string{"a"}, [2]bool{}},
		{"object", a, map[string]any{"a": "a"}, [2]bool{}},
		{"the placeholder", "https://idp.test/{tid}/v2", "{tid}", [2]bool{}},
		{"any value", "https://idp.test/*/v2", "*", [2]bool{}},
		{"no segment", "https://idp.test//v2", "", [2]bool{}},
		{"a dot", "https://idp.test/./v2", ".", [2]bool{}},
		{"two dots", "https://idp.test/../v2", "..", [2]bool{}},
		{"two segments", "https://idp.test/a/b/v2", "a/b", [2]bool{}},
		{"a segment of another path", "https://idp.test/a/v2/v2", "a/v2", [2]bool{}},
		{"an escape", "https://idp.test/a%2fb/v2", "a%2fb", [2]bool{}},
		{"a space", "https://idp.test/a b/v2", "a b", [2]bool{}},
		{"beyond ASCII", "https://idp.test/é/v2", "é", [2]bool{}},
		{"a question mark", "https://idp.test/a?/v2", "a?", [2]bool{}},
		{"a line break", "https://idp.test/a\n/v2", "a\n", [2]bool{}},
		{"a slash at the end", a + "/", "a", [2]bool{}},
		{"a longer host", "https://idp.test.evil.test/a/v2", "a", [2]bool{}},
		{"another scheme", "http://idp.test/a/v2", "a", [2]bool{}},
		{"overlap", "https://idp.test/v2", "", [2]bool{}},
		{"no iss", absent{}, "a", [2]bool{}},
		{"null as iss", nil, "a", [2]bool{}},
		{"an array as iss", []string{a}, "a", [2]bool{}},
	}
	for n, issuer := range []token.Issuer{tenantsOf(anyTenant), tenantsOf(func(*token.Issuer) {})} {
		verifier, _ := serving(t, jwksOf(eddsa), issuer)
		for _, test := range tests {
			raw := tenantToken(eddsa, test.iss, "tid", test.tid)
			claims, err := verifier.Verify(t.Context(), raw)
			if !test.want[n] {
				checkError(t, err, token.ErrInvalid)
				checkSilent(t, err, raw)
			} else if err != nil || claims.Issuer() != test.iss || claims.OrganizationID() != test.tid {
				t.Errorf("%s: %v, %q, %q", test.name, err, claims.Issuer(), claims.OrganizationID())
			}
			if t.Failed() {
				t.Fatalf("%s, %q", test.name, issuer.RequiredClaims)
			}
		}
	}
}

// TestTemplatesBeside has several issuers in one verifier, each with a key of its own.
func TestTemplatesBeside(t *testing.T) {
	t.Parallel()
	keys := map[string]*key{}
	var issuers []token.Issuer
	provider := newIDP(eddsa.JWK())
	for _, issuer := range []token.Issuer{
		configured(func(i *token.Issuer) { i.URL = "https://idp.test/c/v2" }),
		tenantsOf(func(*token.Issuer) {}),
		tenantsOf(func(i *token.Issuer) {
			i.URL, i.OrganizationClaim = "https://idp.test/d/{ten}", "ten"
			i.RequiredClaims = lists{"ten": {token.AnyValue}}
		}),
		configured(func(i *token.Issuer) { i.URL = "urn:idp" }),
		tenantsOf(func(i *token.Issuer) { i.URL = "https://idp.test/d/{tid}/v2"; anyTenant(i) }),
	} {
		k := newEd25519("kid-1")
		issuer.KeySetURL, issuer.Algorithms = keysURL+strconv.Itoa(len(issuers)), []string{"EdDSA"}
		provider.Serve(issuer.KeySetURL, respond(200, keySet(k.JWK())))
		keys[issuer.URL], issuers = k, append(issuers, issuer)
	}
	verifier, err := token.NewVerifier(issuers[0], token.WithIssuer(issuers[1]), token.WithIssuer(issuers[2]), token.WithIssuer(issuers[3]), token.WithIssuer(issuers[4]), token.WithTransport(provider))
	if err != nil {
		t.Fatal(err)
	}
	for iss, owner := range map[string]string{
		"https://idp.test/c/v2": issuers[0].URL, "https://idp.test/a/v2": issuers[1].URL, "https://idp.test/b/v2": issuers[1].URL, "https://idp.test/d/a": issuers[2].URL, "https://idp.test/d/v2": issuers[2].URL, "urn:idp": issuers[3].URL, "https://idp.test/d/a/v2": issuers[4].URL,
		"https://idp.test/e/v2": "", "urn:idp/a": "", "": "",
	} {
		for url, k := range keys {
			for _, tenant := range []string{"a", "b", "v2", "d"} {
				claims, err := verifier.Verify(t.Context(), tenantToken(k, iss, "tid", tenant, "ten", tenant))
				ofTenant := (url != issuers[1].URL || iss == "https://idp.test/"+tenant+"/v2") && (url != issuers[2].URL || iss == "https://idp.test/d/"+tenant) && (url != issuers[4].URL || iss == "https://idp.test/d/"+tenant+"/v2")
				if accepted := url == owner && ofTenant; accepted != (err == nil) || accepted && claims.Issuer() != iss {
					t.Errorf("%q of tenant %q, signed by the key of %q: %v", iss, tenant, url, err)
				}
			}
		}
	}
}

// TestIssuerOfKey has keys that name the issuer whose tokens they verify.
func TestIssuerOfKey(t *testing.T) {
	t.Parallel()
	const (
		a, b, c  = "https://idp.test/a/v2", "https://idp.test/b/v2", "https://idp.test/c/v2"
		template = "https://idp.test/{tenantid}/v2"
	)
	one, several := configured(func(i *token.Issuer) { i.URL, i.KeySetURL, i.Algorithms = a, keysURL, []string{"EdDSA"} }), tenantsOf(anyTenant)
	for _, test := range []struct {
		name     string
		issuer   any       // of the key
		accepted [2]string // the tenants whose tokens the key verifies, for one issuer and for several
		refused  error
	}{
		{"none", absent{}, [2]string{"a", "abc"}, token.ErrInvalid},
		{"null", nil, [2]string{"a", "abc"}, token.ErrInvalid}, // as .NET and Java write a missing member
		{"a placeholder", template, [2]string{"a", "abc"}, token.ErrInvalid},
		{"another placeholder", "https://idp.test/{x}/v2", [2]string{"a", "abc"}, token.ErrInvalid},
		{"a tenant", a, [2]string{"a", "a"}, token.ErrInvalid},
		{"another tenant", b, [2]string{"", "b"}, token.ErrInvalid},
		{"nobody's tenant", "https://idp.test/x/v2", [2]string{}, token.ErrInvalid},
		{"a slash at the end", a + "/", [2]string{}, token.ErrInvalid},
		{"another case", "https://IDP.test/a/v2", [2]string{}, token.ErrInvalid},
		{"a placeholder elsewhere", "https://idp.test/a/{tenantid}", [2]string{"a", ""}, token.ErrInvalid}, // in the issuer of tenant a it would be a
		{"a placeholder of another host", "https://evil.test/{tenantid}/v2", [2]string{}, token.ErrInvalid},
		{"a placeholder and more", template + "/x", [2]string{}, token.ErrInvalid},
		{"a placeholder that is no segment", "https://idp.test/a{tenantid}/v2", [2]string{}, token.ErrKeysUnavailable},
		{"an empty placeholder", "https://idp.test/{}/v2", [2]string{}, token.ErrKeysUnavailable},
		{"two placeholders", "https://idp.test/{x}/{y}", [2]string{}, token.ErrKeysUnavailable},
		{"half a placeholder", "https://idp.test/{x/v2", [2]string{}, token.ErrKeysUnavailable},
		{"a number", 1, [2]string{}, token.ErrKeysUnavailable},
		{"an array", []string{a}, [2]string{}, token.ErrKeysUnavailable},
	} {
		for n, issuer := range []token.Issuer{one, several} {
			verifier, _ := serving(t, []string{eddsa.JWK("issuer", test.issuer)}, issuer)
			for _, tenant := range []string{"a", "b", "c"} {
				want := test.refused
				if issuer.URL == a && tenant != "a" {
					want = token.ErrInvalid // for iss, before the key
				}
				if strings.Contains(test.accepted[n], tenant) {
					want = nil
				}
				_, err := verifier.Verify(t.Context(), tenantToken(eddsa, "https://idp.test/"+tenant+"/v2", "tid", tenant))
				if checkError(t, err, want); t.Failed() {
					t.Fatalf("%s: %s, tenant %s", test.name, issuer.URL, tenant)
				}
			}
		}
	}
	t.Run("a kid twice", func(t *testing.T) {
		t.Parallel()
		ofA, ofB := newEd25519("kid-1"), newEd25519("kid-1")
		verifier, _ := serving(t, []string{ofA.JWK("issuer", a), ofB.JWK("issuer", b)}, several)
		for _, k := range []*key{ofA, ofB} {
			for tenant, iss := range map[string]string{"a": a, "b": b, "c": c} {
				_, err := verifier.Verify(t.Context(), tenantToken(k, iss, "tid", tenant))
				want := token.ErrInvalid
				if k == ofA && iss == a || k == ofB && iss == b {
					want = nil
				}
				checkError(t, err, want)
			}
		}
	})
	t.Run("a kid that others have too", func(t *testing.T) {
		t.Parallel()
		mine := newEd25519("kid-1")
		others := []string{newEd25519("kid-1").JWK("issuer", a), newEd25519("kid-1").JWK("issuer", b), newEd25519("kid-1").JWK("issuer", a), newEd25519("kid-1").JWK("issuer", b)}
		verifier, _ := serving(t, append(others, mine.JWK("issuer", c)), several)
		_, err := verifier.Verify(t.Context(), tenantToken(mine, c, "tid", "c"))
		checkError(t, err, nil)
		_, err = verifier.Verify(t.Context(), tenantToken(mine, a, "tid", "a"))
		checkError(t, err, token.ErrInvalid)
	})
	t.Run("a placeholder in two segments", func(t *testing.T) {
		t.Parallel()
		deeper := one
		deeper.URL = "https://idp.test/a/b/v2"
		verifier, _ := serving(t, []string{eddsa.JWK("issuer", template)}, deeper)
		_, err := verifier.Verify(t.Context(), tenantToken(eddsa, deeper.URL))
		checkError(t, err, token.ErrInvalid)
	})
	t.Run("one key for two issuers", func(t *testing.T) {
		t.Parallel()
		verifier, _ := serving(t, []string{eddsa.JWK("issuer", a), eddsa.JWK("issuer", b)}, several)
		for tenant, want := range map[string]error{"a": nil, "b": nil, "c": token.ErrInvalid} {
			_, err := verifier.Verify(t.Context(), tenantToken(eddsa, "https://idp.test/"+tenant+"/v2", "tid", tenant))
			checkError(t, err, want)
		}
	})
}

// The issuer of a key changes, while a token that the key has verified is cached.
func TestIssuerOfKeyChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after any
		want          error
	}{
		"to another":      {"https://idp.test/a/v2", "https://idp.test/b/v2", token.ErrInvalid},
		"from none":       {absent{}, "https://idp.test/b/v2", token.ErrInvalid},
		"to a template":   {"https://idp.test/a/v2", "https://idp.test/{tenantid}/v2", nil},
		"to none":         {"https://idp.test/a/v2", absent{}, nil},
		"to bad braces":   {"https://idp.test/a/v2", "https://idp.test/{/v2", nil}, // no key can be used, as if the fetch had failed
		"from a template": {"https://idp.test/{tenantid}/v2", "https://idp.test/c/v2", token.ErrInvalid},
	} {
		bubble(t, name, func(t *testing.T) {
			verifier, idp := serving(t, []string{eddsa.JWK("issuer", test.before)}, tenantsOf(anyTenant))
			raw := tenantToken(eddsa, "https://idp.test/a/v2", "tid", "a")
			check(t, verifier, raw, nil, 0)
			check(t, verifier, raw, nil, 0)
			if hits := verifier.Stats().Hits; hits != 1 {
				t.Errorf("%d hits", hits)
			}
			idp.Serve(keysURL, respond(200, keySet(eddsa.JWK("issuer", test.after))))
			sleepUntil(16 * time.Minute)
			check(t, verifier, raw, test.want, 0)
			settle()
		})
	}
}

// TestRequiredDate requires a date, in an issuer whose URL has no tenant.
func TestRequiredDate(t *testing.T) {
	t.Parallel()
	mine := issuer(issuerURL)
	mine.RequiredClaims = lists{"exp": {"4102444800"}}
	verifier, err := token.NewVerifier(mine, token.WithTransport(newIDP(jwksOf(all...)...)))
	if err != nil {
		t.Fatal(err)
	}
	for exp, want := range map[int64]error{4102444800: nil, 4102444801: token.ErrInvalid} {
		_, err = verifier.Verify(t.Context(), eddsa.Mint(eddsa.Header(), payload("exp", exp)))
		checkError(t, err, want)
	}
}

// TestTenantOfPayload reads payloads without `iss`, whose tenant cannot stand in a URL.
func TestTenantOfPayload(t *testing.T) {
	t.Parallel()
	for tenant, ok := range map[string]bool{`"a"`: true, `"a/b"`: false, `".."`: false, `1`: false, `["a"]`: false} {
		claims, err := readMembers(token.EntraAnyTenant(), `"azp":"c","tid":`+tenant)
		if (err == nil) != ok || ok && claims.Issuer() != "https://login.microsoftonline.com/a/v2.0" {
			t.Errorf("%s: %q, %v", tenant, claims.Issuer(), err)
		}
	}
	_, err := readMembers(token.EntraAnyTenant(), `"azp":"c","tid":"a","iss":"https://login.microsoftonline.com/b/v2.0"`)
	checkError(t, err, token.ErrInvalid)
}

// TestForeignKeyTellsNoDates makes sure that a key of another issuer does not verify an expired token, so that no error
// tells by how much its date is off.
func TestForeignKeyTellsNoDates(t *testing.T) {
	t.Parallel()
	for url, ok := range map[string]bool{"https://idp.test/a/v2": true, "https://idp.test/b/v2": false} {
		verifier, _ := serving(t, []string{eddsa.JWK("issuer", url)}, tenantsOf(anyTenant))
		_, _ = verifier.Verify(t.Context(), tenantToken(eddsa, url, "tid", "a")) // so that there are keys
		_, err := verifier.Verify(t.Context(), tenantToken(eddsa, "https://idp.test/a/v2", "tid", "a", "exp", 1000))
		if checkError(t, err, token.ErrExpired); err == nil || strings.Contains(err.Error(), " ago,") != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// TestForeignKey makes sure that a key of another issuer is named as the reason, and draws no fetch.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	verifier, idp := serving(t, []string{eddsa.JWK("issuer", "https://idp.test/b/v2")}, tenantsOf(anyTenant))
	const want = "invalid token: the key of the token's kid is for another issuer, which the key names: is Issuer.KeySetURL the key set of this issuer?"
	for range 3 {
		if _, err := verifier.Verify(t.Context(), tenantToken(eddsa, "https://idp.test/a/v2", "tid", "a")); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if n := idp.Count(keysURL); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// TestUnknownTenant names the issuers of which a token is none.
func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	for want, issuer := range map[string]token.Issuer{
		`invalid token: iss is none of ["https://idp.test/{tid}/v2"]: compare byte by byte, the slash at the end too; for a placeholder in braces RequiredClaims lists the tenants`: multi(func(*token.Issuer) {}),
		`invalid token: iss is none of ["https://idp.test/oidc"]: compare byte by byte, the slash at the end too`:                                                                   configured(func(*token.Issuer) {}),
	} {
		verifier := must(token.NewVerifier(issuer))
		if _, err := verifier.Verify(t.Context(), tenantToken(eddsa, "https://idp.test/c/v2", "tid", "c")); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
