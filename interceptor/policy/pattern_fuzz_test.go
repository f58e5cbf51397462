package policy_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The form of a pattern, by other means than in the package.
var (
	patternForm    = regexp.MustCompile(`\A(?:(?:\*|[^/{}*]+)/)*\{organization\}(?:/(?:\*|[^/{}*]+))*\z`)
	steps          = regexp.MustCompile(`(?:\A|/)\.\.?(?:/|\z)`) // of a path
	patternLetters = regexp.MustCompile(`\A[\pL\pM\pN\pP\pS]*\z`)
)

// organizationIn is an oracle: it finds the organization in a resource name by
// a regular expression made of the pattern.
func organizationIn(pattern, value string) string {
	expression := strings.NewReplacer(`\{organization\}`, `([^/]+)`, `\*`, `[^/]+`).Replace(regexp.QuoteMeta(pattern))
	match := regexp.MustCompile(`\A` + expression + `\z`).FindStringSubmatch(value)
	if match == nil || steps.MatchString(value) {
		return ""
	}
	return match[1]
}

// FuzzPattern compares patterns with an oracle: whether they compile, and what they
// match.
func FuzzPattern(f *testing.F) {
	matching, failing := 0, 0
	for _, c := range matchCases {
		pattern := map[string]string{
			"Top":             "",
			"Pattern":         "organizations/{organization}/documents/*",
			"PatternLast":     "*/organizations/{organization}",
			"PatternOnly":     "{organization}",
			"PatternRepeated": "{organization}/*",
		}[c.method]
		_, value, _ := strings.Cut(strings.TrimSuffix(c.request, `"`), `"`)
		f.Add(pattern, value, c.id)
		if c.want {
			matching++
		} else {
			failing++
		}
	}
	if matching < 10 || failing < 50 {
		f.Fatalf("%d matching and %d failing seeds: too few", matching, failing)
	}
	for _, pattern := range []string{"{organization}/**", "/{organization}", "{organization}/{organization}", "{org}", "a b/{organization}", "{organization}\n", "../{organization}", "{organization}/."} {
		f.Add(pattern, "acme", "acme")
	}
	f.Add("organizations/{organization}/*/*", "organizations/acme/../globex", "acme")
	f.Add("*/{organization}/x", "./acme/x", "..")
	f.Fuzz(func(t *testing.T, pattern, value, id string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(value) || !utf8.ValidString(id) {
			t.Skip("protobuf strings and JSON claims are valid UTF-8")
		}
		file := fileWith(t, option(encode(t, &authzv1.MethodRule{
			Authenticated: true,
			Model:         authzv1.Model_MODEL_ORGANIZATION,
			Organization:  &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "organization_id"}, Pattern: pattern},
		})), nil)
		table, err := policy.Compile(policy.Files{file})
		if pattern != "" && (!patternForm.MatchString(pattern) || steps.MatchString(pattern) || !patternLetters.MatchString(pattern)) {
			if err == nil {
				t.Fatalf("pattern %q compiles", pattern)
			}
			if kind := faultsOf(t, err)[0].Kind; kind != policy.FaultOrganizationPattern {
				t.Fatalf("pattern %q: got fault %s, want %s", pattern, kind, policy.FaultOrganizationPattern)
			}
			return
		}
		if err != nil {
			t.Fatalf("pattern %q: %v", pattern, err)
		}
		organization := organizationOf(t, table, "/wire.v1.Service/Call")
		matches := func(value, id string) bool {
			request := dynamicpb.NewMessage(file.Messages().ByName("Request"))
			request.Set(request.Descriptor().Fields().ByName("organization_id"), protoreflect.ValueOfString(value))
			return organization.Check(request, id) == nil
		}
		named := value
		if pattern != "" {
			named = organizationIn(pattern, value)
		}
		if got, want := matches(value, id), id != "" && named == id; got != want {
			t.Fatalf("pattern %q, value %q, organization %q: got %t, want %t", pattern, value, id, got, want)
		}
		if named != "" && !matches(value, named) {
			t.Fatalf("pattern %q, value %q does not match its own organization %q", pattern, value, named)
		}
		if pattern == "" {
			return
		}
		if clean := path.Clean("/" + value); named != "" && clean != "/"+value {
			t.Fatalf("pattern %q, value %q names the organization %q, and is %s to a handler that cleans paths", pattern, value, named, clean)
		}
		// A value made from the pattern names the organization, if that fits
		// into a segment, and no longer one.
		made := strings.NewReplacer("{organization}", id, "*", "x").Replace(pattern)
		if got, want := matches(made, id), id != "" && !strings.Contains(id, "/") && !steps.MatchString(id); got != want {
			t.Fatalf("pattern %q, value %q, organization %q: got %t, want %t", pattern, made, id, got, want)
		}
		if matches(made, id+"x") || matches(made+"/x", id) || matches("x/"+made, id) {
			t.Fatalf("pattern %q matches more than value %q, organization %q", pattern, made, id)
		}
	})
}
