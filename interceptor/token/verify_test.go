package token_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A verification is a token and the error that it must get.
type verification struct {
	name string // the case of the attack catalogue, and a description
	raw  string
	err  error
}

// trials are the verifications of tokens at the epoch.
func trials() (tests []verification) {
	verdicts := map[tokens.Verdict]error{
		tokens.Malformed: token.ErrMalformed, tokens.Invalid: token.ErrInvalid,
		tokens.Expired: token.ErrExpired, tokens.NotYetValid: token.ErrNotYetValid,
	}
	for _, trial := range scene.Trials() {
		tests = append(tests, verification{trial.String(), trial.Raw, verdicts[trial.Verdict]})
	}
	return tests
}

// opaque are good tokens that no rule lets in. Verify accepts them.
func opaque() []verification {
	return []verification{
		{"D25/other API", scene.Token(es384, "aud", tokens.OtherAPI), nil},
		{"D25/aud missing", scene.Token(es384, "aud", absent{}), nil},
		{"D25/aud empty", scene.Token(es384, "aud", ""), nil},
		{"D25/aud of none", scene.Token(es384, "aud", []string{}), nil},
		{"D26/slash", scene.Token(es384, "aud", api+"/"), nil},
		{"D32/scope missing", scene.Token(es384, "scope", absent{}), nil},
		{"D32/scope empty", scene.Token(es384, "scope", ""), nil},
	}
}

// TestVerify runs all verifications at the same moment, each with a verifier that
// has no keys yet.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(trials(), opaque()) {
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
				if n := idp.Count("") - idp.Count(discoveryURL) - idp.Count(keySetURL); n != 0 {
					t.Errorf("%d requests to URLs that nobody configured", n)
				}
			})
		})
	}
}

// TestTypeLength makes sure that a typ longer than any media type is refused.
func TestTypeLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for length, want := range map[int]error{255: nil, 256: token.ErrInvalid} {
			issuer := issuer(issuerURL)
			issuer.Types = []string{strings.Repeat("t", length)}
			_, err := unverified.Token(issuer, eddsa.Mint(eddsa.Header("typ", issuer.Types[0]), payload()))
			checkError(t, err, want)
		}
	})
}

// TestSize has the longest token, and a token with one byte more.
func TestSize(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		verifier := newVerifier(t, newIDP(eddsa.JWK()))
		longest := scene.Sized(eddsa, token.MaxBytes)
		for range 2 {
			if _, err := verifier.Verify(t.Context(), longest); err != nil {
				t.Errorf("D09/%d bytes: %v", token.MaxBytes, err)
			}
		}
		if stats := verifier.Stats(); stats.Hits != 1 {
			t.Errorf("D09/%d bytes: %+v, want a hit", token.MaxBytes, stats)
		}
		_, err := verifier.Verify(t.Context(), scene.Sized(eddsa, token.MaxBytes+1))
		checkError(t, err, token.ErrMalformed)
	})
}

// TestRefusalIsCheap counts the allocations for the largest inputs.
func TestRefusalIsCheap(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	idp := newIDP(jwksOf(all...)...)
	verifier := newVerifier(t, idp)
	tests := []verification{
		{"D08/a million dots", strings.Repeat(".", 1_000_000), token.ErrMalformed},
		{"D08/dots up to the cap", strings.Repeat(".", token.MaxBytes), token.ErrMalformed},
		{"D09/1 MiB", strings.Repeat("x", 1<<20), token.ErrMalformed},
		{"D09/a claim of 64 KiB", scene.Token(eddsa, "exp", never, "pad", strings.Repeat("x", 64<<10)), token.ErrMalformed},
		{"D10/another alg", eddsa.Mint(eddsa.Header("alg", "none"), payload("pad", strings.Repeat("x", 4096))), token.ErrInvalid},
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
			if idp.Count("") > 0 {
				t.Error("a refusal by form asks for keys")
			}
		})
	}
}

// view has the results of all methods of [token.Claims].
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
		verifier := newVerifier(t, newIDP(es384.JWK()), token.WithLeeway(5*time.Second))
		got, err := verifier.Verify(t.Context(), scene.Token(es384, "organization_id", "org_1", "aud", []string{api, "b"}))
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
				verifier := newVerifier(t, newIDP(eddsa.JWK()), token.WithLeeway(leeway))
				raw := scene.Token(eddsa, "nbf", epoch+1000, "exp", epoch+2000)
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

