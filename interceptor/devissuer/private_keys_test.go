package devissuer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

// TestKeptKeys makes sure that an issuer goes on with the keys of another, with its tokens too.
func TestKeptKeys(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES384", "ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			config := logtoTenant()
			config.SigningAlgorithm = algorithm
			first := newIssuer(t, config)
			yesterday := mint(t, first, nil)
			if err := first.Rotate(); err != nil {
				t.Fatal(err)
			}
			raw, opaque := mint(t, first, nil), mint(t, first, nil, devissuer.WithOpaque())
			for _, other := range []string{algorithm, ""} {
				config.SigningAlgorithm, config.Keys = other, first.PrivateKeys()
				second := newIssuer(t, config)
				if got, want := fetchKeys(t, second), fetchKeys(t, first); !reflect.DeepEqual(got, want) || len(got.Keys) != 2 {
					t.Errorf("keys %v, want %v", got, want)
				}
				if string(second.PrivateKeys()) != string(first.PrivateKeys()) {
					t.Error("the private keys differ")
				}
				for _, raw := range []string{raw, opaque, yesterday} {
					if introspect(t, second, raw)["active"] != true {
						t.Error("a token of the first issuer is not active")
					}
				}
				if err := verify(t, fetchKeys(t, first), mint(t, second, nil)); err != nil {
					t.Error(err)
				}
				if err := second.Rotate(); err != nil {
					t.Fatal(err)
				}
				if header, _ := decode(t, mint(t, second, nil)); header["alg"] != algorithm {
					t.Errorf("after rotation: alg %v", header["alg"])
				}
			}
		})
	}
}

// TestKeptKeysOfAnotherAlgorithm makes sure that no issuer signs with another key than the first that was kept.
func TestKeptKeysOfAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	first := newIssuer(t, devissuer.Config{SigningAlgorithm: "ES256"})
	for algorithm, want := range map[string]string{
		"ES384": "devissuer: SigningAlgorithm: the first key is of ES256: write that algorithm, or remove the keys",
		"HS256": `devissuer: SigningAlgorithm: "HS256" is not supported: write ES384, ES256 or RS256`,
	} {
		issuer, err := devissuer.New(issuerURL, devissuer.Config{SigningAlgorithm: algorithm, Keys: first.PrivateKeys()})
		if issuer != nil || fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", algorithm, err, want)
		}
	}
}

func TestKeysFaults(t *testing.T) {
	t.Parallel()
	key := func(algorithm string) map[string]string {
		set := decodeJSON[jwkSet](t, newIssuer(t, devissuer.Config{SigningAlgorithm: algorithm}).PrivateKeys())
		return set.Keys[0]
	}
	change := func(algorithm string, members ...string) string {
		jwk := key(algorithm)
		for n := 0; n < len(members); n += 2 {
			jwk[members[n]] = members[n+1]
		}
		text, err := json.Marshal(jwk)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	other := key("ES384")
	one := change("ES256")
	large := strings.Repeat("_", 8192/6+3)
	const (
		set     = `Keys: must be a JWK Set (RFC 7517 §5) with a private key, as PrivateKeys returns it: {"keys": [{"kty": "EC", …}]}`
		keyType = "Keys[0]: must be an EC key of the curve P-384 or P-256, or an RSA key of 2048 to 8192 bits"
		private = "Keys[0]: the private key is missing, broken, or does not fit the public key"
	)
	for name, test := range map[string]struct{ keys, want string }{
		"a set":               {`{"$comment": "x", "keys": [` + change("ES384", "ext", "true") + `]}`, ""},
		"without kid":         {`{"keys": [` + change("RS256", "kid", "") + `]}`, ""},
		"empty":               {``, set},
		"no JSON":             {`s3cret`, set},
		"no keys":             {`{"keys": []}`, set},
		"a key alone":         {one, set},
		"not texts":           {`{"keys": [{"d": 53}]}`, set},
		"kty":                 {`{"keys": [` + change("ES384", "kty", "oct") + `]}`, keyType},
		"crv":                 {`{"keys": [` + change("ES384", "crv", "P-521") + `]}`, keyType},
		"another crv":         {`{"keys": [` + change("ES384", "crv", "P-256") + `]}`, private},
		"a small modulus":     {`{"keys": [` + change("RS256", "n", "AQAB") + `]}`, keyType},
		"a large modulus":     {`{"keys": [` + change("RS256", "n", large) + `]}`, keyType},
		"a large prime":       {`{"keys": [` + change("RS256", "q", large) + `]}`, keyType},
		"a large d":           {`{"keys": [` + change("RS256", "d", large) + `]}`, keyType},
		"d has a line break":  {`{"keys": [` + change("ES384", "d", other["d"]+"\n", "x", other["x"], "y", other["y"], "kid", "") + `]}`, private},
		"no d":                {`{"keys": [` + change("ES384", "d", "") + `]}`, private},
		"d is no base64url":   {`{"keys": [` + change("ES384", "d", "s3cret+/") + `]}`, private},
		"d is zero":           {`{"keys": [` + change("ES384", "d", strings.Repeat("A", 64)) + `]}`, private},
		"another x":           {`{"keys": [` + change("ES384", "x", other["x"]) + `]}`, private},
		"another y":           {`{"keys": [` + change("ES384", "y", other["y"]) + `]}`, private},
		"another d":           {`{"keys": [` + change("ES384", "d", other["d"]) + `]}`, private},
		"RSA without d":       {`{"keys": [` + change("RS256", "d", "") + `]}`, private},
		"RSA without p":       {`{"keys": [` + change("RS256", "p", "") + `]}`, private},
		"RSA, another q":      {`{"keys": [` + change("RS256", "q", key("RS256")["q"]) + `]}`, private},
		"RSA, e is zero":      {`{"keys": [` + change("RS256", "e", "AA") + `]}`, private},
		"another's kid":       {`{"keys": [` + change("ES384", "kid", other["kid"]) + `]}`, "Keys[0]: kid must be the thumbprint of the key (RFC 7638): leave kid out"},
		"twice":               {`{"keys": [` + one + `, ` + one + `]}`, "Keys[1]: the key stands twice: remove one"},
		"a broken one behind": {`{"keys": [` + one + `, {}]}`, strings.Replace(keyType, "[0]", "[1]", 1)},
	} {
		issuer, err := devissuer.New(issuerURL, devissuer.Config{Keys: []byte(test.keys)})
		if got := fmt.Sprint(err); test.want != "" && got != "devissuer: "+test.want || test.want == "" && err != nil || (issuer == nil) != (err != nil) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if _, isFault := errors.AsType[*devissuer.Fault](err); err != nil && !isFault || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
