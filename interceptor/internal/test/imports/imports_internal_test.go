package imports

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
		"z.org":         {},

		module + "/a.test":   {"z.org", module + "/b/c.test"},
		module + "/b/c.test": {module + "/a", "x.org/y/v2"},
		"net":                {},
		"net/http":           {"net"},
		"x.org/y/v2":         {},
	}
	for _, test := range []struct {
		rule Rule
		want []string
	}{
		{Rule{From: "./a", Ban: "fmt", Why: "why"}, []string{module + "/a must not depend on fmt: why (" + module + "/a -> fmt)"}},
		{Rule{From: "./a", Ban: "net", Why: "why"}, []string{module + "/a must not depend on net: why (" + module + "/a -> " + module + "/b/c -> net/http -> net)"}},
		{Rule{From: "./b/...", Ban: "...", But: []string{"std"}, Why: "why"}, []string{module + "/b/c must not depend on x.org/y/v2: why (" + module + "/b/c -> x.org/y/v2)"}},
		{Rule{From: "./b/...", Ban: "...", But: []string{"std", "x.org/y/..."}, Why: "why"}, nil},
		{Rule{From: "./b/...", Ban: "./...", Why: "why"}, nil},
		{Rule{From: "./b/...", Ban: "fmt", Why: "why"}, nil},
		{Rule{From: "./...", Ban: "fmt", Except: []string{"./b/..."}, Why: "why"}, []string{module + "/a must not depend on fmt: why (" + module + "/a -> fmt)"}},
		{Rule{From: "./...", Ban: "fmt", Except: []string{"./a", "./b/..."}, Why: "why"}, nil},
		{Rule{From: "./b", Ban: "fmt", Why: "why"}, []string{"a rule for ./b, which is not a package: why"}},
		{Rule{From: "./a", Ban: "x.org/yy/...", Why: "why"}, []string{"a ban on x.org/yy/..., which is not a package: why"}},
		{Rule{From: "./a", Ban: "z.org", Why: "why"}, nil},
		{Rule{From: "./a", Ban: "z.org", Tests: true, Why: "why"}, []string{module + "/a.test must not depend on z.org: why (" + module + "/a.test -> z.org)"}},
		{Rule{From: "./a", Ban: "...", But: []string{"std", "./...", "z.org"}, Tests: true, Why: "why"}, []string{module + "/a.test must not depend on x.org/y/v2: why (" + module + "/a.test -> " + module + "/b/c.test -> x.org/y/v2)"}},
		{Rule{From: "./...", Ban: "z.org", Except: []string{"./a"}, Tests: true, Why: "why"}, nil},
	} {
		if got := check(graph, []Rule{test.rule}); !slices.Equal(got, test.want) {
			t.Errorf("%v:\n got %q\nwant %q", test.rule, got, test.want)
		}
	}
}
