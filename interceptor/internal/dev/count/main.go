// Command count prints the numbers that this project keeps small, for each checkout that is named. An
// older checkout may have other names of folders.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
)

func main() {
	flag.Usage = func() { _, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: count [checkout...]") }
	flag.Parse()
	roots := flag.Args()
	if len(roots) == 0 {
		roots = []string{"."}
	}
	for _, root := range roots {
		if err := count(os.Stdout, root); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "count:", err)
			os.Exit(1)
		}
	}
}

// libraryFolders are the packages that servers and their tests import. The library is these packages and
// the packages that they import.
var libraryFolders = []string{
	"interceptor", "interceptor/token", "interceptor/policy", "interceptor/policydiff", "interceptor/deployment", "interceptor/grpcguard",
	"interceptor/connectv2guard", "interceptor/connectv2", "interceptor/guardtest", "interceptor/grpcguardtest",
}

// otherModules are folders of the library that the go command does not find in the main module.
var otherModules = []string{"interceptor/otelguard"}

// clientFolders are the packages that clients import.
var clientFolders = []string{"interceptor/clientauth", "interceptor/grpcclientauth", "interceptor/clientauth/grpcclientauth"}

// streamTests are the files that test the behaviour of streams behind the adapters: the suite of all
// adapters, and the tests of one adapter each.
var streamTests = []string{
	"interceptor/internal/test/harness/streams*.go",
	"interceptor/stream_test.go", "interceptor/streams*_test.go", "interceptor/connect_stream*_test.go", "interceptor/expiry*_test.go",
	"interceptor/connectv2*/stream_test.go", "interceptor/connectv2*/streams*_test.go", "interceptor/connectv2*/direct_test.go", "interceptor/connectv2*/fakestream_test.go", "interceptor/connectv2*/interrupt_test.go",
	"interceptor/grpcguard/stream_test.go", "interceptor/grpcguard/streams*_test.go",
}

// count writes the table of a checkout.
func count(w io.Writer, root string) error {
	t, err := readTree(root)
	if err != nil {
		return err
	}
	linked, err := loadLibrary(t, libraryFolders)
	if err != nil {
		return err
	}
	library := 0
	for _, folder := range slices.AppendSeq(slices.Clone(otherModules), maps.Keys(linked)) {
		library += t.lines(folder+"/*.go") - t.lines(folder+"/*_test.go")
	}
	asserting, err := loadLibrary(t, clientFolders)
	if err != nil {
		return err
	}
	maps.Copy(asserting, linked)
	assertions := 0
	for _, p := range asserting {
		assertions += p.errorAssertions()
	}
	policy, token := linked["interceptor/policy"], linked["interceptor/token"]
	if policy == nil || token == nil {
		return fmt.Errorf("%s: there is no package policy, or no package token", root)
	}
	entered, reached := linked.entered("interceptor/token", "Verifier", "verify")
	_, _ = fmt.Fprint(w, "| | now | at most |\n|---|--:|--:|\n")
	for _, row := range []struct{ name, now, atMost string }{
		{"library without clientauth and devissuer (lines)", thousands(library), "6,200"},
		{"mutate with tests", thousands(t.lines("interceptor/internal/mutate/...", "interceptor/internal/dev/mutate/...", "interceptor/internal/dev/mutants/...")), "450"},
		{"bench with tests", thousands(t.lines("interceptor/internal/bench/...", "interceptor/internal/dev/bench/...")), "2,400"},
		{"tests of stream behaviour in the adapters", thousands(t.lines(streamTests...)), "1,400"},
		{"README", thousands(t.lines("README.md")), "250"},
		{"exported identifiers of policy / token (without fields)", thousands(policy.exported()) + " / " + thousands(token.exported()), "48 / 54"},
		{"type assertions on errors in the library", thousands(assertions), "0"},
		{"files that `Verifier.verify` enters (and what these reach)", fmt.Sprintf("%d (%d)", len(entered), len(reached)), "8"},
		{"examples", thousands(t.examples()), "at least 20"},
		{"all Go lines without gen", thousands(t.lines("...")), "what was there before, less 4,000"},
	} {
		_, _ = fmt.Fprintf(w, "| %s | %s | %s |\n", row.name, row.now, row.atMost)
	}
	return nil
}

// thousands writes a number as in 6,417.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
