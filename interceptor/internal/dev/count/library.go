package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A library holds packages by their folders in the tree.
type library map[string]*pkg

// A pkg is a package that was type-checked from its source, without its tests.
type pkg struct {
	files []*ast.File
	types *types.Package
	info  *types.Info
	fset  *token.FileSet
}

// loadLibrary type-checks packages of a tree, and the packages below interceptor/ that they import. A tree
// may lack some of the packages.
func loadLibrary(t *tree, folders []string) (library, error) {
	args := []string{"list", "-deps", "-export", "-json=Dir,ImportPath,Export,GoFiles"}
	for _, folder := range folders {
		if t.lines(folder+"/*.go") > 0 {
			args = append(args, "./"+folder)
		}
	}
	list := exec.Command("go", args...) //nolint:noctx // it ends with this program
	list.Dir, list.Stderr = t.root, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	fset, found, exports := token.NewFileSet(), library{}, map[string]string{}
	packages := &imported{ours: map[string]*types.Package{}}
	packages.others = importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for dec := json.NewDecoder(bytes.NewReader(out)); ; { // what a package imports comes before it
		var listed struct {
			Dir, ImportPath, Export string
			GoFiles                 []string
		}
		if err := dec.Decode(&listed); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[listed.ImportPath] = listed.Export
		folder, err := filepath.Rel(t.root, listed.Dir)
		if folder = filepath.ToSlash(folder); err != nil || !strings.HasPrefix(folder+"/", "interceptor/") {
			continue
		}
		p := &pkg{fset: fset, info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
		for _, name := range listed.GoFiles {
			file, err := parser.ParseFile(fset, folder+"/"+name, t.files[folder+"/"+name], parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			p.files = append(p.files, file)
		}
		if p.types, err = (&types.Config{Importer: packages}).Check(listed.ImportPath, fset, p.files, p.info); err != nil {
			return nil, err
		}
		packages.ours[listed.ImportPath], found[folder] = p.types, p
	}
}

// imported finds packages that were type-checked here, and the export data of all other packages.
type imported struct {
	ours   map[string]*types.Package
	others types.Importer
}

// Import implements [types.Importer].
func (i *imported) Import(path string) (*types.Package, error) {
	if ours, ok := i.ours[path]; ok {
		return ours, nil
	}
	return i.others.Import(path)
}

// exported counts the exported identifiers of a package: constants, variables, types, functions,
// and methods of exported types. Fields and methods of interfaces are not counted.
func (p *pkg) exported() (n int) {
	scope := p.types.Scope()
	for _, name := range scope.Names() {
		object := scope.Lookup(name)
		if !object.Exported() {
			continue
		}
		n++
		if is, ok := object.(*types.TypeName); ok { // methods of an alias belong to another type
			if named, ok := is.Type().(*types.Named); ok {
				for method := range named.Methods() {
					if method.Exported() {
						n++
					}
				}
			}
		}
	}
	return n
}

// errorAssertions counts the type assertions and type switches on expressions of the type error.
func (p *pkg) errorAssertions() (n int) {
	isError := func(x ast.Expr) bool { return types.Identical(p.info.TypeOf(x), types.Universe.Lookup("error").Type()) }
	for _, file := range p.files {
		ast.Inspect(file, func(node ast.Node) bool {
			if assertion, ok := node.(*ast.TypeAssertExpr); ok && isError(assertion.X) {
				n++
			}
			return true
		})
	}
	return n
}

// A function is a function or method with its body.
type function struct {
	pkg  *pkg
	decl *ast.FuncDecl
}

// entered returns the files of a method of a pointer and of the functions that the method itself calls,
// and the files of all functions that such calls reach. It does not follow methods of interfaces and
// function values.
func (l library) entered(folder, receiver, method string) (entered, reached map[string]bool) {
	declared := map[*types.Func]function{}
	for _, p := range l {
		for _, file := range p.files {
			for _, decl := range file.Decls {
				if decl, ok := decl.(*ast.FuncDecl); ok && decl.Body != nil {
					if is, ok := p.info.Defs[decl.Name].(*types.Func); ok {
						declared[is] = function{p, decl}
					}
				}
			}
		}
	}
	entered, reached = map[string]bool{}, map[string]bool{}
	p := l[folder]
	on := p.types.Scope().Lookup(receiver)
	if on == nil {
		return entered, reached
	}
	start, _, _ := types.LookupFieldOrMethod(types.NewPointer(on.Type()), true, p.types, method)
	first, _ := start.(*types.Func)
	for depth, todo := 0, []*types.Func{first}; len(todo) > 0; depth++ {
		var next []*types.Func
		for _, is := range todo {
			f, ok := declared[is]
			if !ok {
				continue
			}
			delete(declared, is)
			file := f.pkg.fset.Position(f.decl.Pos()).Filename
			if reached[file] = true; depth <= 1 {
				entered[file] = true
			}
			ast.Inspect(f.decl.Body, func(node ast.Node) bool {
				if call, ok := node.(*ast.CallExpr); ok {
					next = append(next, f.pkg.callee(call))
				}
				return true
			})
		}
		todo = next
	}
	return entered, reached
}

// callee is the function or method that a call names, or nil.
func (p *pkg) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	if generic, ok := fun.(*ast.IndexExpr); ok {
		fun = generic.X
	}
	var name *ast.Ident
	switch fun := fun.(type) {
	case *ast.Ident:
		name = fun
	case *ast.SelectorExpr:
		name = fun.Sel
	}
	callee, ok := p.info.Uses[name].(*types.Func)
	if !ok {
		return nil
	}
	return callee.Origin()
}