// TestTwoIssuers has tokens with the name of one issuer and the signature of another. Both
// issuers have a key with the same kid.
func TestTwoIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mine, theirs := newEd25519("same"), newEd25519("same")
		idp := newIDP(mine.JWK())
		idp.ServeIssuer(tokens.I2, theirs.JWK())
		both := newVerifier(t, idp, token.WithIssuer(issuer(otherIssuer)))
		tests := []verification{
			{"D24/mine", scene.Token(mine), nil},
			{"D24/theirs", scene.Token(theirs, "iss", otherIssuer), nil},
			{"D30/mine by their key", scene.Token(theirs), token.ErrInvalid},
			{"D30/theirs by my key", scene.Token(mine, "iss", otherIssuer), token.ErrInvalid},
		}
		for round := range 1000 {
			for _, test := range tests {
				if test.err == nil && round%10 != 0 {
					continue
				}
				claims, err := both.Verify(t.Context(), test.raw)
				if checkError(t, err, test.err); t.Failed() {
					t.Fatal(test.name, claims)
				}
			}
		}
		if n := idp.Count(""); n != 8 { // each issuer is asked once more: it may have used the kid again
			t.Errorf("%d requests, want 8", n)
		}

		idp = newIDP(mine.JWK())
		_, err := newVerifier(t, idp).Verify(t.Context(), scene.Token(theirs, "iss", otherIssuer))
		checkError(t, err, token.ErrInvalid)
		if n := idp.Count(""); n != 0 {
			t.Errorf("D29: %d requests for an issuer that is not configured", n)
		}
	})
}

// TestNarrowIssuer has an issuer with one algorithm and one type.
func TestNarrowIssuer(t *testing.T) {
	t.Parallel()
	narrow := issuer(issuerURL)
	narrow.Algorithms = []string{"ES384"}
	narrow.Types = []string{"JWT"}
	tests := []verification{
		{"D12/an allowed alg", es384.Mint(es384.Header("typ", "jwt"), payload()), nil},
		{"D12/a supported alg that is not allowed", es256.Mint(es256.Header("typ", "JWT"), payload()), token.ErrInvalid},
		{"D27/another typ", scene.Token(es384), token.ErrInvalid},
		{"D27/no typ", es384.Mint(es384.Header("typ", absent{}), payload()), token.ErrInvalid},
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

// TestRefusedWithoutKeys makes sure that a token that is refused before its key is needed causes
// no fetch.
func TestRefusedWithoutKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := newIDP(es384.JWK())
		narrow := issuer(issuerURL)
		narrow.Algorithms = []string{"ES384"}
		verifier := must(token.NewVerifier(narrow, token.WithTransport(idp)))
		if _, err := verifier.Verify(t.Context(), scene.Token(es384)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the bubble's clock
		for name, raw := range map[string]string{
			"alg that is not allowed": scene.Token(es256),
			"kid of 257 bytes":        es384.Mint(es384.Header("kid", strings.Repeat("k", 257)), payload()),
			"another typ":             es384.Mint(es384.Header("typ", "JWT", "kid", "unknown"), payload()),
		} {
			_, err := verifier.Verify(t.Context(), raw)
			checkError(t, err, token.ErrInvalid)
			if idp.Count("") != 2 {
				t.Fatalf("%s: it causes a fetch", name)
			}
		}
	})
}

// TestDefaultType makes sure that an issuer without Types accepts access tokens alone.
func TestDefaultType(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		short := token.Issuer{URL: issuerURL, Algorithms: []string{"ES384"}}
		verifier := must(token.NewVerifier(short, token.WithTransport(newIDP(es384.JWK()))))
		for typ, want := range map[any]error{"at+jwt": nil, "JWT": token.ErrInvalid, "": token.ErrInvalid, absent{}: token.ErrInvalid} {
			_, err := verifier.Verify(t.Context(), es384.Mint(es384.Header("typ", typ), payload()))
			checkError(t, err, want)
		}
	})
}

// TestManyIssuers makes sure that a refusal costs no more with many issuers.
func TestManyIssuers(t *testing.T) {
	t.Parallel()
	var options []token.Option
	for n := range 100 {
		options = append(options, token.WithIssuer(issuer("https://idp.test/"+strconv.Itoa(n))))
	}
	verifier := newVerifier(t, newIDP(), options...)
	_, err := verifier.Verify(t.Context(), scene.Token(eddsa, "iss", "https://evil.test"))
	checkError(t, err, token.ErrInvalid)
	if text := err.Error(); len(text) > 300 || !strings.Contains(text, `"https://idp.test/0/oidc"`) || !strings.Contains(text, "96 more") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

// TestZeroVerifier makes sure that the zero Verifier accepts nothing.
func TestZeroVerifier(t *testing.T) {
	t.Parallel()
	verifier := new(token.Verifier)
	if claims, err := verifier.Verify(t.Context(), scene.Token(eddsa)); claims != nil || !errors.Is(err, token.ErrInvalid) {
		t.Errorf("%v, %v", claims, err)
	}
	if stats := verifier.Stats(); stats != (token.Stats{}) {
		t.Errorf("%+v", stats)
	}
}
