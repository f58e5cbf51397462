// Package imports checks who may import what: no package depends on a package above it, and no user pays for a
// dependency of another part.
package imports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const module = "github.com/protoauthz/protoauthz"

// A Rule bans packages from the dependencies of others, direct or not. Patterns are like the go command's: "./" is
// the project's root, "x/..." is x and everything below, and "std" is the standard library. A package that matches But
// is not banned. A package that matches Except may depend on banned packages.
//
// A rule with Tests is about the tests of a package, and of the project's packages that the package depends on:
// "go mod tidy" of a user's module adds to go.sum what these tests need.
type Rule struct {
	From, Ban   string
	But, Except []string
	Tests       bool
	Why         string
}

// Check returns a line for each package that breaks a rule, in the module of a folder, and for each rule that names a
// missing package: no package could break it.
func Check(ctx context.Context, dir string, rules []Rule) (faults []string, err error) {
	graph, err := load(ctx, dir)
	if err != nil {
		return nil, err
	}
	return check(graph, rules), nil
}

// check finds the faults in what each package imports.
func check(graph map[string][]string, rules []Rule) (faults []string) {
	packages := slices.DeleteFunc(slices.Sorted(maps.Keys(graph)), func(pkg string) bool { return strings.HasSuffix(pkg, tests) })
	exists := func(pattern string) bool {
		return slices.ContainsFunc(packages, func(pkg string) bool { return match(pattern, pkg) })
	}
	for _, r := range rules {
		banned := func(pkg string) bool {
			return match(r.Ban, pkg) && !matchAny(r.But, pkg)
		}
		if !exists(r.From) {
			faults = append(faults, fmt.Sprintf("a rule for %s, which is not a package: %s", r.From, r.Why))
		}
		if !exists(r.Ban) {
			faults = append(faults, fmt.Sprintf("a ban on %s, which is not a package: %s", r.Ban, r.Why))
		}
		for _, pkg := range packages {
			if !match(r.From, pkg) || matchAny(r.Except, pkg) {
				continue
			}
			if r.Tests {
				pkg += tests
			}
			if chain := trace(graph, pkg, banned); chain != nil {
				faults = append(faults, fmt.Sprintf("%s must not depend on %s: %s (%s)",
					pkg, chain[len(chain)-1], r.Why, strings.Join(chain, " -> ")))
			}
		}
	}
	return faults
}

// match reports whether the pattern of a rule matches the package.
func match(pattern, pkg string) bool {
	if root, _, _ := strings.Cut(pkg, "/"); pattern == "std" {
		return !strings.Contains(root, ".")
	}
	if below, ok := strings.CutPrefix(pattern, "./"); ok {
		pattern = module + "/" + below
	}
	tree, ok := strings.CutSuffix(pattern, "...")
	return pkg == pattern || ok && strings.HasPrefix(pkg+"/", tree)
}

func matchAny(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return match(pattern, pkg) })
}

// trace returns the shortest chain of imports from pkg to a banned package.
func trace(graph map[string][]string, pkg string, banned func(string) bool) []string {
	seen := map[string]bool{pkg: true}
	for chains := [][]string{{pkg}}; len(chains) > 0; chains = chains[1:] {
		for _, imported := range graph[chains[0][len(chains[0])-1]] {
			if seen[imported] {
				continue
			}
			seen[imported] = true
			chain := append(slices.Clip(chains[0]), imported)
			if banned(imported) {
				return chain
			}
			chains = append(chains, chain)
		}
	}
	return nil
}

// tests is the end of the name of a package's tests, in a graph.
const tests = ".test"

// load returns the imports of each package: the packages of a module, and all packages that they and their tests
// need. The tests of a package of the project import what their files import, and the tests of the project's packages
// that the package imports.
func load(ctx context.Context, dir string) (map[string][]string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-test", "-json=Dir,ImportPath,Imports,TestImports,XTestImports,ForTest", "./...")
	list.Dir = dir
	out, err := list.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go list: %w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	graph := map[string][]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			Dir, ImportPath, ForTest           string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return graph, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if pkg.ForTest != "" || strings.HasSuffix(pkg.ImportPath, tests) {
			continue
		}
		graph[pkg.ImportPath] = pkg.Imports
		if strings.HasPrefix(pkg.ImportPath, module+"/") {
			needed := slices.Concat(pkg.TestImports, pkg.XTestImports)
			for _, imported := range pkg.Imports {
				if strings.HasPrefix(imported, module+"/") {
					needed = append(needed, imported+tests)
				}
			}
			graph[pkg.ImportPath+tests] = needed
			// go test repeats an earlier result unless files changed that this process has read. It does not
			// know what go list has read.
			if _, err := os.ReadDir(pkg.Dir); err != nil {
				return nil, err
			}
		}
	}
}
