// Command mutate changes the conditions, comparisons and statements of a package, one change at a time,
// and prints the changes that no test notices. It does not change values: neither constants, nor the cases
// of a switch over a value, nor arguments and results without an operator. One binary holds all changes.
// The compiler reads the changed files from an overlay, so the project, in whose root this runs, stays as
// it is.
//
// A test that fails by chance hides a survivor, so the machine should have nothing else to do.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// packages are the packages of the library. Each begins with its own folder, and goes on with the folders
// whose tests try what its own tests let survive, the quickest first.
var packages = [][]string{
	{"interceptor/internal/cache", "interceptor/token", "interceptor"},
	{"interceptor/internal/jose", "interceptor/token"},
	{"interceptor/internal/document", "interceptor/token"},
	{"interceptor/internal/endpoint", "interceptor/clientauth", "interceptor/token"},
	{"interceptor/internal/callctx", "interceptor", "interceptor/connectv2guard"},
	{"interceptor/internal/unguarded", "interceptor/guardtest", "interceptor/grpcguardtest"},
	{"interceptor/internal/errorinfo", "interceptor"},
	{"interceptor/internal/grpcstatus", "interceptor/grpcguard"},
	{"interceptor/internal/downstream", "interceptor/grpcclientauth"},
	{"interceptor/policy", "interceptor/policydiff", "interceptor"},
	{"interceptor/policydiff"},
	{"interceptor/deployment"},
	{"interceptor/probe", "interceptor/grpcprobe"},
	{"interceptor/grpcprobe"},
	{"interceptor/internal/guide", "interceptor/internal/test/providers"},
	{"interceptor/token", "interceptor/internal/test/providers", "interceptor/internal/test/troubleshooting", "interceptor", "interceptor/grpcguard"},
	{"interceptor", "interceptor/internal/test/troubleshooting", "interceptor/grpcguard", "interceptor/connectv2guard", "interceptor/clientauth"},
	{"interceptor/grpcguard"},
	{"interceptor/grpcguardtest"},
	{"interceptor/connectv2guard"},
	{"interceptor/guardtest"},
	{"interceptor/clientauth", "interceptor/grpcclientauth"},
	{"interceptor/grpcclientauth"},
	{"interceptor/devissuer", "interceptor/token"},
}

// survivors are the mutants that may survive. A name and, behind a tab, a reason are two lines.
//
//go:embed survivors.txt
var survivors string

var survivor = regexp.MustCompile(`(?m)^(\S.*)\n\t\S`)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	chosen := flag.String("run", "", "try the mutants whose names in survivors.txt would match this `regexp`")
	flag.Parse()
	if err := mutate(ctx, *chosen, flag.Args()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// mutate tries the mutants of the packages in these folders, or of the whole library.
func mutate(ctx context.Context, chosen string, folders []string) error {
	pattern, err := regexp.Compile(chosen)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range packages {
		if len(folders) == 0 || slices.ContainsFunc(folders, func(folder string) bool { return path.Clean(folder) == p[0] }) {
			// Tests wait more than they work.
			t := trial{".", p, pattern, survivors, 2 * runtime.NumCPU(), 5 * time.Second, os.Stdout}
			errs = append(errs, t.run(ctx))
		}
	}
	if errs == nil {
		return fmt.Errorf("%q: not in the list of packages in main.go", folders)
	}
	return errors.Join(errs...)
}
