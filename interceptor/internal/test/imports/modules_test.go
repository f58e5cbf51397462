package imports_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOutsideModules makes sure that the gate checks every module, and fails if find does not find the modules.
func TestOutsideModules(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"make", "bash", "find"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s", tool)
		}
	}
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "find"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	// dry returns what a target would run.
	dry := func(target, path string) (string, error) {
		command := exec.CommandContext(t.Context(), "make", "-n", target)
		command.Dir = "../../../.."
		command.Env = []string{"PATH=" + path, "HOME=" + t.TempDir()}
		out, err := command.CombinedOutput()
		return string(out), err
	}
	for _, target := range []string{"C16/platforms", "C16/lint"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			out, err := dry(filepath.Base(target), os.Getenv("PATH"))
			if err != nil || !strings.Contains(out, "./interceptor/cmd ./interceptor/internal/dev/bench ") {
				t.Errorf("%v: %s", err, out)
			}
			out, err = dry(filepath.Base(target), broken+string(filepath.ListSeparator)+os.Getenv("PATH"))
			if err == nil || !strings.Contains(out, "the main module is not among") {
				t.Errorf("without find: %v: %s", err, out)
			}
		})
	}
}
