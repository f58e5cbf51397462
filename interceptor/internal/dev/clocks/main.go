// Command clocks prints how to run the tests that look at a real clock: for each package a line with
// the folder of its module, the package and a regular expression.
package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(".", os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "clocks:", err)
		os.Exit(1)
	}
}

// list is the table, from the project's root.
const list = "interceptor/internal/dev/clocks/README.md"

// A row is a row of the table.
type row struct {
	file      string
	functions []string
	tests     map[string][]string // by folder
}

var quoted = regexp.MustCompile("`([^`]+)`")

// read returns the rows of the table.
func read(root string) (rows []row, err error) {
	text, err := os.ReadFile(filepath.Join(root, list)) //nolint:gosec // our own list
	if err != nil {
		return nil, err
	}
	names := func(cell string) (names []string) {
		for _, match := range quoted.FindAllStringSubmatch(cell, -1) {
			names = append(names, match[1])
		}
		return names
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !strings.Contains(cells[1], ".go`") {
			continue
		}
		r := row{file: names(cells[1])[0], functions: names(cells[2]), tests: map[string][]string{}}
		for _, name := range names(cells[3]) {
			folder := path.Dir(r.file)
			if at := strings.LastIndex(name, "."); at >= 0 {
				folder, name = name[:at], name[at+1:]
			}
			r.tests[folder] = append(r.tests[folder], name)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// run prints the tests of the table, by package.
func run(root string, out io.Writer) error {
	rows, err := read(root)
	if err != nil {
		return err
	}
	var folders []string
	tests := map[string][]string{}
	for _, r := range rows {
		for folder, names := range r.tests {
			if tests[folder] == nil {
				folders = append(folders, folder)
			}
			tests[folder] = append(tests[folder], names...)
		}
	}
	slices.Sort(folders)
	for _, folder := range folders {
		module := moduleOf(root, folder)
		pkg, err := filepath.Rel(module, folder)
		if err != nil {
			return err
		}
		slices.Sort(tests[folder])
		if _, err := fmt.Fprintf(out, "%s ./%s ^(%s)$\n", module, filepath.ToSlash(pkg), strings.Join(slices.Compact(tests[folder]), "|")); err != nil {
			return err
		}
	}
	return nil
}

// moduleOf returns the folder of the module of a folder.
func moduleOf(root, folder string) string {
	for ; folder != "."; folder = path.Dir(folder) {
		if _, err := os.Stat(filepath.Join(root, folder, "go.mod")); err == nil {
			break
		}
	}
	return folder
}
