package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
)

// A mutant is one change. The name holds the file, the function and the text that changes, but no
// line, so that edits elsewhere leave the name as it is.
type mutant struct {
	name string
	line int
}

// A finder finds the mutants of a package and writes each into the code, where a call of mutantIs turns
// the mutant on. The number of a mutant is its index plus one.
type finder struct {
	mutants []mutant
	seen    map[string]int // how many mutants have a name

	// Of one file:
	files      *token.FileSet
	text       string
	prefix     string              // of names
	sources    map[ast.Node]mutant // text and line of each node before the change
	conditions map[ast.Expr]bool   // that are true and false in turn
}

// file returns the text of a file with its mutants, without comments.
func (f *finder) file(name, text string) (string, error) {
	f.files, f.text, f.sources, f.conditions = token.NewFileSet(), text, map[ast.Node]mutant{}, map[ast.Expr]bool{}
	file, err := parser.ParseFile(f.files, name, text, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	for _, declaration := range file.Decls {
		f.prefix = name
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv != nil {
			f.prefix += fmt.Sprintf(": (%s).%s", types.ExprString(function.Recv.List[0].Type), function.Name)
		} else if ok {
			f.prefix += ": " + function.Name.Name
		}
		astutil.Apply(declaration, f.look, f.change)
	}
	var changed strings.Builder
	err = format.Node(&changed, f.files, file)
	return changed.String(), err
}

// look notes the text of a node and which conditions it has, before the nodes inside are seen.
func (f *finder) look(c *astutil.Cursor) bool {
	switch n := c.Node().(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR // a constant must stay constant
	case *ast.IfStmt:
		f.conditions[n.Cond] = true
	case *ast.SwitchStmt:
		for _, s := range n.Body.List {
			if clause, ok := s.(*ast.CaseClause); ok {
				for _, e := range clause.List {
					f.conditions[e] = n.Tag == nil
				}
			}
		}
	case *ast.ForStmt:
		f.conditions[n.Cond] = false // true would not end
	case *ast.ParenExpr:
		if condition, ok := f.conditions[n]; ok {
			f.conditions[n.X], f.conditions[n] = condition, false
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.condition(n, n.X)
		}
	case *ast.BinaryExpr:
		switch {
		case n.Op == token.LAND || n.Op == token.LOR:
			f.condition(n, n.X, n.Y)
		case n.Op.Precedence() == token.EQL.Precedence():
			f.condition(n)
		}
	}
	if n := c.Node(); n != nil {
		const most = 80
		text := strings.Join(strings.Fields(f.text[f.files.Position(n.Pos()).Offset:f.files.Position(n.End()).Offset]), " ")
		if len(text) > most {
			text = strings.ToValidUTF8(text[:most], "") + "…"
		}
		f.sources[n] = mutant{"`" + text + "`", f.files.Position(n.Pos()).Line}
	}
	return true
}

// condition notes a condition and its operands, which are not conditions themselves: without an operand
// of && it is true, without one of || it is false.
func (f *finder) condition(n ast.Expr, operands ...ast.Expr) {
	if _, ok := f.conditions[n]; !ok {
		f.conditions[n] = true
	}
	for _, operand := range operands {
		f.conditions[operand] = false
	}
}

// change puts the mutants of a node around the node, after those inside.
func (f *finder) change(c *astutil.Cursor) bool {
	switch n := c.Node().(type) {
	case ast.Expr:
		c.Replace(f.expression(c, n))
	case ast.Stmt:
		if c.Index() >= 0 && f.canBeLeftOut(n) {
			c.Replace(&ast.IfStmt{Cond: not(f.add(n, "is left out")), Body: &ast.BlockStmt{List: []ast.Stmt{n}}})
		}
	}
	return true
}

// expression returns an expression with its mutants: a comparison takes the other side for what is
// equal, a condition is true or false, and an operand of && and || is left out.
func (f *finder) expression(c *astutil.Cursor, n ast.Expr) ast.Expr {
	changed := n
	if b, ok := n.(*ast.BinaryExpr); ok {
		equal := func(change string) ast.Expr { return pair(f.add(n, change), token.LAND, pair(b.X, token.EQL, b.Y)) }
		switch b.Op {
		case token.LSS, token.GTR:
			changed = pair(b, token.LOR, equal("has "+b.Op.String()+"="))
		case token.LEQ, token.GEQ:
			changed = pair(b, token.LAND, not(equal("has "+b.Op.String()[:1])))
		default: // no order
		}
	}
	if f.conditions[n] {
		changed = pair(not(f.add(n, "is false")), token.LAND, pair(f.add(n, "is true"), token.LOR, changed))
	}
	switch parent := c.Parent().(type) {
	case *ast.ForStmt:
		changed = pair(not(f.add(n, "is false")), token.LAND, changed)
	case *ast.BinaryExpr:
		inner, ok := n.(*ast.BinaryExpr)
		if ok && inner.Op == parent.Op { // the operands of n are left out
			break
		}
		switch change := "is left out of " + f.sources[parent].name; parent.Op {
		case token.LAND:
			changed = pair(f.add(n, change), token.LOR, changed)
		case token.LOR:
			changed = pair(not(f.add(n, change)), token.LAND, changed)
		default: // not of conditions
		}
	}
	return changed
}

// canBeLeftOut reports whether a statement neither declares anything nor ends a function.
func (f *finder) canBeLeftOut(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		return !strings.HasPrefix(f.sources[s].name, "`panic(")
	case *ast.AssignStmt:
		return s.Tok != token.DEFINE
	case *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.IncDecStmt:
		return true
	default:
		return false
	}
}

// add adds a mutant and returns the call that turns it on. If a function has one text twice, the
// second name ends in (2).
func (f *finder) add(n ast.Node, change string) ast.Expr {
	source := f.sources[n]
	name := fmt.Sprintf("%s: %s %s", f.prefix, source.name, change)
	f.seen[name]++
	if times := f.seen[name]; times > 1 {
		name += fmt.Sprintf(" (%d)", times)
	}
	f.mutants = append(f.mutants, mutant{name, source.line})
	number := &ast.BasicLit{Kind: token.INT, Value: strconv.Itoa(len(f.mutants))}
	return &ast.CallExpr{Fun: ast.NewIdent("mutantIs"), Args: []ast.Expr{number}}
}

func not(e ast.Expr) ast.Expr { return &ast.UnaryExpr{Op: token.NOT, X: e} }

func pair(x ast.Expr, op token.Token, y ast.Expr) ast.Expr {
	return &ast.BinaryExpr{X: x, Op: op, Y: y}
}

// runtimeFile is one more file of a package with mutants. The file bounds memory, since a loop may not end.
const runtimeFile = `package %s

import ("fmt"; "os"; "strconv"; "sync/atomic"; "syscall")

var (
	mutantChosen, _ = strconv.Atoi(os.Getenv("PROTOAUTHZ_MUTANT"))
	mutantsReached [%d]atomic.Bool
	mutantsFile, _ = os.OpenFile(os.Getenv("PROTOAUTHZ_MUTANTS_REACHED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 6 << 30, Max: 6 << 30})
)

func mutantIs(n int) bool {
	if mutantsFile != nil && !mutantsReached[n].Swap(true) {
		fmt.Fprintln(mutantsFile, n)
	}
	return n == mutantChosen
}
`
