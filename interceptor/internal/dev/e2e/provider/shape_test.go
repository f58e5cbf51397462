package provider_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestShape makes sure that the identity provider can stand for Logto: its tokens have the members of
// recorded tokens, of the same types, and it refuses requests that Logto refuses.
func TestShape(t *testing.T) {
	t.Parallel()
	i := startIDP(t)
	data, err := os.ReadFile("../../../../token/testdata/logto-1.37.1.json")
	if err != nil {
		t.Fatal(err)
	}
	var logto struct {
		Tokens []struct {
			Name            string
			Header, Payload map[string]any
		}
	}
	if err := json.Unmarshal(data, &logto); err != nil {
		t.Fatal(err)
	}
	recorded := map[string]jwt{}
	for _, token := range logto.Tokens {
		recorded[token.Name] = jwt{token.Header, token.Payload}
	}
	api := tenants[0].audience
	for name, g := range map[string]grant{
		"1-global-api":                       {"acme-viewer", api, "", "read:products"},
		"1d-global-api-ungranted-scope-only": {"acme-viewer", api, "", "write:orders"},
		"2-org-nonapi":                       {"acme-admin", "", "acme", "invite:member"},
		"2b-org-nonapi-noscope":              {"acme-admin", "", "acme", ""},
		"2e-org-nonapi-noroles":              {"acme-viewer", "", "acme", "invite:member"},
		"3-org-api":                          {"acme-viewer", api, "acme", "read:data"},
		"3e-org-api-noroles":                 {"acme-viewer", api, "acme", "write:settings"},
	} {
		want := recorded[name]
		got, err := decode(i.obtain(t, g))
		if err != nil || want.payload == nil {
			t.Errorf("%s: %v, recorded %v", name, err, want)
			continue
		}
		if got.header["kid"] = want.header["kid"]; !maps.Equal(got.header, want.header) {
			t.Errorf("%s: got header %v, want %v", name, got.header, want.header)
		}
		if shape(got.payload) != shape(want.payload) {
			t.Errorf("%s: got %s, want %s", name, shape(got.payload), shape(want.payload))
		}
	}
	for want, g := range map[refusal]grant{
		"access_denied":  {"acme-admin", api, "globex", "read:data"},
		"invalid_target": {"acme-admin", api + "/", "", "read:products"},
	} {
		if _, err := i.token(t.Context(), g); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", g, err, want)
		}
	}
}

// shape lists the members of an object by name and type.
func shape(object map[string]any) string {
	var members []string
	for name, value := range object {
		switch value := value.(type) {
		case string:
			name += " string"
			if value == "" {
				name += ", empty"
			}
		case float64:
			name += " number"
		}
		members = append(members, name)
	}
	return strings.Join(slices.Sorted(slices.Values(members)), "; ")
}
