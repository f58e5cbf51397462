// Command mutate removes the checks that stand between a caller and a handler, one at
// a time, and makes sure that a test fails for each. It runs in the module's root and
// writes nothing there: the compiler finds each changed file by way of an overlay.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	parallel := flag.Int("p", 2, "mutations to try at once")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: mutate [-p n] [regexp of names]")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	m := mutator{root: ".", users: users, parallel: *parallel, timeout: time.Minute, out: os.Stdout}
	if err := m.run(ctx, mutations, flag.Arg(0)); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// A mutation is one change to one file. Its name says which check is gone.
type mutation struct{ name, file, old, new string }

// apply returns the changed file.
func (m mutation) apply(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // our own list
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(content), m.old); n != 1 {
		return "", fmt.Errorf("stale mutation: the old text occurs %d times in %s: update interceptor/internal/dev/mutate", n, m.file)
	}
	return strings.Replace(string(content), m.old, m.new, 1), nil
}

type mutator struct {
	root     string              // of the module
	users    map[string][]string // by package, those that are tried, in order, when its own tests let a mutation pass
	parallel int
	timeout  time.Duration // of a package's tests
	out      io.Writer
	temp     string
}

// run tries the mutations whose names match. The error is nil if all of them were killed.
func (m mutator) run(ctx context.Context, all []mutation, pattern string) (err error) {
	start := time.Now()
	chosen, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(m mutation) bool { return !chosen.MatchString(m.name) })
	if m.root, err = filepath.Abs(m.root); err != nil {
		return err
	}
	if m.temp, err = os.MkdirTemp("", "mutate"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(m.temp)) }()
	if err := m.baseline(ctx, all); err != nil {
		return err
	}
	var working sync.WaitGroup
	var mu sync.Mutex
	lines := map[string][]string{} // by outcome
	jobs := make(chan mutation)
	for range max(m.parallel, 1) {
		working.Go(func() {
			for mutation := range jobs {
				outcome, why := m.outcome(ctx, mutation)
				if ctx.Err() != nil {
					continue // interrupted, not killed
				}
				line := strings.TrimSpace(fmt.Sprintf("%-8s  %-60s  %s", outcome, mutation.name, why))
				mu.Lock()
				lines[outcome] = append(lines[outcome], line)
				_, _ = fmt.Fprintln(m.out, line)
				mu.Unlock()
			}
		})
	}
	for _, mutation := range all {
		jobs <- mutation
	}
	close(jobs)
	working.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, _ = fmt.Fprintf(m.out, "\n%d mutations in %v: %d killed, %d killed by a timeout, %d survived, %d errors\n", len(all),
		time.Since(start).Round(time.Second), len(lines[killed]), len(lines[timeout]), len(lines[survived]), len(lines[failed]))
	if bad := slices.Concat(lines[survived], lines[failed]); len(bad) > 0 || len(all) == 0 {
		return fmt.Errorf("not killed:\n%s", cmp.Or(strings.Join(bad, "\n"), "nothing has been tried"))
	}
	return nil
}

// What can come of a mutation.
const killed, timeout, survived, failed = "killed", "timeout", "SURVIVED", "ERROR"

// baseline makes sure that the tests pass without a mutation: one that always fails
// proves nothing.
func (m mutator) baseline(ctx context.Context, all []mutation) error {
	var packages []string
	for _, mutation := range all {
		packages = append(packages, m.testers(mutation)...)
	}
	slices.Sort(packages)
	for _, pkg := range slices.Compact(packages) {
		if killer, err := m.test(ctx, m.temp, pkg); err != nil || killer != "" {
			return fmt.Errorf("%s without any mutation: %w", pkg, cmp.Or(err, errors.New(killer)))
		}
	}
	return nil
}

// outcome says what came of a mutation, and why.
func (m mutator) outcome(ctx context.Context, mutation mutation) (outcome, why string) {
	killer, err := m.try(ctx, mutation)
	switch {
	case err != nil:
		return failed, err.Error()
	case killer == "":
		return survived, ""
	case strings.HasPrefix(killer, timedOut):
		return timeout, killer
	default:
		return killed, killer
	}
}

// try returns what killed a mutation, or "".
func (m mutator) try(ctx context.Context, mutation mutation) (killer string, err error) {
	changed, err := mutation.apply(m.root)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(m.temp, "")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, overlay := filepath.Join(dir, filepath.Base(mutation.file)), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(m.root, mutation.file): file}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(file, []byte(changed), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	for _, pkg := range m.testers(mutation) {
		if killer, err = m.test(ctx, dir, pkg, "-overlay", overlay); err != nil || killer != "" {
			break
		}
	}
	return killer, err
}

// testers are the packages whose tests may kill a mutation, in the order in which they are
// tried.
func (m mutator) testers(mutation mutation) []string {
	own := path.Dir(mutation.file)
	return append([]string{own}, m.users[own]...)
}

// test runs the tests of a package and returns what fails, or "". What does not compile is
// an error. Where go test would build, vet and run, this tells one from the other, and has
// the process at hand to end it.
func (m mutator) test(ctx context.Context, dir, pkg string, flags ...string) (killer string, err error) {
	binary := filepath.Join(dir, "test.exe")
	args := slices.Concat([]string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}, flags, []string{"./" + filepath.ToSlash(pkg)})
	compile := exec.CommandContext(ctx, "go", args...) //nolint:gosec // our own list
	compile.Dir = m.root
	if out, err := compile.CombinedOutput(); err != nil {
		return "", fmt.Errorf("does not compile: %w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	run := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast", "-test.paniconexit0", "-test.timeout="+m.timeout.String()) //nolint:gosec // just compiled
	run.Dir = filepath.Join(m.root, pkg)
	run.WaitDelay = time.Second
	out := &failure{first: func() { _ = run.Process.Kill() }}
	run.Stdout, run.Stderr = out, out
	err = run.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.killer(), nil
	}
	return "", err
}
