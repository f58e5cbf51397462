package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPrintedByTools makes sure that tools print what rows of docs/troubleshooting.md show. In a row … stands for any
// text.
func TestPrintedByTools(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	module := t.TempDir()
	folders := slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(folder string) bool {
		installed, _ := filepath.Glob(filepath.Join(folder, "*protoauthz")) // the pattern is good
		return len(installed) > 0
	})
	path := "PATH=" + strings.Join(append([]string{tools(t)}, folders...), string(os.PathListSeparator))
	for name, text := range map[string]string{
		"buf.yaml": "version: v2\nlint:\n  use: [PROTOAUTHZ]\nplugins:\n  - plugin: buf-plugin-protoauthz\n",
		"a.proto":  `syntax = "proto3"; package a;`,
	} {
		if err := os.WriteFile(module+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, command := range map[string]string{
		"the shell does not look into the folder":      "protoauthz dev-issuer",
		"buf does not look into the folder":            "buf lint",
		"`buf curl`: the server has no reflection":     "buf curl -d '{}' " + server.URL + "/order.v1.OrderService/ListOrders",
		"curl: nobody listens at the address":          "curl -sS http://127.0.0.1:1",
		"curl: https in the URL, a server without TLS": "curl -sS " + strings.Replace(server.URL, "http:", "https:", 1),
	} {
		_, row, _ := strings.Cut(string(document), "\n| "+name+" | `")
		want, _, shown := strings.Cut(row, "` | ")
		shell := exec.CommandContext(t.Context(), bash, "-c", command)
		shell.Dir, shell.Env = module, append(os.Environ(), path)
		out, err := shell.CombinedOutput()
		text := regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".+"))
		if err == nil || !shown || !text.Match(out) {
			t.Errorf("%s: %v, printed\n%s\nwant\n%s", name, err, out, want)
		}
	}
}
