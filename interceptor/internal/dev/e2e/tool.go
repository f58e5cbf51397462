package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Tool returns the path of a program: the environment variable E2E_NAME, or the program of the name in PATH.
// Without the program the test is skipped, see [Missing].
func Tool(t testing.TB, name string) string {
	t.Helper()
	if path := os.Getenv("E2E_" + strings.ToUpper(name)); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "there is no "+name)
	}
	return path
}

// NodeModules returns the absolute path of the node_modules of a folder, in which `npm ci` must have run, and
// the path of Node.js. Without them the test is skipped, see [Missing].
func NodeModules(t testing.TB, folder string) (modules, node string) {
	t.Helper()
	node = Tool(t, "node")
	modules, err := filepath.Abs(filepath.Join(folder, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(modules, ".package-lock.json")); err != nil {
		Missing(t, "npm has not installed "+modules)
	}
	return modules, node
}

// Missing skips the test, since a program that the test needs is missing. With CI=true in the environment the
// test fails.
func Missing(t testing.TB, what string) {
	t.Helper()
	if ci, err := strconv.ParseBool(os.Getenv("CI")); err == nil && ci {
		t.Fatalf("%s, and CI is set", what)
	}
	t.Skip(what)
}
