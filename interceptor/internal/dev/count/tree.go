package main

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// A tree is a checkout of the project.
type tree struct {
	root  string            // absolute
	files map[string][]byte // the Go files, generated files apart, and README.md, by path
}

// readTree reads a checkout.
func readTree(root string) (*tree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	t := &tree{root, map[string][]byte{}}
	return t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && name != root && (strings.HasPrefix(base, ".") || base == "gen" || base == "node_modules") {
			return filepath.SkipDir
		}
		relative, err := filepath.Rel(root, name)
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".go" && relative != "README.md" {
			return err
		}
		t.files[filepath.ToSlash(relative)], err = os.ReadFile(name) //nolint:gosec // the checkout is the user's own
		return err
	})
}

// lines counts the lines of the files that one of the patterns of [path.Match] matches. A pattern
// that ends in "/..." matches all Go files below a folder.
func (t *tree) lines(patterns ...string) (n int) {
	for name, content := range t.files {
		for _, pattern := range patterns {
			matched, _ := path.Match(pattern, name)
			if folder, all := strings.CutSuffix(pattern, "..."); matched || all && strings.HasPrefix(name, folder) && path.Ext(name) == ".go" {
				n += bytes.Count(content, []byte("\n"))
				break
			}
		}
	}
	return n
}

var exampleFunction = regexp.MustCompile(`(?m)^func Example`)

// examples counts the examples in the tests.
func (t *tree) examples() (n int) {
	for name, content := range t.files {
		if strings.HasSuffix(name, "_test.go") {
			n += len(exampleFunction.FindAll(content, -1))
		}
	}
	return n
}
