package token_test

import (
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A verification is a token and what must come of it.
type verification struct {
	name string // the case of the attack catalogue it belongs to, then what it is
	raw  string
	err  error
}

// TestVerify runs all verifications at the same moment, each with a verifier that
// has no keys yet. The tokens that must pass are the control of those that must not.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, tests := range [][]verification{accepted(), malformed(), algorithms(), headers(), signatures(), times(), claims()} {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					idp := newIDP(jwksOf(all...)...)
					claims, err := newVerifier(t, idp).Verify(t.Context(), test.raw)
					checkError(t, err, test.err)
					checkSilent(t, err, test.raw)
					if (claims == nil) != (err != nil) {
						t.Errorf("claims are %v beside the error %v", claims, err)
					}
					if n := idp.count("") - idp.count(discoveryURL) - idp.count(keySetURL); n != 0 {
						t.Errorf("%d requests to URLs that nobody configured", n)
					}
				})
			})
		}
	}
}

func accepted() []verification {
	tests := []verification{
		{"typ in upper case", es384.mint(es384.header("typ", "AT+JWT"), payload()), nil},
		{"typ in full", es384.mint(es384.header("typ", "application/at+jwt"), payload()), nil},
		{"no kid, and one key for the alg", es384.mint(es384.header("kid", absent{}), payload()), nil},
		{"unknown header members", es384.mint(es384.header("x", map[string]any{"exp": 1}), payload()), nil},
		{"white space in the JSON", es384.mint(" "+es384.header()+"\r\n\t", "\n"+payload()+" "), nil},
		{"escaped member names", es384.mint(es384.header(), strings.Replace(payload(), `"exp"`, `"\u0065xp"`, 1)), nil},
		{"unknown claims of all types", es384.token("x", []any{nil, true, 1.5, "", []any{}, map[string]any{"y": []any{nil}}}), nil},
		{"D02/only what is required", es384.mint(es384.header(), with(map[string]any{"iss": issuerURL, "sub": "s", "exp": epoch + 1})), nil},
		{"D15/jku and x5u beside the right key", es384.mint(es384.header("jku", "https://evil.test/jwks", "x5u", "https://evil.test/x5u"), payload()), nil},
		{"D20/exp inside the leeway", es384.token("exp", epoch-29), nil},
		{"D20/exp with a fraction", es384.token("exp", 946684770.5+1), nil},
		{"D21/last second of 9999", es384.token("exp", 253402300799), nil},
		{"D22/exponent", es384.token("exp", json.RawMessage("9.466848e8")), nil},
		{"D23/nbf at the leeway", es384.token("nbf", epoch+30), nil},
		{"D23/nbf zero", es384.token("nbf", 0), nil},
		{"D25/other API", es384.token("aud", "https://other.test"), nil},
		{"D25/aud missing", es384.token("aud", absent{}), nil},
		{"D25/aud empty", es384.token("aud", ""), nil},
		{"D25/aud of none", es384.token("aud", []string{}), nil},
		{"D26/slash", es384.token("aud", api+"/"), nil},
		{"D32/scope missing", es384.token("scope", absent{}), nil},
		{"D32/scope empty", es384.token("scope", ""), nil},
	}
	for _, k := range all {
		tests = append(tests, verification{"D02/" + k.alg, k.token(), nil})
	}
	return tests
}

// TestSize is about the two tokens at the cap.
func TestSize(t *testing.T) {
	t.Parallel()
	sized := func(size int) string {
		t.Helper()
		for header := range 4 { // not every length is one of base64
			for pad := size * 3 / 5; pad < size; pad++ {
				raw := eddsa.mint(eddsa.header("x", strings.Repeat("x", header)), payload("pad", strings.Repeat("x", pad)))
				if len(raw) == size {
					return raw
				}
				if len(raw) > size {
					break
				}
			}
		}
		t.Fatalf("no token has %d bytes", size)
		return ""
	}
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t, newIDP(eddsa.jwk()))
		if _, err := verifier.Verify(t.Context(), sized(token.MaxBytes)); err != nil {
			t.Errorf("D09/%d bytes: %v", token.MaxBytes, err)
		}
		_, err := verifier.Verify(t.Context(), sized(token.MaxBytes+1))
		checkError(t, err, token.ErrMalformed)
	})
}

// TestRefusalIsCheap counts what the largest inputs cost.
func TestRefusalIsCheap(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	idp := newIDP(jwksOf(all...)...)
	verifier := newVerifier(t, idp)
	tests := []verification{
		{"D08/a million dots", strings.Repeat(".", 1_000_000), token.ErrMalformed},
		{"D08/dots up to the cap", strings.Repeat(".", token.MaxBytes), token.ErrMalformed},
		{"D09/1 MiB", strings.Repeat("x", 1<<20), token.ErrMalformed},
		{"D09/a claim of 64 KiB", eddsa.token("exp", 253402300799, "pad", strings.Repeat("x", 64<<10)), token.ErrMalformed},
		{"D10/another alg", eddsa.mint(eddsa.header("alg", "none"), payload("pad", strings.Repeat("x", 4096))), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			allocations := testing.AllocsPerRun(10, func() {
				_, err := verifier.Verify(t.Context(), test.raw)
				checkError(t, err, test.err)
			})
			if allocations > 40 {
				t.Errorf("%v allocations for a refusal", allocations)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := verifier.Verify(t.Context(), test.raw)
			runtime.ReadMemStats(&after)
			checkError(t, err, test.err)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
				t.Errorf("%d bytes for a refusal", grown)
			}
			if idp.count("") > 0 {
				t.Error("a refusal by form asks for keys")
			}
		})
	}
}

