package interceptor_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme makes sure that the README's first lines of Go are those of ExampleNew,
// which compile and run, but for the names of the service.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, ok := strings.Cut(string(readme), "\n```go\n")
	snippet, _, closed := strings.Cut(snippet, "```\n")
	if !ok || !closed || strings.Count(snippet, "\n") < 5 {
		t.Fatalf("the README begins with no code: %q", snippet)
	}
	snippet = strings.NewReplacer(
		"orderv1.File_order_v1_order_proto", "samplev1.File_sample_v1_catalog_proto",
		"orderv1connect.NewOrderServiceHandler(orders", "samplev1connect.NewCatalogServiceHandler(catalog{}",
		"\n", "\n\t",
	).Replace("\n" + strings.TrimSuffix(snippet, "\n"))
	if !strings.Contains(string(example), snippet+"\n") {
		t.Errorf("not in ExampleNew:%s", snippet)
	}
}

// TestOutsideReadme makes sure that the README's logger is that of ExampleWithObserver, which
// prints which scopes are missing, and its claims for a test those of ExampleContextWithClaims.
func TestOutsideReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for begin, rest := range map[string]struct{ indent, end string }{"interceptor.WithObserver(": {"\t\t", ")\n"}, "claims := guardtest.Claims(": {"\t", "\n"}} {
		_, code, ok := strings.Cut(string(readme), "\n```go\n"+begin)
		code, _, closed := strings.Cut(code, "\n```\n")
		code = begin + strings.ReplaceAll(code, "\n", "\n"+rest.indent) + rest.end
		if !ok || !closed || !strings.Contains(string(example), rest.indent+code) {
			t.Errorf("C8: not in an example: %s", code)
		}
	}
}

// TestReadmeFrameworks makes sure that what the README says for other frameworks is what
// their examples do.
func TestReadmeFrameworks(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, path := range map[string]string{
		"grpc-go": "grpcguard/example_test.go", "connect-go v2": "connectv2guard/example_test.go",
	} {
		example, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, section, ok := strings.Cut(string(readme), "\n### "+heading+"\n\n```go\n")
		snippet, _, closed := strings.Cut(section, "```\n")
		snippet = "\t" + strings.ReplaceAll(strings.TrimSuffix(snippet, "\n"), "\n", "\n\t")
		if !ok || !closed || !strings.Contains(string(example), snippet+"\n") {
			t.Errorf("%s: not in %s:\n%s", heading, path, snippet)
		}
	}
}

// TestSecurityDocument makes sure that what SECURITY.md names is there: tests, groups of
// cases, and commands.
func TestSecurityDocument(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		tests.Write(code)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range regexp.MustCompile("`make (\\w+)`").FindAllStringSubmatch(string(document), -1) {
		if !strings.Contains(string(makefile), "\n"+command[1]+": ") {
			t.Errorf("SECURITY.md names %s, which the Makefile does not have", command[0])
		}
	}
	for _, id := range regexp.MustCompile(`\bJ\d\d\b`).FindAllString(string(document), -1) {
		if !strings.Contains(tests.String(), `"`+id) && !strings.Contains(tests.String(), ", "+id+" ") {
			t.Errorf("SECURITY.md names %s, which no test bears", id)
		}
	}
	named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(document), -1)
	if len(named) < 30 {
		t.Errorf("only %q are named", named)
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "\nfunc "+name+"(") {
			t.Errorf("SECURITY.md names %s, which is no test", name)
		}
	}
}
