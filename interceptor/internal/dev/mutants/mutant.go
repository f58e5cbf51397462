package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// A mutant is one change. Its name holds the file, the function and the text that changes, but no line,
// so that edits elsewhere leave the name as it is.
type mutant struct {
	name    string
	at      token.Position
	number  string // from 1
	outcome outcome
}

// An outcome is what became of a mutant.
type outcome string

const killed, hung, survived, unreached outcome = "killed", "hung", "survived", "not reached"

func (o outcome) dead() bool { return o == killed || o == hung }

// A finder finds the mutants of a package and writes them into its files. There a call of mutantIs
// with the number of a mutant turns it on.
type finder struct {
	mutants []*mutant
	seen    map[string]int // how many mutants have a name

	// Of one file:
	files    *token.FileSet
	text     []byte
	prefix   string // of names
	edits    []edit
	operands map[ast.Expr]bool // of conditions: they are no conditions themselves
}

// An edit puts a text in the place between two offsets. Order sorts the edits at one offset.
type edit struct {
	from, to, order int
	text            string
}

// file returns the text of a file with its mutants.
func (f *finder) file(name string, text []byte) (string, error) {
	f.files, f.text, f.edits, f.operands = token.NewFileSet(), text, nil, map[ast.Expr]bool{}
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
		ast.Inspect(declaration, f.visit)
	}
	slices.SortFunc(f.edits, func(a, b edit) int { return cmp.Or(a.from-b.from, a.order-b.order) })
	var changed strings.Builder
	at := 0
	for _, e := range f.edits {
		_, _ = changed.Write(text[at:e.from])
		_, _ = changed.WriteString(e.text)
		at = e.to
	}
	_, _ = changed.Write(text[at:])
	return changed.String(), nil
}

// visit adds the mutants of a node. It sees a node before the nodes inside.
func (f *finder) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR // a constant must stay constant
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil { // true would only hang
			f.operands[n.Cond] = true
			f.wrap(n.Cond, fmt.Sprintf("(!mutantIs(%s) && (", f.add(n.Cond, "is false")), "))")
		}
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			if clause, ok := clause.(*ast.CaseClause); ok && n.Tag == nil {
				for _, condition := range clause.List {
					f.condition(condition)
				}
			}
		}
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.ParenExpr:
		f.operands[n.X] = f.operands[n]
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.condition(n)
			f.operands[n.X] = true
		}
	case *ast.BinaryExpr:
		f.binary(n)
	}
	return true
}

// condition adds that a condition is false, and that it is true.
func (f *finder) condition(e ast.Expr) {
	if !f.operands[e] {
		f.operands[e] = true
		f.wrap(e, fmt.Sprintf("(!mutantIs(%s) && (mutantIs(%s) || (", f.add(e, "is false"), f.add(e, "is true")), ")))")
	}
}

// binary adds that an operand of && and || is left out, and that a comparison takes the other side for
// what is equal.
func (f *finder) binary(e *ast.BinaryExpr) {
	op := e.Op.String()
	switch e.Op {
	case token.LAND, token.LOR:
		f.condition(e)
		for _, operand := range []ast.Expr{e.X, e.Y} {
			f.operands[operand] = true
			if inner, ok := operand.(*ast.BinaryExpr); ok && inner.Op == e.Op {
				continue // its operands are left out
			}
			off := map[token.Token]string{token.LAND: "mutantIs(%s) ||", token.LOR: "!mutantIs(%s) &&"}[e.Op]
			f.wrap(operand, fmt.Sprintf("("+off+" (", f.add(operand, "is left out of "+f.source(e))), "))")
		}
	case token.EQL, token.NEQ:
		f.condition(e)
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		f.condition(e)
		other := op + "="
		if strings.HasSuffix(op, "=") {
			other = op[:1]
		}
		f.wrap(e, fmt.Sprintf("mutantOrdered(%s, ", f.add(e, "has "+other)), ")")
		at := f.offset(e.OpPos)
		f.edits = append(f.edits, edit{from: at, to: at + len(op), text: fmt.Sprintf(", %q, ", op)})
	default: // no condition
	}
}

// statements adds that a statement is left out which declares nothing and ends no function.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if strings.HasPrefix(f.source(s), "`panic(") {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.IncDecStmt:
		default:
			continue
		}
		f.wrap(s, fmt.Sprintf("if !mutantIs(%s) { ", f.add(s, "is left out")), " }")
	}
}

// add adds a mutant and returns its number. If a function has one text twice, the second name ends in (2).
func (f *finder) add(n ast.Node, change string) string {
	name := fmt.Sprintf("%s: %s %s", f.prefix, f.source(n), change)
	f.seen[name]++
	if times := f.seen[name]; times > 1 {
		name += fmt.Sprintf(" (%d)", times)
	}
	number := strconv.Itoa(len(f.mutants) + 1)
	f.mutants = append(f.mutants, &mutant{name, f.files.Position(n.Pos()), number, unreached})
	return number
}

// wrap puts text around a node, inside of what earlier calls have put around it.
func (f *finder) wrap(n ast.Node, before, after string) {
	start, end, order := f.offset(n.Pos()), f.offset(n.End()), len(f.edits)+1
	f.edits = append(f.edits, edit{start, start, order, before}, edit{end, end, -order, after})
}

func (f *finder) offset(p token.Pos) int { return f.files.Position(p).Offset }

// source returns the text of a node on one line.
func (f *finder) source(n ast.Node) string {
	const most = 80
	text := strings.Join(strings.Fields(string(f.text[f.offset(n.Pos()):f.offset(n.End())])), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return "`" + text + "`"
}

// runtimeFile is one more file of a package with mutants. It bounds memory, since a loop may not end.
const runtimeFile = `package %s

import ("cmp"; "fmt"; "os"; "strconv"; "sync/atomic"; "syscall")

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

func mutantOrdered[T cmp.Ordered](n int, a T, op string, b T) bool {
	orEqual := (len(op) == 2) != mutantIs(n)
	if op[0] == '>' {
		a, b = b, a
	}
	return a < b || orEqual && a == b
}
`
