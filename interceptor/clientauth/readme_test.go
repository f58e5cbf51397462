package clientauth_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme makes sure that the README's code for outgoing calls is that of the examples,
// which compile and run, but for the names of the service.
func TestReadme(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		t.Helper()
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	_, section, ok := strings.Cut(read("../../README.md"), "\n## Outgoing calls\n")
	section, _, more := strings.Cut(section, "\n## ")
	if !ok || !more {
		t.Fatal("the README has no section on outgoing calls")
	}
	for n, example := range []string{read("example_test.go"), read("../grpcclientauth/example_test.go")} {
		_, rest, opened := strings.Cut(section, "\n```go\n")
		snippet, after, closed := strings.Cut(rest, "\n```\n")
		if !opened || !closed {
			t.Fatalf("the section has %d pieces of code", n)
		}
		section = after
		snippet = strings.NewReplacer(
			`"https://tenant.logto.app"`, "server.URL",
			"orderv1connect.NewOrderServiceClient", "samplev1connect.NewCatalogServiceClient",
			`"https://orders.example.com"`, "server.URL",
			"read:orders", "read:products", "orders :=", "products :=",
			"\n", "\n\t",
		).Replace("\n" + snippet)
		if !strings.Contains(example, snippet+"\n") {
			t.Errorf("in no example:%s", snippet)
		}
	}
}
