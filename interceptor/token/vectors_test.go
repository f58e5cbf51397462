package token_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// readVectors reads test vectors that are not part of this module.
func readVectors(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../../shared/vectors", name))
	if err != nil {
		t.Skipf("the external vectors are not here: %v", err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type wycheproof struct {
	NumberOfTests int `json:"numberOfTests"`
	TestGroups    []struct {
		Public  json.RawMessage `json:"public"`
		Private json.RawMessage `json:"private"`
		Tests   []struct {
			ID     int             `json:"tcId"`
			JWS    json.RawMessage `json:"jws"`
			Result string          `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

// outcome is how vectors of one kind end.
type outcome struct {
	symmetric, valid, accepted bool
}

// run verifies all vectors at the level of JWS, and returns how they end and the
// numbers of asymmetric vectors that end in another way than they should.
func (w *wycheproof) run(t *testing.T, keySet func(jwk json.RawMessage) string) (count map[outcome]int, deviating []int) {
	t.Helper()
	count = map[outcome]int{}
	total := 0
	for _, group := range w.TestGroups {
		end := outcome{symmetric: group.Public == nil}
		jwk := group.Public
		if end.symmetric {
			jwk = group.Private
		}
		for _, test := range group.Tests {
			total++
			var raw string
			if json.Unmarshal(test.JWS, &raw) != nil {
				raw = string(test.JWS) // JSON serialization
			}
			_, err := token.VerifyJWS([]byte(keySet(jwk)), raw)
			end.valid, end.accepted = test.Result == "valid", err == nil
			if count[end]++; !end.symmetric && end.valid != end.accepted {
				deviating = append(deviating, test.ID)
			}
		}
	}
	if total != w.NumberOfTests || total == 0 {
		t.Errorf("%d vectors ran, want %d", total, w.NumberOfTests)
	}
	return count, deviating
}

func checkOutcomes(t *testing.T, got, want map[outcome]int) {
	t.Helper()
	for _, symmetric := range []bool{true, false} {
		for _, valid := range []bool{true, false} {
			for _, accepted := range []bool{true, false} {
				if end := (outcome{symmetric, valid, accepted}); got[end] != want[end] {
					t.Errorf("%d vectors end as %+v, want %d", got[end], end, want[end])
				}
			}
		}
	}
}

func TestWycheproofSignatures(t *testing.T) {
	t.Parallel()
	vectors := new(wycheproof)
	readVectors(t, "wycheproof/json_web_signature_test.json", vectors)
	count, deviating := vectors.run(t, func(jwk json.RawMessage) string { return keySet(string(jwk)) })
	// Every symmetric one is refused, whatever it is worth: among the 10 valid ones
	// 372 and 373, which hold illegal base64, and among the 30 invalid ones 367 and
	// 370, which are the valid 357 byte for byte.
	checkOutcomes(t, count, map[outcome]int{
		{symmetric: true, valid: true}:  10,
		{symmetric: true, valid: false}: 30,
		{valid: true, accepted: true}:   26,
		{valid: true, accepted: false}:  10,
		{valid: false, accepted: false}: 325,
	})
	want := []int{
		259, 264, 268, 272, 320, 325, // the payload is empty: no token's is
		346, 347, // the key has PS256 and the header PS384; the key's alg is "ES521"
		350, 351, // the same with key_ops
	}
	if !slices.Equal(deviating, want) {
		t.Errorf("%v deviate, want %v", deviating, want)
	}
}

func TestWycheproofKeys(t *testing.T) {
	t.Parallel()
	vectors := new(wycheproof)
	readVectors(t, "wycheproof/json_web_key_test.json", vectors)
	count, deviating := vectors.run(t, func(set json.RawMessage) string { return string(set) })
	checkOutcomes(t, count, map[outcome]int{
		{symmetric: true, valid: true}:  4,
		{symmetric: true, valid: false}: 11, // among them 1, a MAC and a set that has an EC key too
		{valid: true, accepted: true}:   1,
		{valid: false, accepted: true}:  1,
		{valid: false, accepted: false}: 9,
	})
	// 7 is a key with the ROCA weakness, which takes a table of primes to tell.
	if want := []int{7}; !slices.Equal(deviating, want) {
		t.Errorf("%v deviate, want %v", deviating, want)
	}
}

// TestCookbook verifies the examples of RFC 7520 section 4, RFC 8037 and RFC 7797.
func TestCookbook(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // the payload, if it is accepted
		"jws/4_1.rsa_v15_signature.json":                 "It’s a dangerous business, Frodo, going out your door.",
		"jws/4_2.rsa-pss_signature.json":                 "It’s a dangerous business, Frodo, going out your door.",
		"jws/4_3.ecdsa_signature.json":                   "It’s a dangerous business, Frodo, going out your door.",
		"curve25519/jws.json":                            "Example of Ed25519 signing",
		"jws/4_4.hmac-sha2_integrity_protection.json":    "",
		"jws/4_5.signature_with_detached_content.json":   "",
		"jws/4_6.protecting_specific_header_fields.json": "",
		"jws/4_7.protecting_content_only.json":           "",
		"jws/4_8.multiple_signatures.json":               "",
		"rfc7797/hmac-sha2_b64_false.json":               "",
		"rfc7797/4.2.hmac-sha2_b64_false.json":           "",
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var example struct {
				Input struct {
					Key json.RawMessage `json:"key"`
				} `json:"input"`
				Output map[string]json.RawMessage `json:"output"`
			}
			readVectors(t, filepath.Join("rfc7520-cookbook", name), &example)
			// The examples give the private key.
			jwks := string(example.Input.Key)
			if jwks[0] != '[' {
				jwks = "[" + jwks + "]"
			}
			var keys []map[string]any
			if err := json.Unmarshal([]byte(jwks), &keys); err != nil {
				t.Fatal(err)
			}
			var public []string
			for _, key := range keys {
				public = append(public, tokens.With(key, "d", absent{}, "p", absent{}, "q", absent{}, "dp", absent{}, "dq", absent{}, "qi", absent{}))
			}
			if len(example.Output) == 0 {
				t.Fatal("no output")
			}
			for form, raw := range example.Output {
				var text string
				if json.Unmarshal(raw, &text) != nil {
					text = string(raw)
				}
				payload, err := token.VerifyJWS([]byte(keySet(public...)), text)
				if accept := want != "" && form == "compact"; accept != (err == nil) {
					t.Errorf("%s: %v", form, err)
				} else if accept && !strings.HasPrefix(string(payload), want) {
					t.Errorf("%s: payload %q, want %q", form, payload, want)
				}
			}
		})
	}
}
