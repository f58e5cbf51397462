package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A runner is connectconformance, with what it needs to start our servers.
type runner struct {
	binary, self, protos string
}

// newRunner finds the .proto files of the runner's module, in the version that the binary names.
func newRunner(ctx context.Context, binary string) (*runner, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("-runner: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", info.Main.Path+"@"+info.Main.Version) //nolint:gosec // the runner is run, too
	answer, err := download.Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, answer)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(answer, &module); err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	return &runner{binary, self, filepath.Join(module.Dir, "proto")}, nil
}

// patience is how long a run may take. A run takes less than a minute.
const patience = 5 * time.Minute

// run runs all cases. The runner names only cases with an unexpected or a known outcome, so it is told
// that all cases are known to fail. Servers write their tallies to standard error.
func (r *runner) run(ctx context.Context, m mode) (*result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, r.binary, //nolint:gosec // it is what the user wants to be run
		"-v", "--conf", "config.yaml", "--mode", "server", "--known-failing", "**",
		"--", r.self, "serve", "-protos", r.protos, "-mode", string(m))
	command.Stdout, command.Stderr = &stdout, &stderr
	// A runner that is interrupted leaves its servers behind.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGTERM) }
	command.WaitDelay = 2 * shutdown
	err := command.Run()
	// The exit status is 1 if a case passed.
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) {
		return nil, fmt.Errorf("%w\n%s%s", errors.Join(ctx.Err(), err), tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	result, parseErr := parse(stdout.String(), stderr.String())
	if parseErr != nil {
		return nil, fmt.Errorf("%w\n%s%s", parseErr, tail(stdout.Bytes()), tail(stderr.Bytes()))
	}
	return result, nil
}

// tail is the end of the output of a program.
func tail(said []byte) []byte {
	const most = 4 << 10
	return said[max(0, len(said)-most):]
}
