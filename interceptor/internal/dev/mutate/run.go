package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A trial tries the mutants of a package.
type trial struct {
	root      string
	folders   []string // of the package, and of those whose tests are tried next
	chosen    *regexp.Regexp
	survivors string // what survivors.txt holds
	parallel  int
	timeout   time.Duration // of the tests of a package, beside what they take without a mutant
	out       io.Writer
}

const killed, survived, unreached = "killed", "survived", "not reached"

// run tries the mutants. The error is nil if those in survivors.txt survive, and no others.
func (t trial) run(ctx context.Context) (err error) {
	start := time.Now()
	temp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	mutants, err := t.write(temp)
	if err != nil {
		return err
	}
	var binaries []*binary
	for _, folder := range t.folders {
		b, err := t.build(ctx, folder, temp)
		if err != nil {
			return err
		}
		binaries = append(binaries, b)
	}
	var running sync.WaitGroup
	r, slots := t.newReport(), make(chan struct{}, t.parallel)
	for i, m := range mutants {
		if !t.chosen.MatchString(m.name) {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			function, _, _ := strings.Cut(m.name, ": `")
			if outcome := try(ctx, binaries, strconv.Itoa(i+1), function); ctx.Err() == nil { // an interrupted test is not a kill
				r.add(t.out, m, outcome)
			}
			<-slots
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.end(t, time.Since(start).Round(time.Second))
}

// A report counts what becomes of the mutants.
type report struct {
	mu         sync.Mutex
	accepted   map[string]bool // by name, those of survivors.txt that have not survived yet
	count      map[string]int  // by outcome
	unexpected int
}

func (t trial) newReport() *report {
	r := &report{accepted: map[string]bool{}, count: map[string]int{}}
	for _, match := range survivor.FindAllStringSubmatch(t.survivors, -1) {
		if file, _, _ := strings.Cut(match[1], ": "); path.Dir(file) == t.folders[0] && t.chosen.MatchString(match[1]) {
			r.accepted[match[1]] = true
		}
	}
	return r
}

// add counts the outcome of a mutant, and prints at once what differs from survivors.txt.
func (r *report) add(out io.Writer, m mutant, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count[outcome]++
	if outcome != killed && !(outcome == survived && r.accepted[m.name]) {
		r.unexpected++
		_, _ = fmt.Fprintf(out, "%s: %s at line %d\n", m.name, outcome, m.line)
	}
	if outcome != killed {
		delete(r.accepted, m.name)
	}
}

// end prints what is left to say.
func (r *report) end(t trial, took time.Duration) error {
	for name := range r.accepted {
		r.unexpected++
		_, _ = fmt.Fprintf(t.out, "%s: in survivors.txt, but killed or gone\n", name)
	}
	_, _ = fmt.Fprintf(t.out, "%s: %d killed, %d survived, %d not reached, after %v\n",
		t.folders[0], r.count[killed], r.count[survived], r.count[unreached], took)
	switch {
	case len(r.count) == 0:
		return fmt.Errorf("%s: no mutant has a name that matches %q", t.folders[0], t.chosen)
	case r.unexpected > 0:
		return fmt.Errorf("%s: %d mutants differ from survivors.txt", t.folders[0], r.unexpected)
	}
	return nil
}

// write writes the package with its mutants to a folder, beside overlay.json for the compiler.
func (t trial) write(temp string) ([]mutant, error) {
	dir, absErr := filepath.Abs(filepath.Join(t.root, t.folders[0]))
	pkg, err := build.ImportDir(dir, 0)
	if err := errors.Join(absErr, err); err != nil {
		return nil, err
	}
	f, replace, errs := finder{seen: map[string]int{}}, map[string]string{}, []error{}
	write := func(name, text string) {
		replace[filepath.Join(pkg.Dir, name)] = filepath.Join(temp, name)
		errs = append(errs, os.WriteFile(filepath.Join(temp, name), []byte(text), 0o600)) //nolint:gosec // our own names
	}
	for _, name := range pkg.GoFiles {
		text, readErr := os.ReadFile(filepath.Join(pkg.Dir, name)) //nolint:gosec // our own code
		changed, err := f.file(path.Join(t.folders[0], name), string(text))
		errs = append(errs, readErr, err)
		write(name, changed)
	}
	write("mutants_overlay.go", fmt.Sprintf(runtimeFile, pkg.Name, len(f.mutants)+1))
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	write("overlay.json", string(overlay))
	return f.mutants, errors.Join(append(errs, err)...)
}

// A binary holds the tests of a package, built with mutants.
type binary struct {
	dir, file string
	timeout   time.Duration
	reached   map[string]bool // numbers of mutants
	killers   sync.Map        // by function, the test that has killed a mutant there
}

// build builds the tests of the package in a folder, and runs them without a mutant.
func (t trial) build(ctx context.Context, folder, temp string) (*binary, error) {
	b := &binary{dir: filepath.Join(t.root, folder), timeout: 10 * time.Minute, reached: map[string]bool{}}
	b.file = filepath.Join(temp, path.Base(folder)+".exe")
	compile := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", //nolint:gosec // our own arguments
		filepath.Join(temp, "overlay.json"), "-o", b.file, ".")
	compile.Dir = b.dir
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", folder, err, out)
	}
	start := time.Now()
	if outcome, end := b.test(ctx, none, "."); outcome != survived {
		return nil, fmt.Errorf("%s: the tests fail without a mutant: %s: %s", folder, outcome, end)
	}
	b.timeout = t.timeout + 6*time.Since(start) // the machine may be busier later
	numbers, err := os.ReadFile(b.file + ".reached")
	for _, number := range strings.Fields(string(numbers)) {
		b.reached[number] = true
	}
	return b, err
}

