package documents_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

// TestSecurityDocument makes sure that the tests and groups of cases that SECURITY.md names are there.
func TestSecurityDocument(t *testing.T) {
	t.Parallel()
	document := read(t, "SECURITY.md")
	var tests strings.Builder
	err := documents.Walk(root, ".go", func(name, text string) {
		if strings.HasPrefix(name, "interceptor/") && strings.HasSuffix(name, "_test.go") {
			tests.WriteString(text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`\bJ\d\d\b`).FindAllString(document, -1) {
		if !strings.Contains(tests.String(), `"`+id) && !strings.Contains(tests.String(), ", "+id+" ") {
			t.Errorf("SECURITY.md names %s, which no test bears", id)
		}
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(document, -1)
	if len(named) < 30 {
		t.Errorf("only %q are named", named)
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
			t.Errorf("SECURITY.md names %s, which is not a test", name)
		}
	}
}
