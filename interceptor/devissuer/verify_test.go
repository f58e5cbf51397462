package devissuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

const issuerURL = "http://127.0.0.1:8080/oidc"

const (
	api   = "https://api.example.test"
	other = "https://other.example.test/"
)

// logtoTenant is the tenant of the recorded tokens of a real Logto server.
func logtoTenant() devissuer.Config {
	return devissuer.Config{
		Resources: map[string][]string{
			api:   {"read:products", "write:orders", "read:data", "write:settings"},
			other: {"read:products", "other:scope"},
		},
		OrganizationScopes: []string{"invite:member", "manage:billing"},
		Organizations:      []string{"xqki9rxdl206", "mracn5idm81j", "j9tqnb6j0ved"},
		Clients: []devissuer.Client{
			{
				ID:     "full",
				Secret: "full-secret",
				Scopes: map[string][]string{
					api:   {"read:products", "write:orders"},
					other: {"read:products", "other:scope"},
				},
				Organizations: map[string]devissuer.Membership{
					"xqki9rxdl206": {
						OrganizationScopes: []string{"manage:billing", "invite:member"},
						Scopes:             map[string][]string{api: {"read:data", "write:settings"}},
					},
					"mracn5idm81j": {
						OrganizationScopes: []string{"invite:member"},
						Scopes:             map[string][]string{api: {"read:data"}},
					},
				},
			},
			{
				ID:     "reader",
				Secret: "reader-secret",
				Scopes: map[string][]string{api: {"read:products"}},
				Organizations: map[string]devissuer.Membership{
					"xqki9rxdl206": {
						OrganizationScopes: []string{"invite:member"},
						Scopes:             map[string][]string{api: {"read:data"}},
					},
				},
			},
			{ID: "noroles", Secret: "no roles: +%&=", Organizations: map[string]devissuer.Membership{"xqki9rxdl206": {}}},
		},
	}
}

func newIssuer(t testing.TB, config devissuer.Config) *devissuer.Issuer {
	t.Helper()
	issuer, err := devissuer.New(issuerURL, config)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func mint(t testing.TB, issuer *devissuer.Issuer, claims map[string]any, options ...devissuer.MintOption) string {
	t.Helper()
	token, err := issuer.Mint(claims, options...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func get(t testing.TB, handler http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	return serve(handler, httptest.NewRequest(http.MethodGet, path, nil))
}

// tokenRequest is a request as a client makes it: a form, and Basic credentials when there is an id.
func tokenRequest(body, id, secret string) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/oidc/token", strings.NewReader(body))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	return request
}

// serve answers a request from this machine.
func serve(handler http.Handler, request *http.Request) *httptest.ResponseRecorder {
	request.RemoteAddr, request.Host = "127.0.0.1:1234", "127.0.0.1:8080"
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func decodeJSON[T any](t testing.TB, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return value
}

type jwkSet struct {
	Keys []map[string]string `json:"keys"`
}

func fetchKeys(t testing.TB, issuer *devissuer.Issuer) jwkSet {
	t.Helper()
	return decodeJSON[jwkSet](t, get(t, issuer, "/oidc/jwks").Body.Bytes())
}

func keyIDs(keys jwkSet) []string {
	var ids []string
	for _, key := range keys.Keys {
		ids = append(ids, key["kid"])
	}
	return ids
}

// decode splits a token without verifying it.
func decode(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		t.Fatalf("%d segments", len(segments))
	}
	for n, target := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.Strict().DecodeString(segments[n])
		if err != nil {
			t.Fatal(err)
		}
		*target = decodeJSON[map[string]any](t, data)
	}
	return header, claims
}

var errNoKey = errors.New("no key of this id")

// verify checks a token's signature against a key set, by the standard library alone.
func verify(t testing.TB, keys jwkSet, token string) error {
	t.Helper()
	header, _ := decode(t, token)
	end := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.Strict().DecodeString(token[end+1:])
	if err != nil {
		return err
	}
	for _, key := range keys.Keys {
		if key["kid"] != header["kid"] {
			continue
		}
		switch header["alg"] {
		case "ES384":
			return verifyEC(key, elliptic.P384(), crypto.SHA384, token[:end], signature)
		case "ES256":
			return verifyEC(key, elliptic.P256(), crypto.SHA256, token[:end], signature)
		case "RS256":
			public := rsa.PublicKey{
				N: new(big.Int).SetBytes(decodeSegment(key["n"])),
				E: int(new(big.Int).SetBytes(decodeSegment(key["e"])).Int64()),
			}
			digest := sha256.Sum256([]byte(token[:end]))
			return rsa.VerifyPKCS1v15(&public, crypto.SHA256, digest[:], signature)
		}
		return fmt.Errorf("algorithm %v", header["alg"])
	}
	return errNoKey
}

func verifyEC(key map[string]string, curve elliptic.Curve, hash crypto.Hash, signed string, signature []byte) error {
	size := (curve.Params().BitSize + 7) / 8
	x, y := decodeSegment(key["x"]), decodeSegment(key["y"])
	if len(x) != size || len(y) != size || len(signature) != 2*size {
		return fmt.Errorf("x of %d, y of %d and signature of %d bytes", len(x), len(y), len(signature))
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write([]byte(signed))
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	if !ecdsa.Verify(public, h.Sum(nil), r, s) {
		return errors.New("wrong signature")
	}
	return nil
}

func decodeSegment(segment string) []byte {
	data, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil
	}
	return data
}
