package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A trial tries the mutants of a package.
type trial struct {
	root     string
	folder   string   // of the package, from the root
	users    []string // folders of packages
	chosen   *regexp.Regexp
	accepted map[string]string // reasons, by name
	parallel int
	out      io.Writer
}

// The outcomes for a mutant.
const killed, hung, survived, unreached = "killed", "hung", "survived", "not reached"

// run prints the survivors. The error is nil if all of them are accepted, and all that are accepted
// have survived.
func (t trial) run(ctx context.Context) (err error) {
	start := time.Now()
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	mutants, overlay, err := writeOverlay(ctx, t.root, t.folder, temp)
	if err != nil {
		return err
	}
	outcomes := map[int]string{} // by number
	for i, m := range mutants {
		if t.chosen.MatchString(m.name) {
			outcomes[i+1] = unreached
		}
	}
	for _, folder := range append([]string{t.folder}, t.users...) {
		b, err := build(ctx, filepath.Join(t.root, folder), overlay, temp)
		if err != nil {
			return err
		}
		if err := t.try(ctx, b, outcomes); err != nil {
			return err
		}
		count := map[string]int{}
		for _, outcome := range outcomes {
			count[outcome]++
		}
		_, _ = fmt.Fprintf(t.out, "%s: %d mutants, %d killed, %d hung, %d survived, %d not reached, after %v\n", folder, len(outcomes),
			count[killed], count[hung], count[survived], count[unreached], time.Since(start).Round(time.Second))
		if count[survived]+count[unreached] == 0 {
			break
		}
	}
	return t.report(mutants, outcomes)
}

// try runs the tests of a package with the mutants that they reach and others have not killed.
func (t trial) try(ctx context.Context, b *binary, outcomes map[int]string) error {
	var failures []error
	var mu sync.Mutex // guards failures and outcomes
	var running sync.WaitGroup
	slots := make(chan struct{}, max(t.parallel, 1))
	for n, before := range maps.Clone(outcomes) {
		if !b.reached[n] || before == killed || before == hung {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			outcome, err := b.test(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			outcomes[n], failures = outcome, append(failures, err)
		})
	}
	running.Wait()
	return errors.Join(failures...)
}

// report returns an error with what survived and is not accepted, and what is accepted and did not
// survive.
func (t trial) report(mutants []mutant, outcomes map[int]string) error {
	faults := []string{"nothing was tried"}
	if len(outcomes) > 0 {
		faults = nil
	}
	stale := maps.Clone(t.accepted)
	maps.DeleteFunc(stale, func(name, _ string) bool {
		file, _, _ := strings.Cut(name, ": ")
		return path.Dir(file) != t.folder || !t.chosen.MatchString(name)
	})
	for _, n := range slices.Sorted(maps.Keys(outcomes)) {
		m, outcome := mutants[n-1], outcomes[n]
		if outcome == killed || outcome == hung {
			continue
		}
		delete(stale, m.name)
		if _, ok := t.accepted[m.name]; !ok {
			file, change, _ := strings.Cut(m.name, ": ")
			faults = append(faults, fmt.Sprintf("%s:%d:%d: %s: %s", file, m.at.Line, m.at.Column, change, outcome))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(stale)) {
		faults = append(faults, name+": accepted, but killed or gone")
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(append([]string{"see survivors.txt"}, faults...), "\n"))
	}
	return nil
}
