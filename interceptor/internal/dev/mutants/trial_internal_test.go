package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTrial returns a trial of a package of testdata/module.txtar.
func newTrial(t *testing.T, folder string, users ...string) (tr trial, out *bytes.Buffer) {
	t.Helper()
	out = new(bytes.Buffer)
	module, err := txtar.ParseFile("testdata/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, file := range module.Files {
		name := filepath.Join(root, file.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, file.Data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return trial{root: root, folder: folder, users: users, chosen: regexp.MustCompile(""), parallel: 2, out: out}, out
}

// TestRun makes sure that the mutants are found, that each compiles, and that survivors and stale
// entries are told.
func TestRun(t *testing.T) {
	t.Parallel()
	tr, out := newTrial(t, "check", "other")
	tr.accepted = map[string]string{
		"check/check.go: Count: `n < 0` has <=":                           "the operand before has what is equal",
		"check/check.go: (*Queue[T]).Send: `q.sent <- value` is left out": "no test reaches it",
		"check/check.go: Own: `n > 1` is true":                            "stale: a test kills it",
		"check/check.go: Own: `n > 2` is true":                            "stale: there is no such mutant",
		"elsewhere/check.go: Own: `n > 1` is true":                        "of another package",
	}
	err := tr.run(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	const want = `see survivors.txt
check/check.go:8:5: Own: ~n > 1~ has >=: survived
check/check.go:30:5: Count: ~unused != nil~ is false: survived
check/check.go:31:3: Count: ~unused()~ is left out: not reached
check/check.go:42:2: (*Queue[T]).Send: ~defer close(done)~ is left out: not reached
check/check.go:43:2: (*Queue[T]).Send: ~go func() { q.sent <- value }()~ is left out: not reached
check/check.go:44:2: (*Queue[T]).Send: ~sent = !sent~ is left out: not reached
check/check.go:45:2: (*Queue[T]).Send: ~done <- sent~ is left out: not reached
check/check.go:44:9: (*Queue[T]).Send: ~!sent~ is false: not reached
check/check.go:44:9: (*Queue[T]).Send: ~!sent~ is true: not reached
check/check.go:46:20: (*Queue[T]).Send: ~sent~ is false: not reached
check/check.go:46:20: (*Queue[T]).Send: ~sent~ is true: not reached
check/check.go: Own: ~n > 1~ is true: accepted, but killed or gone
check/check.go: Own: ~n > 2~ is true: accepted, but killed or gone`
	if got := strings.ReplaceAll(err.Error(), "`", "~"); got != want {
		t.Errorf("%s\nwant:\n%s", got, want)
	}
	const counts = "check: 33 mutants, 14 killed, 0 hung, 3 survived, 16 not reached, " +
		"other: 33 mutants, 20 killed, 0 hung, 3 survived, 10 not reached, "
	if got := regexp.MustCompile(`after .*\n`).ReplaceAllString(out.String(), ""); got != counts {
		t.Errorf("%s\nwant:\n%s", got, counts)
	}
}

// TestFinder makes sure that each mutant is found: the list in testdata/module.txtar is complete.
func TestFinder(t *testing.T) {
	t.Parallel()
	tr, _ := newTrial(t, "check")
	mutants, _, err := writeOverlay(t.Context(), tr.root, tr.folder, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(tr.root, "mutants.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, m := range mutants {
		got.WriteString(strings.TrimPrefix(m.name, "check/check.go: ") + "\n")
	}
	if got.String() != string(want) {
		t.Errorf("%s\nwant:\n%s", &got, want)
	}
}

// TestChosen makes sure that what is not chosen is neither tried nor stale.
func TestChosen(t *testing.T) {
	t.Parallel()
	tr, out := newTrial(t, "check", "other") // whose tests do not run, since no mutant is left
	tr.chosen = regexp.MustCompile("Own: .* is ")
	tr.accepted = map[string]string{"check/check.go: Own: `n > 3` has >=": "stale, but not chosen"}
	if err := tr.run(t.Context()); err != nil || !strings.HasPrefix(out.String(), "check: 2 mutants, 2 killed, ") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v, %s", err, out)
	}
	tr.chosen = regexp.MustCompile("nothing")
	if err := tr.run(t.Context()); err == nil {
		t.Error("no mutants, no error")
	}
}

// TestBaseline makes sure that nothing counts as killed by a test that fails anyway.
func TestBaseline(t *testing.T) {
	t.Setenv("ENDLESS_FAILS", "1")
	tr, out := newTrial(t, "endless")
	if err := tr.run(t.Context()); err == nil || !strings.Contains(err.Error(), "--- FAIL: TestDown") || out.Len() > 0 {
		t.Errorf("%v, %s", err, out)
	}
}

// TestHung makes sure that a mutant that hangs is killed when time is up, and one that fails at once.
func TestHung(t *testing.T) {
	t.Parallel()
	tr, out := newTrial(t, "endless")
	temp := t.TempDir()
	mutants, overlay, err := writeOverlay(t.Context(), tr.root, tr.folder, temp)
	if err != nil {
		t.Fatal(err)
	}
	b, err := build(t.Context(), filepath.Join(tr.root, tr.folder), overlay, temp)
	if err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]struct {
		timeout time.Duration
		outcome outcome
	}{
		"`n > 0` is false":  {b.timeout, killed},
		"`n--` is left out": {time.Second, hung},
	} {
		b.timeout = want.timeout
		at := slices.IndexFunc(mutants, func(m *mutant) bool { return strings.HasSuffix(m.name, change) })
		if got, err := b.test(t.Context(), mutants[at].number); err != nil || got != want.outcome {
			t.Errorf("%s: %s, %v, want %s", change, got, err, want.outcome)
		}
		mutants[at].outcome = want.outcome
	}
	_ = tr.judge(mutants)
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "Down: `n--` is left out: hung\n") {
		t.Errorf("what hung is told so: %s", got)
	}
}

// TestInterrupt makes sure that an interrupted test is no kill, and that nothing is left.
func TestInterrupt(t *testing.T) {
	started, temp := filepath.Join(t.TempDir(), "started"), t.TempDir()
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENDLESS_STARTED", started)
	t.Setenv("TMPDIR", temp)
	tr, out := newTrial(t, "endless")
	tr.chosen = regexp.MustCompile("`n--` is left out")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_, _ = os.ReadFile(started) // waits for the test
	}()
	if err := tr.run(ctx); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v, %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "mutants*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left, %v", left, err)
	}
}

// TestNoPackage makes sure that a folder without a package is an error.
func TestNoPackage(t *testing.T) {
	t.Parallel()
	tr, _ := newTrial(t, "gone")
	if err := tr.run(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestParseAccepted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want map[string]string
	}{
		"two":            {"a.go: `n > 0` is true\n\tA reason\n\tof two lines.\n\nb\n\tAnother.\n", map[string]string{"a.go: `n > 0` is true": "A reason\n\tof two lines.", "b": "Another."}},
		"nothing":        {"\n", map[string]string{}},
		"no reason":      {"a\n\nb\n\tA reason.\n", nil},
		"an empty one":   {"a\n\t \n", nil},
		"twice":          {"a\n\tA reason.\n\na\n\tAnother.\n", nil},
		"nothing before": {"\tA reason.\n", nil},
	} {
		if got, err := parseAccepted(test.text); !maps.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestSurvivors makes sure that the list can be read.
func TestSurvivors(t *testing.T) {
	t.Parallel()
	if _, err := parseAccepted(survivors); err != nil {
		t.Error(err)
	}
}
