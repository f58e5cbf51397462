package deptest

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	graph := map[string][]string{
		module + "/a":   {"fmt", module + "/b/c"},
		module + "/b/c": {"net/http", "x.org/y/v2"},
		"fmt":           {},
		"net":           {},
		"net/http":      {"net"},
		"x.org/y/v2":    {},
	}
	for _, test := range []struct {
		rule Rule
		want []string
	}{
		{Rule{"./a", "fmt", nil, "why"}, []string{module + "/a must not depend on fmt: why (" + module + "/a -> fmt)"}},
		{Rule{"./a", "net", nil, "why"}, []string{module + "/a must not depend on net: why (" + module + "/a -> " + module + "/b/c -> net/http -> net)"}},
		{Rule{"./b/...", "...", []string{"std"}, "why"}, []string{module + "/b/c must not depend on x.org/y/v2: why (" + module + "/b/c -> x.org/y/v2)"}},
		{Rule{"./b/...", "...", []string{"std", "x.org/y/..."}, "why"}, nil},
		{Rule{"./b/...", "./...", nil, "why"}, nil},
		{Rule{"./b/...", "fmt", nil, "why"}, nil},
		{Rule{"./b", "fmt", nil, "why"}, []string{"a rule for ./b, which is no package: why"}},
		{Rule{"./a", "x.org/yy/...", nil, "why"}, []string{"a ban on x.org/yy/..., which is no package: why"}},
	} {
		if got := check(graph, []Rule{test.rule}); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got %q\nwant %q", test.rule, got, test.want)
		}
	}
}
