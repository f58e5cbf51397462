package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// golden compares with a file of testdata.
func golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is another. If what is printed is right, run go test -update. Got:\n%s", path, got)
	}
}

// TestGolden compares each format, for the sample, with testdata.
func TestGolden(t *testing.T) {
	t.Parallel()
	image := sampleImage(t)
	for _, test := range []struct{ file, command, format string }{
		{"matrix.txt", "matrix", "table"},
		{"matrix.md", "matrix", "markdown"},
		{"matrix.json", "matrix", "json"},
		{"matrix.html", "matrix", "html"},
		{"scopes.json", "scopes", "json"},
		{"scopes.logto.json", "scopes", "logto"},
		{"scopes.auth0.json", "scopes", "auth0"},
	} {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			got := execute(t, image, test.command, "-audience", audience, "-format", test.format)
			if got.status != exitOK {
				t.Fatal(got.stderr)
			}
			if test.format == "auth0" {
				golden(t, "scopes.auth0.stderr", got.stderr)
			} else if got.stderr != "" {
				t.Errorf("on standard error: %s", got.stderr)
			}
			golden(t, test.file, got.stdout)
		})
	}
}

// TestGoldenDiff compares the changes of the sample's rules with testdata.
func TestGoldenDiff(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(protosDir, "sample/v1/catalog.proto"))
	if err != nil {
		t.Fatal(err)
	}
	changed := source
	for _, replace := range [][2]string{
		{`scopes: ["write:orders"]`, `any_scopes: ["write:orders", "read:products"]`},
		{`authenticated: true`, `public: true`},
		{"rpc WatchProducts(WatchProductsRequest) returns (stream WatchProductsResponse)", "rpc FollowProducts(WatchProductsRequest) returns (stream WatchProductsResponse)"},
		{`{public: true}`, `{authenticated: true, caller: CALLER_USER}`},
	} {
		if !bytes.Contains(changed, []byte(replace[0])) {
			t.Fatalf("the sample has no %s any more", replace[0])
		}
		changed = bytes.Replace(changed, []byte(replace[0]), []byte(replace[1]), 1)
	}
	before := write(t, "old.binpb", sampleImage(t))
	after := encode(t, compileSet(t, map[string]string{"sample/v1/catalog.proto": string(changed)},
		"sample/v1/catalog.proto", "sample/v1/document.proto", "sample/v1/member.proto"))
	for _, test := range []struct{ file, format string }{{"diff.txt", "text"}, {"diff.md", "markdown"}} {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			got := execute(t, after, "diff", "-audience", audience, "-format", test.format, before, "-")
			if got.status != exitNo || got.stderr != "" {
				t.Errorf("status %d, on standard error %q", got.status, got.stderr)
			}
			golden(t, test.file, got.stdout)
		})
	}
}
