package providers_test

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/providers"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestGuide makes sure that the guide has a section for each literal, sorted by name, and nothing else.
func TestGuide(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../token/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n## Providers\n")
	list, _, _ = strings.Cut(list, "\n## ")
	var names []string
	sections := map[string]string{}
	for n, section := range strings.Split(list, "\n### ") {
		if name, body, _ := strings.Cut(section, "\n"); n > 0 {
			names = append(names, name)
			sections[name] = body
		}
	}
	if !slices.IsSortedFunc(names, func(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }) {
		t.Errorf("the sections are not sorted: %q", names)
	}
	for _, literal := range guide.Literals() {
		if section := sections[literal.Section]; !strings.Contains(section, strconv.Quote(literal.Issuer.URL)) {
			t.Errorf("the section %q has no issuer %q", literal.Section, literal.Issuer.URL)
		}
		names = slices.DeleteFunc(names, func(name string) bool { return name == literal.Section })
	}
	for _, name := range names {
		t.Errorf("there is no literal for the section %q", name)
	}
}

// TestPresets makes sure that the guide has every preset in its table, sorted by provider, and that a setup holds it.
func TestPresets(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../token/presets*.go")
	if err != nil || len(files) != 3 {
		t.Fatalf("the files are %q, %v", files, err)
	}
	var source []byte
	for _, file := range files {
		part, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, part...)
	}
	text, err := os.ReadFile("../../../token/README.md")
	if err != nil {
		t.Fatal(err)
	}
	held, err := os.ReadFile("presets_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| ([^|]+) \\| `token\\.(\\w+)\\(").FindAllStringSubmatch(string(text), -1)
	if !slices.IsSortedFunc(rows, func(a, b []string) int { return cmp.Compare(strings.ToLower(a[1]), strings.ToLower(b[1])) }) {
		t.Errorf("the rows are not sorted: %q", rows)
	}
	presets := regexp.MustCompile(`(?m)^func ([A-Z]\w+)\(.*\) Issuer \{$`).FindAllStringSubmatch(string(source), -1)
	if len(presets) != len(rows) {
		t.Errorf("the presets are %q, and the rows %q", presets, rows)
	}
	for _, preset := range presets {
		if !slices.ContainsFunc(rows, func(row []string) bool { return row[2] == preset[1] }) {
			t.Errorf("the guide has no row for %s", preset[1])
		}
		if !strings.Contains(string(held), "token."+preset[1]+"(") {
			t.Errorf("no setup holds %s", preset[1])
		}
	}
}

// TestDocuments makes sure that every literal and preset can be written as a document, and read again.
func TestDocuments(t *testing.T) {
	t.Parallel()
	issuers := presets()
	for _, literal := range guide.Literals() {
		issuers[literal.Name] = literal.Issuer
	}
	for name, issuer := range issuers {
		document, err := json.Marshal(issuer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := token.ParseIssuer(document); err != nil || !reflect.DeepEqual(got, issuer) {
			t.Errorf("%s: %s is read as %+v, %v", name, document, got, err)
		}
	}
}

// TestKinds makes sure that every setup has a token of the same issuer that is not for the API, and refuses it.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, setup := range providers.Load(t) {
		if !slices.ContainsFunc(setup.Tokens, func(tok *providers.Token) bool { return slices.Contains(providers.Kinds, tok.Kind) }) {
			t.Errorf("%s has no refused token of the providers.Kinds %q", setup.Name, providers.Kinds)
		}
		for _, tok := range setup.Tokens {
			if tok.Kind != "" && (tok.Refused == "" || !slices.Contains(providers.Kinds, tok.Kind)) {
				t.Errorf("%s: %s: it is accepted, or its kind is none of %q", setup.Name, tok.Name, providers.Kinds)
			}
		}
	}
}

// TestRequirements makes sure that a literal and a preset require nothing in vain: without the entry, the issuer is a
// fault, or accepts a token that must be refused.
func TestRequirements(t *testing.T) {
	t.Parallel()
	setups := map[string]*providers.Setup{}
	for _, setup := range providers.Load(t) {
		setups[setup.Name] = setup
	}
	providers.Keys()
	all := guide.Literals()
	for setup, issuer := range presets() {
		provider, _, _ := strings.Cut(setup, "/")
		all = append(all, guide.Literal{Section: "preset of " + provider, Name: setup, Issuer: issuer})
	}
	needed := map[string]bool{} // by section and entry: one setup of a preset is enough
	for _, one := range all {
		try := func(name string, entries func(*token.Issuer) *map[string][]string) {
			issuer := one.Issuer
			for _, all := range []*map[string][]string{&issuer.RequiredClaims, &issuer.RequiredHeader} {
				*all = maps.Clone(*all)
			}
			delete(*entries(&issuer), name)
			key := one.Section + ": " + name
			synctest.Test(t, func(t *testing.T) { needed[key] = acceptsRefused(t, setups[one.Name], issuer) || needed[key] })
		}
		for name, values := range one.Issuer.RequiredClaims {
			if name != "iss" && !slices.Contains(values, "") {
				try(name, func(i *token.Issuer) *map[string][]string { return &i.RequiredClaims })
			}
		}
		for name := range one.Issuer.RequiredHeader {
			try(name, func(i *token.Issuer) *map[string][]string { return &i.RequiredHeader })
		}
	}
	for entry, ok := range needed {
		if !ok {
			t.Errorf("%s: the entry refuses no token", entry)
		}
	}
}

// acceptsRefused reports whether a token that must be refused counts as one for the API.
func acceptsRefused(t *testing.T, s *providers.Setup, issuer token.Issuer) bool {
	t.Helper()
	verifier, err := token.NewVerifier(issuer, token.WithTransport(s.Provider()))
	return err != nil || slices.ContainsFunc(s.Tokens, func(tok *providers.Token) bool {
		return tok.Refused != "" && slices.ContainsFunc(tok.Variants(), func(variant *providers.Token) bool {
			raw, _ := s.Sign(t, variant)
			claims, err := verifier.Verify(t.Context(), raw)
			return err == nil && claims.HasAudience(s.Audience)
		})
	})
}
