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

// TestSecurityDocument makes sure that the tests which SECURITY.md names are there.
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
