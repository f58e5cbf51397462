package devissuer_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

func TestKeySet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		algorithm string
		members   []string
		want      map[string]string // the members that are the same for every key
		canonical func(key map[string]string) string
	}{
		{"ES384", []string{"alg", "crv", "kid", "kty", "use", "x", "y"},
			map[string]string{"kty": "EC", "use": "sig", "alg": "ES384", "crv": "P-384"}, canonicalEC},
		{"ES256", []string{"alg", "crv", "kid", "kty", "use", "x", "y"},
			map[string]string{"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256"}, canonicalEC},
		{"RS256", []string{"e", "kid", "kty", "n", "use"},
			map[string]string{"kty": "RSA", "use": "sig", "e": "AQAB"}, func(key map[string]string) string {
				return `{"e":"` + key["e"] + `","kty":"RSA","n":"` + key["n"] + `"}`
			}},
	}
	for _, test := range tests {
		t.Run(test.algorithm, func(t *testing.T) {
			t.Parallel()
			issuer := newIssuer(t, devissuer.Config{SigningAlgorithm: test.algorithm})
			keys := fetchKeys(t, issuer)
			if len(keys.Keys) != 1 {
				t.Fatalf("%d keys", len(keys.Keys))
			}
			key := keys.Keys[0]
			if members := slices.Sorted(maps.Keys(key)); !reflect.DeepEqual(members, test.members) {
				t.Errorf("members %v, want %v", members, test.members)
			}
			for name, value := range test.want {
				if key[name] != value {
					t.Errorf("%s %q, want %q", name, key[name], value)
				}
			}
			sum := sha256.Sum256([]byte(test.canonical(key)))
			if thumbprint := base64.RawURLEncoding.EncodeToString(sum[:]); key["kid"] != thumbprint {
				t.Errorf("kid %s, want %s", key["kid"], thumbprint)
			}
			token := mint(t, issuer, nil)
			if header, _ := decode(t, token); header["alg"] != test.algorithm {
				t.Errorf("alg %v", header["alg"])
			}
			if err := verify(t, keys, token); err != nil {
				t.Error(err)
			}
		})
	}
}

func canonicalEC(key map[string]string) string {
	return `{"crv":"` + key["crv"] + `","kty":"EC","x":"` + key["x"] + `","y":"` + key["y"] + `"}`
}

// Coordinates with leading zeros come once in 128 keys: they must not get shorter.
func TestCoordinatesHaveFullLength(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{SigningAlgorithm: "ES256"})
	for range 600 {
		if err := issuer.Rotate(); err != nil {
			t.Fatal(err)
		}
		for _, key := range fetchKeys(t, issuer).Keys {
			if len(key["x"]) != 43 || len(key["y"]) != 43 {
				t.Fatalf("x %q, y %q", key["x"], key["y"])
			}
		}
	}
}

func TestETag(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{})
	fetch := func(etag string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, "/oidc/jwks", nil)
		if etag != "" {
			request.Header.Set("If-None-Match", etag)
		}
		return serve(issuer, request)
	}
	first := fetch("")
	etag := first.Header().Get("ETag")
	if etag == "" || first.Header().Get("Content-Type") != "application/jwk-set+json" ||
		first.Header().Get("Cache-Control") != "no-cache, max-age=0" {
		t.Fatalf("%v", first.Header())
	}
	if same := fetch(etag); same.Code != http.StatusNotModified || same.Body.Len() != 0 {
		t.Errorf("same keys: %d, %d bytes", same.Code, same.Body.Len())
	}
	if err := issuer.Rotate(); err != nil {
		t.Fatal(err)
	}
	if changed := fetch(etag); changed.Code != http.StatusOK || changed.Header().Get("ETag") == etag {
		t.Errorf("other keys: %d %v", changed.Code, changed.Header())
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, devissuer.Config{SigningAlgorithm: "ES256"})
	token := func() (token, keyID string) {
		token = mint(t, issuer, nil)
		header, _ := decode(t, token)
		keyID, _ = header["kid"].(string)
		return token, keyID
	}
	check := func(step string, ids []string, good, bad []string) {
		t.Helper()
		keys := fetchKeys(t, issuer)
		if got := keyIDs(keys); !reflect.DeepEqual(got, ids) {
			t.Errorf("%s: keys %v, want %v", step, got, ids)
		}
		for _, token := range good {
			if err := verify(t, keys, token); err != nil {
				t.Errorf("%s: %v", step, err)
			}
		}
		for _, token := range bad {
			if err := verify(t, keys, token); !errors.Is(err, errNoKey) {
				t.Errorf("%s: dropped key: %v", step, err)
			}
		}
	}
	rotate := func() {
		t.Helper()
		if err := issuer.Rotate(); err != nil {
			t.Fatal(err)
		}
	}

	first, firstID := token()
	check("start", []string{firstID}, []string{first}, nil)
	rotate()
	second, secondID := token()
	check("overlap", []string{secondID, firstID}, []string{first, second}, nil)
	rotate()
	third, thirdID := token()
	check("third key", []string{thirdID, secondID}, []string{second, third}, []string{first})
	issuer.TrimKeys()
	check("trimmed", []string{thirdID}, []string{third}, []string{first, second})
	issuer.TrimKeys()
	check("trimmed again", []string{thirdID}, []string{third}, nil)
	if ids := []string{firstID, secondID, thirdID}; len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 3 {
		t.Errorf("key ids %v", ids)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	config := logtoTenant()
	config.SigningAlgorithm = "ES256"
	issuer := newIssuer(t, config)
	const form = "grant_type=client_credentials&resource=" + api
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if response := serve(issuer, tokenRequest(form, "full", "full-secret")); response.Code != http.StatusOK {
					t.Errorf("token endpoint answers %d", response.Code)
				}
				token, err := issuer.Mint(nil)
				if err != nil {
					t.Error(err)
				}
				// A key that is gone by now is right, a wrong signature never.
				if err := verify(t, fetchKeys(t, issuer), token); err != nil && !errors.Is(err, errNoKey) {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() {
		for range 20 {
			if err := issuer.Rotate(); err != nil {
				t.Error(err)
			}
			issuer.TrimKeys()
		}
	})
	group.Wait()
}
