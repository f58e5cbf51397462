//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestVendorPipe makes sure that the command does not wait for a pipe in place of the file.
func TestVendorPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "protoauthz", "v1", "authz.proto")
	if err := errors.Join(os.MkdirAll(filepath.Dir(pipe), 0o700), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := execute(t, nil, "vendor", dir); got.status != exitFailed || !strings.Contains(got.stderr, "remove it") {
		t.Errorf("got %+v", got)
	}
}
