package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGlue counts the lines that a user writes for log, metrics, spans, configuration, probes, CORS and tests of the
// guard: all lines of authz.json, the plugin's lines of buf.yaml, all code of glue_internal_test.go, and the lines of
// other files that end in a comment "// glue". A brace alone is a line. Blank lines, comments, package clauses and
// imports are none.
func TestGlue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range append(files, "authz.json", "buf.yaml") {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(source), "\n") {
			code, marked := cutMark(line)
			whole := file == "authz.json" && code != "" || strings.HasPrefix(file, "glue_") && isCode(t, string(source), n+1)
			if !marked && !whole {
				continue
			}
			if len(code) > 120 || strings.Contains(code, ";") && !strings.HasSuffix(code, "{") {
				t.Errorf("%s:%d counts as more than a line: %s", file, n+1, code)
			}
			count++
			t.Logf("%2d %-23s %s", count, file, code)
		}
	}
	if count == 0 || count > 60 {
		t.Errorf("%d lines of glue, want at most 60", count)
	}
}

// cutMark returns what stands on a line before the mark of glue.
func cutMark(line string) (code string, marked bool) {
	before, inGo := strings.CutSuffix(line, "// glue")
	before, inYAML := strings.CutSuffix(before, "# glue")
	return strings.TrimSpace(before), inGo || inYAML
}

// isCode reports whether a line of a file holds code, and stands below the imports.
func isCode(t *testing.T, source string, line int) bool {
	t.Helper()
	code := strings.TrimSpace(strings.Split(source, "\n")[line-1])
	if code == "" || strings.HasPrefix(code, "//") {
		return false
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	below := files.Position(parsed.Name.End()).Line
	for _, declaration := range parsed.Decls {
		if imports, ok := declaration.(*ast.GenDecl); ok && imports.Tok == token.IMPORT {
			below = files.Position(imports.End()).Line
		}
	}
	return line > below
}