// try runs the tests that reach a mutant until one kills the mutant, and returns the outcome. A test that has
// killed a mutant of the same function is the first.
func try(ctx context.Context, binaries []*binary, mutant, function string) string {
	outcome := unreached
	for _, b := range binaries {
		if !b.reached[mutant] {
			continue
		}
		if killer, ok := b.killers.Load(function); ok {
			if outcome, _ = b.test(ctx, mutant, fmt.Sprintf("^%s$", killer)); outcome != survived {
				break
			}
		}
		var end []byte
		if outcome, end = b.test(ctx, mutant, "."); outcome != survived {
			if match := failedTest.FindSubmatch(end); match != nil {
				if alone, _ := b.test(ctx, none, fmt.Sprintf("^%s$", match[1])); alone != survived {
					return fmt.Sprintf("%s fails without the mutant, too", match[1])
				}
				b.killers.Store(function, string(match[1]))
			}
			break
		}
	}
	return outcome
}

// none is the number of no mutant.
const none = "0"

// test runs the tests with these names and a mutant, and returns the outcome and the end of what the tests
// print. A test that takes too long kills. With none, test notes which mutants the tests reach. The tests
// TestAllocations… and …IsCheap do not run: they count what whole calls allocate, and could kill by chance
// when the garbage collector empties a pool.
func (b *binary) test(ctx context.Context, mutant, names string) (outcome string, end []byte) {
	run := exec.CommandContext(ctx, b.file, "-test.short", "-test.failfast", "-test.paniconexit0", //nolint:gosec // the program that build has compiled
		"-test.run="+names, "-test.skip=^TestAllocations|Cheap$", "-test.timeout="+b.timeout.String())
	run.Dir, run.WaitDelay = b.dir, time.Second
	run.Env = append(os.Environ(), "PROTOAUTHZ_MUTANT="+mutant, "TMPDIR="+filepath.Dir(b.file)) // killed tests leave files
	if mutant == none {
		run.Env = append(run.Env, "PROTOAUTHZ_MUTANTS_REACHED="+b.file+".reached")
	}
	out := &output{failed: func() { _ = run.Process.Kill() }}
	run.Stdout, run.Stderr = out, out
	err := run.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return killed, out.end
	} else if err != nil {
		return err.Error(), nil
	}
	return survived, nil
}

// An output keeps the end of what tests print. When the first test has failed, it calls failed: tests
// that run beside it may hang.
type output struct {
	end    []byte
	failed func()
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)

func (o *output) Write(p []byte) (int, error) {
	o.end = append(o.end[max(0, len(o.end)-4096):], p...)
	if failedTest.Match(o.end) {
		o.failed()
	}
	return len(p), nil
}
