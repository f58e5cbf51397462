package provider_test

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// start runs a program until the test ends, and returns the first line that the program prints. The program
// must then end with status 0.
func start(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = e2e.Patience
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdin, err := command.StdinPipe() // closes with this process, however that ends
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	t.Cleanup(func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = command.Wait() // returns an error, as the test has ended
		stdin.Close()
		if status := command.ProcessState; !status.Success() {
			t.Errorf("%s: %v", name, status)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", name, stderr.Bytes()[max(0, stderr.Len()-10_000):])
		}
	})
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.TrimSuffix(line, "\n")
}
