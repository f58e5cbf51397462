package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// seconds is e2e.Patience for the clients that take a time limit.
var seconds = strconv.Itoa(int(e2e.Patience.Seconds()))

// stderrOf returns the standard error of a failed command, if nobody else reads it.
func stderrOf(err error) []byte {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Stderr
	}
	return nil
}

// runClient runs a command that prints each answer as a JSON document, and stops the command after take
// documents, unless take is 0. It returns the documents, the exit status and the standard error.
func runClient(t *testing.T, take int, name string, args ...string) (messages []json.RawMessage, status int, stderr string) {
	t.Helper()
	ctx, leave := context.WithTimeout(t.Context(), e2e.Patience)
	defer leave()
	command := exec.CommandContext(ctx, name, args...)
	// The command may run another one, as buf from npm does: both must end.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	var complaint bytes.Buffer
	command.Stderr = &complaint
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(stdout); ; {
		var message json.RawMessage
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%s: not JSON: %v", name, err)
			leave()
			break
		}
		if messages = append(messages, message); len(messages) == take {
			leave()
			break
		}
	}
	err = command.Wait()
	switch exit, exited := errors.AsType[*exec.ExitError](err); {
	case len(messages) == take && take > 0:
		return messages, 0, ""
	case exited:
		return messages, exit.ExitCode(), complaint.String()
	case err != nil:
		t.Fatalf("%s: %v", name, err)
	}
	return messages, 0, complaint.String()
}