// view is all that [token.Claims] tell.
type view struct {
	Issuer, Subject, Client, ID    string
	Caller                         token.Caller
	Audience, Scopes               []string
	Organization                   string
	Claim                          string
	HasClaim                       bool
	Meant                          string
	HasMeant, HasAnyOrganizationIn bool
	Expiry, Deadline               int64
}

func viewOf(c *token.Claims) view {
	v := view{
		Issuer: c.Issuer(), Subject: c.Subject(), Client: c.ClientID(), ID: c.ID(), Caller: c.Caller(),
		Audience: c.Audience(), Scopes: c.Scopes(), Organization: c.OrganizationID(),
		HasAnyOrganizationIn: c.HasOrganizationAudience(), Expiry: c.Expiry().Unix(), Deadline: c.Deadline().Unix(),
	}
	v.Claim, v.HasClaim = c.OrganizationClaim()
	v.Meant, v.HasMeant = c.OrganizationAudience()
	return v
}

func TestVerifiedClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t, newIDP(es384.jwk()), token.WithLeeway(5*time.Second))
		got, err := verifier.Verify(t.Context(), es384.token("organization_id", "org_1", "aud", []string{api, "b"}))
		if err != nil {
			t.Fatal(err)
		}
		want := view{
			Issuer: issuerURL, Subject: "user_1", Client: "app_1", ID: "token_1", Caller: token.CallerUser,
			Audience: []string{api, "b"}, Scopes: []string{"read:a", "write:b"},
			Organization: "org_1", Claim: "org_1", HasClaim: true, Expiry: epoch + 300, Deadline: epoch + 305,
		}
		if !reflect.DeepEqual(viewOf(got), want) {
			t.Errorf("claims are %+v, want %+v", viewOf(got), want)
		}
		const text = `{"sub":"user_1","clientId":"app_1","organizationId":"org_1","scopes":["read:a","write:b"],"audience":["https://api.test","b"]}`
		if data, err := json.Marshal(got); string(data) != text || err != nil {
			t.Errorf("JSON is %s, %v, want %s", data, err, text)
		}
	})
}

// TestLeeway moves the clock over the edges of a token's life.
func TestLeeway(t *testing.T) {
	t.Parallel()
	for _, leeway := range []time.Duration{0, time.Second, 30 * time.Second, 5 * time.Minute} {
		t.Run(leeway.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verifier := newVerifier(t, newIDP(eddsa.jwk()), token.WithLeeway(leeway))
				raw := eddsa.token("nbf", epoch+1000, "exp", epoch+2000)
				begin := time.Unix(epoch+1000, 0).Add(-leeway)
				end := time.Unix(epoch+2000, 0).Add(leeway)
				for _, step := range []struct {
					at  time.Time
					err error
				}{
					{begin.Add(-1), token.ErrNotYetValid},
					{begin, nil},
					{end.Add(-1), nil},
					{end, token.ErrExpired},
				} {
					time.Sleep(time.Until(step.at)) // the bubble's clock
					_, err := verifier.Verify(t.Context(), raw)
					checkError(t, err, step.err)
				}
			})
		})
	}
}

// TestTwoIssuers is about tokens of one issuer that bear another's name, where
// both have a key of the same kid.
func TestTwoIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mine, theirs := newEd25519("same"), newEd25519("same")
		idp := newIDP(mine.jwk())
		idp.serve(otherIssuer+"/.well-known/openid-configuration",
			respond(200, discovery("issuer", otherIssuer, "jwks_uri", otherIssuer+"/jwks")))
		idp.serve(otherIssuer+"/jwks", respond(200, keySet(theirs.jwk())))
		both := newVerifier(t, idp, token.WithIssuer(issuer(otherIssuer)))
		tests := []verification{
			{"D24/mine", mine.token(), nil},
			{"D24/theirs", theirs.token("iss", otherIssuer), nil},
			{"D30/mine by their key", theirs.token(), token.ErrInvalid},
			{"D30/theirs by my key", mine.token("iss", otherIssuer), token.ErrInvalid},
		}
		for range 1000 {
			for _, test := range tests {
				claims, err := both.Verify(t.Context(), test.raw)
				if checkError(t, err, test.err); t.Failed() {
					t.Fatal(test.name, claims)
				}
			}
		}
		if n := idp.count(""); n != 4 {
			t.Errorf("%d requests, want 4", n)
		}

		idp = newIDP(mine.jwk())
		_, err := newVerifier(t, idp).Verify(t.Context(), theirs.token("iss", otherIssuer))
		checkError(t, err, token.ErrInvalid)
		if n := idp.count(""); n != 0 {
			t.Errorf("D29: %d requests for an issuer that is not configured", n)
		}
	})
}

// TestNarrowIssuer is about what one issuer must not send and another may.
func TestNarrowIssuer(t *testing.T) {
	t.Parallel()
	narrow := issuer(issuerURL)
	narrow.Algorithms = []string{"ES384"}
	narrow.Types = []string{"JWT"}
	tests := []verification{
		{"D12/an allowed alg", es384.mint(es384.header("typ", "jwt"), payload()), nil},
		{"D12/a supported alg that is not allowed", es256.mint(es256.header("typ", "JWT"), payload()), token.ErrInvalid},
		{"D27/another typ", es384.token(), token.ErrInvalid},
		{"D27/no typ", es384.mint(es384.header("typ", absent{}), payload()), token.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verifier, err := token.NewVerifier(narrow, token.WithTransport(newIDP(jwksOf(all...)...)))
				if err != nil {
					t.Fatal(err)
				}
				_, err = verifier.Verify(t.Context(), test.raw)
				checkError(t, err, test.err)
			})
		})
	}
}
