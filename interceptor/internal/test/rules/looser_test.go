package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// compile returns the rule of a method.
func compile(t *testing.T, rule string) []*policy.Rule {
	t.Helper()
	const request = "message Request {string user_id = 1; string client_id = 2; string name = 3;}"
	source := `syntax = "proto3"; package a.v1; import "protoauthz/v1/authz.proto"; service A {
		option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
		rpc Call(Request) returns (Request) {option (protoauthz.v1.method) = {` + rule + `};}
	}` + request
	files, err := protos.Compile(t.Context(), root+"/proto", map[string]string{"a.proto": source}, "a.proto")
	if err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	table, err := policy.Compile(files, policy.WithAudience(api))
	if err != nil {
		t.Fatalf("%s: %v", rule, err)
	}
	return table.Rules()
}

// looser returns the changes that let in more calls.
func looser(before, after []*policy.Rule) string {
	var kinds []string
	for _, change := range policydiff.Compare(before, after) {
		if change.Kind.Looser() {
			kinds = append(kinds, string(change.Kind))
		}
	}
	return strings.Join(kinds, ", ")
}

// TestLooser makes sure that each change of the document is looser, and the change back is not.
func TestLooser(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, documents.Rules))
	if err != nil {
		t.Fatal(err)
	}
	changes := regexp.MustCompile("(?m)^\\| `(.+)` \\| `(.+)` \\| `([A-Z_]+)` \\|$").FindAllStringSubmatch(string(text), -1)
	if len(changes) < 7 {
		t.Errorf("there are %d changes", len(changes))
	}
	for _, change := range changes {
		before, after := compile(t, change[1]), compile(t, change[2])
		if got := looser(before, after); got != change[3] {
			t.Errorf("| `%s` | `%s` | `%s` |", change[1], change[2], got)
		}
		if got := looser(after, before); got != "" {
			t.Errorf("from %s to %s: %s", change[2], change[1], got)
		}
	}
}
