package main

import (
	"cmp"
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

// run tries the mutants. The error names the survivors that are not accepted, and the accepted mutants
// that have not survived.
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
	mutants = slices.DeleteFunc(mutants, func(m *mutant) bool { return !t.chosen.MatchString(m.name) })
	for _, folder := range append([]string{t.folder}, t.users...) {
		b, err := build(ctx, filepath.Join(t.root, folder), overlay, temp)
		if err != nil {
			return err
		}
		if err := t.try(ctx, b, mutants); err != nil {
			return err
		}
		count := map[outcome]int{}
		for _, m := range mutants {
			count[m.outcome]++
		}
		_, _ = fmt.Fprintf(t.out, "%s: %d mutants, %d killed, %d hung, %d survived, %d not reached, after %v\n", folder, len(mutants),
			count[killed], count[hung], count[survived], count[unreached], time.Since(start).Round(time.Second))
		if count[survived]+count[unreached] == 0 {
			break
		}
	}
	return t.judge(mutants)
}

// try runs the tests of a package with each mutant that they reach and that earlier tests have not
// killed.
func (t trial) try(ctx context.Context, b *binary, mutants []*mutant) error {
	var running sync.WaitGroup
	failures := make([]error, len(mutants))
	slots := make(chan struct{}, max(t.parallel, 1))
	for i, m := range mutants {
		if m.outcome.dead() || !b.reached[m.number] {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			m.outcome, failures[i] = b.test(ctx, m.number)
			<-slots
		})
	}
	running.Wait()
	return cmp.Or(failures...)
}

// judge compares the survivors with the accepted mutants. It prints what hung, since a busy machine looks
// the same.
func (t trial) judge(mutants []*mutant) error {
	var faults []string
	if len(mutants) == 0 {
		faults = append(faults, "nothing was tried")
	}
	stale := maps.Clone(t.accepted)
	maps.DeleteFunc(stale, func(name, _ string) bool {
		file, _, _ := strings.Cut(name, ": ")
		return path.Dir(file) != t.folder || !t.chosen.MatchString(name)
	})
	for _, m := range mutants {
		file, change, _ := strings.Cut(m.name, ": ")
		line := fmt.Sprintf("%s:%d:%d: %s: %s", file, m.at.Line, m.at.Column, change, m.outcome)
		switch _, ok := t.accepted[m.name]; {
		case m.outcome == hung:
			_, _ = fmt.Fprintln(t.out, line)
		case m.outcome == killed:
		case ok:
			delete(stale, m.name)
		default:
			faults = append(faults, line)
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
