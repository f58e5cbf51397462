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

// The marks of lines in files of the business.
const (
	glueMark      = "// glue"
	telemetryMark = "// glue of OpenTelemetry" // that a program without a guard has, too
)

// TestGlue counts the lines that a user writes for log, metrics, spans, probes and tests of the guard. A brace alone is
// a line. Blank lines, comments, package clauses and imports are none.
func TestGlue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(source), "\n") {
			mark := ""
			if strings.HasSuffix(line, telemetryMark) {
				mark = telemetryMark
			} else if strings.HasSuffix(line, glueMark) || strings.HasPrefix(file, "glue_") && isCode(t, string(source), n+1) {
				mark = glueMark
			} else {
				continue
			}
			code := strings.TrimSpace(strings.TrimSuffix(line, mark))
			if len(code) > 130 || strings.Contains(code, ";") && !strings.HasSuffix(code, "{") {
				t.Errorf("%s:%d counts as more than a line: %s", file, n+1, code)
			}
			counts[mark]++
			t.Logf("%-24s %2d %s", file, counts[mark], code)
		}
	}
	for mark, most := range map[string]int{glueMark: 45, telemetryMark: 8} {
		if counts[mark] == 0 || counts[mark] > most {
			t.Errorf("%s: %d lines, want at most %d", mark, counts[mark], most)
		}
	}
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
