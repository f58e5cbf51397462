package main_test

import (
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"
)

// TestConfig shows that a faulty option ends the run, whatever rules are in use, and that
// the error names all faulty options.
func TestConfig(t *testing.T) {
	t.Parallel()
	annotated := scoped(t, "read:orders")
	other := importing(t, `
		service S {
			// Public: everybody may know.
			rpc R(M) returns (M) { option (protoauthz.v1.method).public = true; }
		}
		message M {}`)
	for _, c := range []struct {
		name    string
		files   *checktest.ProtoFileSpec
		options map[string]any
		want    []string // parts of the error, none if there is none
	}{
		{"good", annotated, map[string]any{
			"audience": "https://api.example.com", "public": []string{"grpc.health.v1.Health"},
			"shared_scopes": []string{"read:x"}, "scope_pattern": ".*", "unannotated_open": []string{"other.Module"}, "unannotated_refused": []string{"other.Module"},
		}, nil},
		{"unknown", annotated, map[string]any{"audiance": "https://api.example.com", "scope": "x"},
			[]string{`"audiance"`, `"scope"`, "audience, public, scope_pattern, shared_scopes, unannotated_open, unannotated_refused"}},
		{"of another type", annotated, map[string]any{"audience": []string{"a"}, "public": "b.B", "shared_scopes": true, "scope_pattern": int64(1), "unannotated_open": "b.B", "unannotated_refused": 1},
			[]string{`"audience"`, `"public"`, `"shared_scopes"`, `"scope_pattern"`, `"unannotated_open"`, `"unannotated_refused"`}},
		{"malformed", annotated, map[string]any{"audience": "a b", "public": []string{"c d"}, "shared_scopes": []string{"e f"}, "scope_pattern": "a)|(?:b", "unannotated_open": []string{"g h"}, "unannotated_refused": []string{"i j"}},
			[]string{"option audience:", "option public:", "option shared_scopes:", "option scope_pattern:", "option unannotated_open:", "option unannotated_refused:"}},
		{"no service", annotated, map[string]any{"audience": "https://api.example.com", "public": []string{"a.E"}}, []string{"option public: a.E"}},
		{"importing", other, nil, nil},
		{"annotated in an import", other, map[string]any{"public": []string{"faults.Opened"}}, []string{"option public: service faults.Opened"}},
	} {
		for _, category := range []string{"PROTOAUTHZ", "PROTOAUTHZ_LOOSER", "PROTOAUTHZ_TIGHTER"} {
			t.Run(c.name+"/"+category, func(t *testing.T) {
				t.Parallel()
				_, err := run(t, &checktest.RequestSpec{Files: c.files, AgainstFiles: c.files, Options: c.options, RuleIDs: ids(category)})
				if (err != nil) != (len(c.want) > 0) {
					t.Fatalf("got error %v, want one with %q", err, c.want)
				}
				for _, part := range c.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("got error %v, want one with %q", err, part)
					}
				}
			})
		}
	}
}
