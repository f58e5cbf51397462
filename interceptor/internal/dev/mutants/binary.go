package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// writeOverlay writes a package with its mutants to a folder, and returns them with the file for the
// compiler's flag -overlay.
func writeOverlay(ctx context.Context, root, folder, temp string) (mutants []*mutant, overlay string, err error) {
	var pkg struct {
		Dir, Name string
		GoFiles   []string
	}
	list, err := command(ctx, filepath.Join(root, folder), "list", "-json=Dir,Name,GoFiles", ".")
	if err := errors.Join(err, json.Unmarshal(list, &pkg)); err != nil {
		return nil, "", err
	}
	f := finder{seen: map[string]int{}}
	replace := map[string]string{}
	write := func(name, text string) error {
		replace[filepath.Join(pkg.Dir, name)] = filepath.Join(temp, name)
		return os.WriteFile(filepath.Join(temp, name), []byte(text), 0o600) //nolint:gosec // our own code
	}
	for _, name := range pkg.GoFiles {
		text, err := os.ReadFile(filepath.Join(pkg.Dir, name)) //nolint:gosec // our own code
		if err != nil {
			return nil, "", err
		}
		changed, err := f.file(path.Join(folder, name), text)
		if err := errors.Join(err, write(name, changed)); err != nil {
			return nil, "", err
		}
	}
	err = write("mutants_overlay.go", fmt.Sprintf(runtimeFile, pkg.Name, len(f.mutants)+1))
	content, marshalErr := json.Marshal(map[string]any{"Replace": replace})
	overlay = filepath.Join(temp, "overlay.json")
	return f.mutants, overlay, errors.Join(err, marshalErr, os.WriteFile(overlay, content, 0o600))
}

// command runs the go command in a folder.
func command(ctx context.Context, dir string, args ...string) ([]byte, error) {
	run := exec.CommandContext(ctx, "go", args...) //nolint:gosec // our own arguments
	var stderr bytes.Buffer
	run.Dir, run.Stderr = dir, &stderr
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s in %s: %w: %s", args[0], dir, err, &stderr)
	}
	return out, nil
}

// A binary holds the tests of a package, built with mutants.
type binary struct {
	dir, file string
	reached   map[string]bool // numbers of mutants
	timeout   time.Duration
}

// build builds the tests of the package in a folder, and runs them without a mutant.
func build(ctx context.Context, dir, overlay, temp string) (*binary, error) {
	file := filepath.Join(temp, strings.ReplaceAll(filepath.ToSlash(dir), "/", "+")+".exe")
	if _, err := command(ctx, dir, "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", file, "."); err != nil {
		return nil, err
	}
	b := &binary{dir: dir, file: file, reached: map[string]bool{}, timeout: 10 * time.Minute}
	start := time.Now()
	if _, err := b.test(ctx, none); err != nil {
		return nil, fmt.Errorf("the tests in %s without a mutant: %w", dir, err)
	}
	// The machine may be busier later.
	b.timeout = 30*time.Second + 5*time.Since(start)
	numbers, err := os.ReadFile(file + ".reached") //nolint:gosec // just written
	for _, number := range strings.Fields(string(numbers)) {
		b.reached[number] = true
	}
	return b, err
}

// none is the number of no mutant.
const none = "0"

// test runs the tests with a mutant. With none, it notes which mutants they reach, and a failure is an
// error. Tests that count allocations do not run, since their bounds are no check of what the code does.
func (b *binary) test(ctx context.Context, mutant string) (outcome, error) {
	run := exec.CommandContext(ctx, b.file, "-test.short", "-test.failfast", "-test.paniconexit0", //nolint:gosec // just compiled
		"-test.skip=^TestAllocations|Cheap$", "-test.timeout="+b.timeout.String())
	run.Dir, run.WaitDelay = b.dir, time.Second
	reached := ""
	if mutant == none {
		reached = b.file + ".reached"
	}
	run.Env = append(os.Environ(), "PROTOAUTHZ_MUTANT="+mutant, "PROTOAUTHZ_MUTANTS_REACHED="+reached,
		"TMPDIR="+filepath.Dir(b.file)) // killed tests leave files
	out := &output{failed: func() { _ = run.Process.Kill() }}
	run.Stdout, run.Stderr = out, out
	err := run.Run()
	_, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err() // interrupted, not killed
	case failed && mutant == none:
		return "", fmt.Errorf("%w: %s", err, out.end)
	case failed && out.timedOut:
		return hung, nil
	case failed:
		return killed, nil
	default:
		return survived, err
	}
}

// An output keeps the end of what tests print. When the first test has failed, it calls failed: others
// that run beside it may hang.
type output struct {
	end      []byte
	timedOut bool
	failed   func()
}

var failedTest = regexp.MustCompile(`(?m)^--- FAIL: `)

func (o *output) Write(p []byte) (int, error) {
	o.end = append(o.end, p...)
	o.timedOut = o.timedOut || bytes.Contains(o.end, []byte("panic: test timed out"))
	if failedTest.Match(o.end) {
		o.failed()
	}
	o.end = o.end[max(0, len(o.end)-4096):]
	return len(p), nil
}
