// Command mutants changes a package wherever its code decides or acts, one change at a time, and
// prints the changes that no test notices. All changes are built into one binary. The compiler reads
// the changed files from an overlay, so nothing is written to the project, in whose root this runs.
//
// A test that fails by chance hides a survivor, so the machine should have nothing else to do.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"regexp"
	"runtime"
	"strings"
	"syscall"
)

// users are the packages whose tests try what the tests of a package let survive, the quickest first.
var users = map[string][]string{
	"interceptor":                    {"interceptor/grpcguard", "interceptor/connectv2guard", "interceptor/clientauth"},
	"interceptor/internal/cache":     {"interceptor/token", "interceptor"},
	"interceptor/internal/callctx":   {"interceptor", "interceptor/connectv2guard"},
	"interceptor/internal/unguarded": {"interceptor/guardtest", "interceptor/grpcguardtest"},
	"interceptor/policy":             {"interceptor"},
	"interceptor/token":              {"interceptor", "interceptor/grpcguard"},
}

//go:embed survivors.txt
var survivors string

func main() {
	parallel := flag.Int("p", runtime.NumCPU(), "mutants to try at once")
	chosen := flag.String("run", "", "try the mutants whose lines in survivors.txt would match this `regexp`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	folder := path.Clean(flag.Arg(0))
	t := trial{root: ".", folder: folder, users: users[folder], parallel: *parallel, out: os.Stdout}
	var err error
	if t.accepted, err = parseAccepted(survivors); err == nil {
		if t.chosen, err = regexp.Compile(*chosen); err == nil {
			err = t.run(ctx)
		}
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// parseAccepted returns the reasons why mutants may survive, by name. Empty lines stand between the
// entries, and the lines of a reason begin with a tab.
func parseAccepted(text string) (map[string]string, error) {
	reasons := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if entry == "" || strings.HasPrefix(entry, "#") {
			continue
		}
		name, reason, _ := strings.Cut(entry, "\n\t")
		if _, twice := reasons[name]; twice || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("survivors.txt: given twice, or without a reason: %s", entry)
		}
		reasons[name] = reason
	}
	return reasons, nil
}
