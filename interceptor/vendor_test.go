package interceptor_test

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOutsideVendor makes sure that the commands of docs/start.md fetch authz.proto in a module of a user,
// whatever folders and settings of Go that module has. It needs no network.
func TestOutsideVendor(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string // to require the module, and to copy the file
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(document), -1) {
		if strings.Contains(block[1], "go mod edit -require") || strings.Contains(block[1], "authz.proto") {
			commands = append(commands, block[1])
		}
	}
	if len(commands) != 2 {
		t.Fatalf("docs/start.md has %q, and not one block that requires the module and one that copies authz.proto", commands)
	}
	want, err := os.ReadFile("../proto/protoauthz/v1/authz.proto")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const (
		vendor    = "go mod vendor"
		workspace = "cd .. && go work init ./shop"
	)
	for name, test := range map[string]struct {
		setup string
		flags string // GOFLAGS of the copy
	}{
		"C17/no vendor folder":                {"", ""},
		"C17/vendor folder":                   {vendor, ""},
		"C17/vendor folder by GOFLAGS":        {vendor, "-mod=vendor"},
		"C17/workspace":                       {workspace, ""},
		"C17/workspace, vendor folder in it":  {vendor + " && " + workspace, ""},
		"C17/workspace with a vendor folder":  {workspace + " && go work vendor", ""},
		"C17/vendor folder, and GOFLAGS past": {vendor, "-mod=mod"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			shop := filepath.Join(folder, "shop")
			if err := os.Symlink(root, filepath.Join(folder, "protoauthz")); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(shop, 0o700); err != nil {
				t.Fatal(err)
			}
			for name, content := range map[string]string{
				"go.sum":  string(sums),
				"main.go": "package main\n\nimport _ \"github.com/protoauthz/protoauthz/gen/protoauthz/v1\"\n\nfunc main() {}\n",
			} {
				if err := os.WriteFile(filepath.Join(shop, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			shell := func(flags, script string) {
				t.Helper()
				command := exec.CommandContext(t.Context(), "sh", "-euc", script)
				command.Dir = shop
				command.Env = append(os.Environ(), "GOFLAGS="+flags, "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK=")
				if out, err := command.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", script, err, out)
				}
			}
			shell("", "go mod init example.com/shop && "+commands[0]+"go list -mod=mod -deps . >list && "+cmp.Or(test.setup, "true"))
			shell(test.flags, commands[1])
			got, err := os.ReadFile(filepath.Join(shop, "third_party/protoauthz/v1/authz.proto"))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, or another file", err)
			}
		})
	}
}
