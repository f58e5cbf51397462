package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestMutations keeps the list from going stale.
func TestMutations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range mutations {
		if seen[m.name] || m.old == m.new || strings.HasSuffix(m.file, "_test.go") || filepath.Ext(m.file) != ".go" {
			t.Errorf("%s: given twice, no change, or of a file that is not to be changed", m.name)
		}
		seen[m.name] = true
		if _, err := m.apply("../../../.."); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for pkg, users := range users {
		for _, dir := range append(users, pkg) {
			if tests, err := filepath.Glob(filepath.Join("../../../..", dir, "*_test.go")); err != nil || len(tests) == 0 {
				t.Errorf("%s has no tests: %v", dir, err)
			}
		}
	}
}
