package policy_test

import (
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The form of a pattern, by other means than in the package.
var (
	patternForms   = map[string]*regexp.Regexp{"organization": patternForm("organization"), "subject": patternForm("subject"), "client": patternForm("client")}
	steps          = regexp.MustCompile(`(?:\A|/)\.\.?(?:/|\z)`) // of a path
	patternLetters = regexp.MustCompile(`\A[\pL\pM\pN\pP\pS]*\z`)
)

func patternForm(noun string) *regexp.Regexp {
	return regexp.MustCompile(`\A(?:(?:\*|[^/{}*]+)/)*\{` + noun + `\}(?:/(?:\*|[^/{}*]+))*\z`)
}

// fieldFault and patternFault are the kinds of fault of a bad path and a bad pattern.
func fieldFault(noun string) policy.FaultKind {
	if noun == "organization" {
		return policy.FaultOrganizationField
	}
	return policy.FaultSubjectField
}

func patternFault(noun string) policy.FaultKind {
	if noun == "organization" {
		return policy.FaultOrganizationPattern
	}
	return policy.FaultSubjectPattern
}

// nameIn is an oracle: it finds the noun's name in a resource name by a regular expression made of the pattern.
func nameIn(noun, pattern, value string) string {
	expression := strings.NewReplacer(`\{`+noun+`\}`, `([^/]+)`, `\*`, `[^/]+`).Replace(regexp.QuoteMeta(pattern))
	match := regexp.MustCompile(`\A` + expression + `\z`).FindStringSubmatch(value)
	if match == nil || steps.MatchString(value) {
		return ""
	}
	return match[1]
}

// FuzzPattern compares patterns with an oracle: whether they compile, and what they
// match.
func FuzzPattern(f *testing.F) {
	add := func(pattern, value, id string) {
		for i, noun := range nouns {
			f.Add(uint8(i), of(noun, pattern), of(noun, value), id)
			f.Add(uint8(i), pattern, value, id) // of another noun
		}
	}
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
		add(pattern, value, c.id)
		if c.want {
			matching++
		} else {
			failing++
		}
	}
	if matching < 10 || failing < 50 {
		f.Fatalf("%d matching and %d failing seeds: too few", matching, failing)
	}
	for _, pattern := range []string{"{user}/{organization}", "{subject}", "{client}/{subject}", "{organization}/**", "/{organization}", "{organization}/{organization}", "{org}", "a b/{organization}", "{organization}\n", "../{organization}", "{organization}/."} {
		add(pattern, "acme", "acme")
	}
	add("organizations/{organization}/*/*", "organizations/acme/../globex", "acme")
	add("*/{organization}/x", "./acme/x", "..")
	f.Fuzz(func(t *testing.T, n uint8, pattern, value, id string) {
		noun := nouns[int(n)%len(nouns)]
		if !utf8.ValidString(pattern) || !utf8.ValidString(value) || !utf8.ValidString(id) {
			t.Skip("protobuf strings and JSON claims are valid UTF-8")
		}
		file := fileWith(t, option(encode(t, naming(noun, "organization_id", pattern))), nil)
		table, err := policy.Compile(policy.Files{file})
		if pattern != "" && (!patternForms[noun].MatchString(pattern) || steps.MatchString(pattern) || !patternLetters.MatchString(pattern)) {
			if err == nil {
				t.Fatalf("pattern %q compiles", pattern)
			}
			if kind := faultsOf(t, err)[0].Kind; kind != patternFault(noun) {
				t.Fatalf("pattern %q: got fault %s, want %s", pattern, kind, patternFault(noun))
			}
			return
		}
		if err != nil {
			t.Fatalf("pattern %q: %v", pattern, err)
		}
		rule := checkerOf(t, table, "/wire.v1.Service/Call", noun)
		matches := func(value, id string) bool {
			request := dynamicpb.NewMessage(file.Messages().ByName("Request"))
			request.Set(request.Descriptor().Fields().ByName("organization_id"), protoreflect.ValueOfString(value))
			return rule.Check(request, id) == nil
		}
		named := value
		if pattern != "" {
			named = nameIn(noun, pattern, value)
		}
		if got, want := matches(value, id), id != "" && named == id; got != want {
			t.Fatalf("pattern %q, value %q, id %q: got %t, want %t", pattern, value, id, got, want)
		}
		if named != "" && !matches(value, named) {
			t.Fatalf("pattern %q, value %q does not match its own id %q", pattern, value, named)
		}
		if pattern == "" {
			return
		}
		if clean := path.Clean("/" + value); named != "" && clean != "/"+value {
			t.Fatalf("pattern %q, value %q names %q, and is %s to a handler that cleans paths", pattern, value, named, clean)
		}
		// A value made from the pattern names the id, if the id fits
		// into a segment, and no longer one.
		made := strings.NewReplacer("{"+noun+"}", id, "*", "x").Replace(pattern)
		if got, want := matches(made, id), id != "" && !strings.Contains(id, "/") && !steps.MatchString(id); got != want {
			t.Fatalf("pattern %q, value %q, id %q: got %t, want %t", pattern, made, id, got, want)
		}
		if matches(made, id+"x") || matches(made+"/x", id) || matches("x/"+made, id) {
			t.Fatalf("pattern %q matches more than value %q, id %q", pattern, made, id)
		}
	})
}
