package main

import (
	"bytes"
	"context"
	"errors"
	"go/build"
	"io/fs"
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

// newTrial returns a trial of packages of testdata/module.txtar, and the files there.
func newTrial(t *testing.T, pattern string, folders ...string) (tr trial, out *bytes.Buffer, files map[string]string) {
	t.Helper()
	module, err := txtar.ParseFile("testdata/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root, out, files := t.TempDir(), new(bytes.Buffer), map[string]string{}
	for _, file := range module.Files {
		name := filepath.Join(root, file.Name)
		files[file.Name] = string(file.Data)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, file.Data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return trial{root, folders, regexp.MustCompile(pattern), files["survivors.txt"], 2, time.Hour, out}, out, files
}

// TestRun makes sure that each mutant is found and compiles, and that survivors and stale entries are
// printed.
func TestRun(t *testing.T) {
	t.Parallel()
	tr, out, files := newTrial(t, "", "check", "other")
	mutants, err := tr.write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var names strings.Builder
	for _, m := range mutants {
		names.WriteString(strings.TrimPrefix(m.name, "check/check.go: ") + "\n")
	}
	if names.String() != files["mutants.txt"] {
		t.Errorf("%s\nwant:\n%s", &names, files["mutants.txt"])
	}
	err = tr.run(t.Context())
	lines := strings.Lines(regexp.MustCompile(`, after .*`).ReplaceAllString(out.String(), ""))
	if got := strings.Join(slices.Sorted(lines), ""); err == nil || got != files["want.txt"] {
		t.Errorf("%v, %s\nwant:\n%s", err, got, files["want.txt"])
	}
}

// TestChosen tries few mutants at a time.
func TestChosen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		folder, pattern string
		timeout         time.Duration
		want, wantErr   string
	}{
		"what is not chosen is neither tried nor stale": {"check", "Own: .* is false", time.Hour, "check: 1 killed, 0 survived, 0 not reached", ""},
		"nothing is chosen":                             {"check", "nothing", time.Hour, "check: 0 killed, 0 survived, 0 not reached", `check: no mutant has a name that matches "nothing"`},
		"a test hangs, another fails":                   {"endless", "`n > 0` is false", time.Hour, "endless: 1 killed, 0 survived", ""},
		"all tests hang":                                {"endless", "`n--` is left out", time.Second, "endless: 1 killed, 0 survived", ""},
		"a test fails by chance":                        {"chance", "is false", time.Hour, "chance/chance.go: Positive: `n > 0` is false: TestChance fails without the mutant, too at line 4", "1 mutants differ"},
		"the tests fail without a mutant":               {"fails", "", time.Hour, "", "--- FAIL: TestAlways"},
		"no package":                                    {"gone", "", time.Hour, "", "cannot find package"},
	} {
		tr, out, _ := newTrial(t, test.pattern, test.folder)
		tr.timeout = test.timeout
		err := tr.run(t.Context())
		if !strings.HasPrefix(out.String(), test.want) || (err != nil) != (test.wantErr != "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// TestLists makes sure that each package of the library with mutants is tried, and that survivors.txt names mutants
// that there are. The tool does not build modules of their own.
func TestLists(t *testing.T) {
	t.Parallel()
	const root = "../../../.."
	listed, names := map[string]bool{}, map[string]bool{}
	for _, p := range packages {
		listed[p[0]] = true
	}
	if err := fs.WalkDir(os.DirFS(root), "interceptor", func(folder string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		} else if slices.Contains([]string{"interceptor/cmd", "interceptor/otelguard", "interceptor/internal/dev", "interceptor/internal/test"}, folder) {
			return fs.SkipDir
		}
		mutants, err := trial{root: root, folders: []string{folder}}.write(t.TempDir())
		if _, empty := errors.AsType[*build.NoGoError](err); empty {
			return nil
		}
		if (len(mutants) > 0) != listed[folder] {
			t.Errorf("%s has %d mutants, in the list: %t", folder, len(mutants), listed[folder])
		}
		for _, m := range mutants {
			names[m.name] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, match := range survivor.FindAllStringSubmatch(survivors, -1) {
		if !names[match[1]] {
			t.Errorf("survivors.txt: there is no mutant %s", match[1])
		}
	}
}

// TestInterrupt makes sure that an interrupted test is not a kill, and that nothing is left.
func TestInterrupt(t *testing.T) {
	started, temp := filepath.Join(t.TempDir(), "started"), t.TempDir()
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENDLESS_STARTED", started)
	t.Setenv("TMPDIR", temp)
	tr, out, _ := newTrial(t, "`n--` is left out", "endless")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_, _ = os.ReadFile(started) // waits for the test
	}()
	if err := tr.run(ctx); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v, %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(temp, "mutate*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left, %v", left, err)
	}
}
