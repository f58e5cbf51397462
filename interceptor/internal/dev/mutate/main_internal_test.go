package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// module has a check that its own package's tests hold, and one that another's do.
const module = `
-- go.mod --
module example.test
-- check/check.go --
package check

func Own(n int) bool   { return n > 0 }
func Other(n int) bool { return n > 0 }
-- check/check_test.go --
package check

import "testing"

func TestOwn(t *testing.T) {
	t.Run("zero", func(t *testing.T) {
		if Own(0) {
			t.Error("zero")
		}
	})
}
-- other/other_test.go --
package other

import (
	"testing"

	"example.test/check"
)

func TestOther(t *testing.T) {
	if check.Other(0) {
		t.Error("zero")
	}
}
`

func newMutator(t *testing.T) (m mutator, out *bytes.Buffer) {
	t.Helper()
	out = new(bytes.Buffer)
	m = mutator{root: t.TempDir(), users: map[string][]string{"check": {"other"}}, parallel: 1, timeout: 3 * time.Second, out: out}
	for _, file := range txtar.Parse([]byte(module)).Files {
		write(t, filepath.Join(m.root, file.Name), string(file.Data))
	}
	return m, out
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// TestRun makes sure that what is no kill is not taken for one.
func TestRun(t *testing.T) {
	t.Parallel()
	const file, own, other = "check/check.go", "Own(n int) bool   { return n > 0", "Other(n int) bool { return n > 0"
	m, out := newMutator(t)
	err := m.run(t.Context(), []mutation{
		{"own", file, own, "Own(int) bool { return true"},
		{"other", file, other, "Other(int) bool { return true"},
		{"endless", file, own, "Own(int) bool { for {}"},
		{"equivalent", file, own, "Own(n int) bool { return n >= 1"},
		{"no code", file, own, "Own(int) bool { return gone"},
		{"stale", file, "return n < 0", "return true"},
		{"ambiguous", file, "return n > 0", "return true"},
		{"chosen by nobody", file, own, "Own(int) bool { return true"},
	}, "^[^c]")
	want := []string{
		"killed own TestOwn/zero", "killed other TestOther", "timeout endless panic: test timed out after 3s", "SURVIVED equivalent",
		"ERROR no code does not compile", "ERROR stale stale mutation", "ERROR ambiguous stale mutation", "",
		"7 mutations in",
	}
	lines := strings.Split(out.String(), "\n")
	for n := range want {
		if line := strings.Join(strings.Fields(lines[min(n, len(lines)-1)]), " "); !strings.HasPrefix(line, want[n]) {
			t.Errorf("got %q, want %q", line, want[n])
		}
	}
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("the error is %v, want one with the four that were not killed", err)
	}
}

// TestBaseline makes sure that nothing counts as killed by a test that fails anyway.
func TestBaseline(t *testing.T) {
	t.Parallel()
	const file = "check/check.go"
	m, out := newMutator(t)
	write(t, filepath.Join(m.root, file), "package check\n\nfunc Own(int) bool { return true }\n")
	err := m.run(t.Context(), []mutation{{"own", file, "true", "!false"}}, "")
	if err == nil || !strings.Contains(err.Error(), "TestOwn/zero") || out.Len() > 0 {
		t.Errorf("%v, %s", err, out)
	}
}

// TestInterrupt makes sure that an interrupted test is no kill, and leaves nothing.
func TestInterrupt(t *testing.T) {
	m, out := newMutator(t)
	m.timeout = time.Hour
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { // once the test runs
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(m.root, "check", "started")); err == nil {
				cancel()
			}
			<-time.After(10 * time.Millisecond)
		}
	}()
	err := m.run(ctx, []mutation{{
		"endless", "check/check.go", "package check\n\nfunc Own(n int) bool   { return n > 0 }",
		`package check; import "os"; func Own(int) bool { for { _ = os.WriteFile("started", nil, 0o600) } }`,
	}}, "")
	if left, _ := os.ReadDir(os.TempDir()); !errors.Is(err, context.Canceled) || out.Len() > 0 || len(left) > 0 {
		t.Errorf("%v, %s, %d files are left", err, out, len(left))
	}
}
