package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A use is a place in a test that looks at a clock, outside of all bubbles of testing/synctest that its
// file shows.
type use struct {
	file, function string // function is empty outside of functions
	what           string // such as time.Now
	line           int
}

func (u use) String() string {
	return fmt.Sprintf("%s:%d: %s in %s", u.file, u.line, u.what, u.function)
}

// isTest reports whether a file belongs to tests. Packages that only tests use belong to tests.
func isTest(path string) bool {
	folder := filepath.ToSlash(filepath.Dir(path))
	return strings.HasSuffix(path, "_test.go") || strings.Contains(folder, "/internal/test/") || strings.HasSuffix(folder, "/e2e")
}

// clocks are the functions that look at a clock, or whose outcome depends on the load of the machine.
var clocks = map[string][]string{
	"time":    {"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"},
	"runtime": {"Gosched"},
}

// find returns the uses in all modules below a folder.
func find(root string) (found []use, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "gen"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		case !isTest(path):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		for _, u := range inFile(files, file) {
			u.file = filepath.ToSlash(relative)
			found = append(found, u)
		}
		return err
	})
	return found, err
}

// inFile returns the uses in a file.
func inFile(files *token.FileSet, file *ast.File) (found []use) {
	bubbled := map[int]bool{} // lines with the comment "the bubble's clock"
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if strings.Contains(comment.Text, "the bubble's clock") {
				bubbled[files.Position(comment.Pos()).Line] = true
			}
		}
	}
	for _, declaration := range file.Decls {
		name := ""
		if function, ok := declaration.(*ast.FuncDecl); ok {
			name = function.Name.Name
		}
		ast.Inspect(declaration, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok && (isBubble(call) || takesHours(call)) {
				return false
			}
			if what := clock(node); what != "" {
				if line := files.Position(node.Pos()).Line; !bubbled[line] {
					found = append(found, use{function: name, what: what, line: line})
				}
			}
			return true
		})
	}
	return found
}

// isBubble reports whether the arguments of a call run in a bubble.
func isBubble(call *ast.CallExpr) bool {
	pkg, name := named(call.Fun)
	return pkg == "synctest" && name == "Test" || pkg == "" && name == "bubble"
}

// takesHours reports whether a call counts in hours: no load delays a test that long.
func takesHours(call *ast.CallExpr) bool {
	return slices.ContainsFunc(call.Args, func(argument ast.Expr) bool {
		if negative, ok := argument.(*ast.UnaryExpr); ok {
			argument = negative.X
		}
		_, name := named(argument)
		return name == "Hour"
	})
}

// clock returns the name of the clock that a node looks at, or "".
func clock(node ast.Node) string {
	switch node := node.(type) {
	case *ast.SelectorExpr:
		pkg, name := named(node)
		if slices.Contains(clocks[pkg], name) {
			return pkg + "." + name
		}
		if strings.HasPrefix(name, "Set") && strings.HasSuffix(name, "Deadline") || name == "WaitDelay" {
			return name
		}
	case *ast.KeyValueExpr:
		if _, name := named(node.Key); strings.HasSuffix(name, "Timeout") {
			return name
		}
	case *ast.CallExpr: // a token that expires soon
		if _, name := named(node.Fun); strings.EqualFold(name, "expiring") && len(node.Args) > 1 {
			if product, ok := node.Args[1].(*ast.BinaryExpr); ok {
				if _, unit := named(product.Y); unit == "Second" {
					return name
				}
			}
		}
	}
	return ""
}

// named returns the parts of a name.
func named(node ast.Node) (pkg, name string) {
	switch node := node.(type) {
	case *ast.Ident:
		return "", node.Name
	case *ast.SelectorExpr:
		if of, ok := node.X.(*ast.Ident); ok {
			pkg = of.Name
		}
		return pkg, node.Sel.Name
	}
	return "", ""
}
