package interceptor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connectrpc.com/connect"
)

// TestReasons makes sure that each reason has one row in the table and the code of the row in its comment,
// and that each error of package token has a row.
func TestReasons(t *testing.T) {
	t.Parallel()
	documented := map[Reason]string{} // with the comment
	for _, spec := range specs(t, "*.go") {
		kind, ok := spec.Type.(*ast.Ident)
		if named := strings.HasPrefix(spec.Names[0].Name, "Reason"); !named && (!ok || kind.Name != "Reason") {
			continue
		}
		if len(spec.Names) != 1 || len(spec.Values) != 1 {
			t.Fatalf("%s: want one name and one value", spec.Names[0])
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			t.Fatalf("%s: want a literal", spec.Names[0])
		}
		documented[Reason(must(strconv.Unquote(literal.Value)))] = spec.Doc.Text()
	}
	rows, texts := map[Reason]bool{}, map[string]bool{}
	for _, row := range meanings {
		if comment := documented[row.reason]; !strings.Contains(comment, "("+row.code.String()+")") {
			t.Errorf("%q: the code is %v, and the comment is %q", row.reason, row.code, comment)
		}
		if rows[row.reason] || row.text == "" || texts[row.text] || row.code == connect.CodeInternal && row.reason != ReasonGuardFailed {
			t.Errorf("%q: a second row, or %q, %v", row.reason, row.text, row.code)
		}
		rows[row.reason], texts[row.text] = true, true
	}
	if want := slices.Sorted(maps.Keys(documented)); len(want) == 0 || !slices.Equal(slices.Sorted(maps.Keys(rows)), want) {
		t.Errorf("the table has %q, and the constants are %q", slices.Sorted(maps.Keys(rows)), want)
	}
	for _, reason := range []Reason{"", "unknown"} {
		if got := (&Denial{reason: reason}).meaning(); got.reason != ReasonGuardFailed || got.code != connect.CodeInternal || got.challenge != noChallenge {
			t.Errorf("%q means %v", reason, got)
		}
	}

	sentinels := 0
	for _, spec := range specs(t, "token/errors.go") {
		if strings.HasPrefix(spec.Names[0].Name, "Err") {
			sentinels++
		}
	}
	known := map[error]bool{nil: true}
	for _, row := range meanings {
		known[row.err] = true
	}
	if sentinels == 0 || len(known)-1 != sentinels {
		t.Errorf("package token has %d errors, and the table has %d", sentinels, len(known)-1)
	}
}

// specs returns the constants and variables of files, without tests.
func specs(t *testing.T, pattern string) (found []*ast.ValueSpec) {
	t.Helper()
	for _, name := range must(filepath.Glob(pattern)) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			general, _ := decl.(*ast.GenDecl)
			if general == nil || general.Tok != token.CONST && general.Tok != token.VAR {
				continue
			}
			for _, spec := range general.Specs {
				if value, ok := spec.(*ast.ValueSpec); ok {
					found = append(found, value)
				}
			}
		}
	}
	return found
}
