package guardtest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// updateVariable is the environment variable that has AssertAccess write its file.
const updateVariable = "GUARDTEST_UPDATE"

// AssertAccess fails the test unless a file holds what [Access] returns, so that a review sees who may call what, and
// each change:
//
//	guardtest.AssertAccess(t, "testdata/access.golden", table, callers)
//
// With GUARDTEST_UPDATE=1 in the environment, AssertAccess writes the file instead, and makes its folder:
//
//	GUARDTEST_UPDATE=1 go test ./...
func AssertAccess(t testing.TB, file string, table *policy.Table, callers Callers) {
	t.Helper()
	got := Access(t, table, callers)
	if os.Getenv(updateVariable) == "1" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte(got), 0o600)); err != nil {
			t.Fatalf("guardtest: %s cannot be written: %v", file, err)
		}
		return
	}
	content, err := os.ReadFile(file) //nolint:gosec // a file that the test names
	if err != nil {
		t.Fatalf("guardtest: %v: run the test with %s=1 to write the file, and review it", err, updateVariable)
	}
	if want := strings.ReplaceAll(string(content), "\r\n", "\n"); got != want { // git may have changed the line breaks
		t.Errorf("guardtest: who may call what is not as in %s. If the change is right, run the test with %s=1, and review the file:\n%s",
			file, updateVariable, difference(want, got))
	}
}

// difference returns the lines that only one of two texts has, behind "-" and "+". A change of one line may change the
// width of a column in all lines, which is left out.
func difference(want, got string) string {
	before, after := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for _, side := range []struct {
		mark         string
		lines, other []string
	}{{"-", before, after}, {"+", after, before}} {
		for _, line := range side.lines {
			same := func(other string) bool { return slices.Equal(strings.Fields(line), strings.Fields(other)) }
			if !slices.ContainsFunc(side.other, same) {
				out.WriteString(side.mark + line + "\n")
			}
		}
	}
	return out.String()
}
