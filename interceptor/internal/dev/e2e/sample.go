// Package e2e runs the sample as a process, for tests that call the sample with the clients of its users.
package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// Patience bounds each wait of a test: for the start or the end of a process, for a call. It is many times
// what a busy machine takes, so it ends only what hangs.
const Patience = 3 * time.Minute

// Main runs the tests of a package, deletes the files that they built, and ends the process. A goroutine that
// outlives its test is a failure.
func Main(m *testing.M) {
	goleak.VerifyTestMain(leaks.Patient(m), goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(folder) // in the system's temporary folder
		os.Exit(status)
	}))
}

// folder holds the binary, if there is one.
var folder string

// build compiles the sample, once, and returns the path of the binary.
var build = sync.OnceValues(func() (string, error) {
	const module = "github.com/protoauthz/protoauthz"
	root, err := exec.Command("go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", module, err)
	}
	if folder, err = os.MkdirTemp("", "protoauthz-e2e-"); err != nil {
		return "", err
	}
	binary := filepath.Join(folder, "sample")
	command := exec.Command("go", "build", "-o", binary, "./sample")
	command.Dir = strings.TrimSpace(string(root))
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./sample: %w\n%s", err, out)
	}
	return binary, nil
})

// A Sample is a running sample. It is safe for concurrent use.
type Sample struct {
	URL string // such as http://127.0.0.1:40123

	log transcript
}

// Start runs the sample on a free port of 127.0.0.1, with more flags if given, until the test ends. The
// sample must then end by SIGINT, with status 0, and without a token in its log. Start shows the log if the
// test failed.
func Start(t testing.TB, flags ...string) *Sample {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := new(Sample)
	command := exec.Command(binary, append([]string{"-listen", "127.0.0.1:0"}, flags...)...)
	command.Stderr = &s.log
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	greeted, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n') // "" if it ends before
		greeted <- line
		_, _ = io.Copy(io.Discard, lines) // so that it never waits for a reader
		ended <- command.Wait()
	}()
	t.Cleanup(func() { s.stop(t, command, ended) })
	// The sample greets once its port is open. A call that comes early waits.
	select {
	case line := <-greeted:
		url, ok := strings.CutPrefix(line, "Listening on ")
		if !ok {
			t.Fatalf("the sample does not say where it listens: %q", line)
		}
		s.URL = strings.TrimSpace(url)
	case <-time.After(Patience):
		t.Fatal("the sample says nothing")
	}
	return s
}

func (s *Sample) stop(t testing.TB, command *exec.Cmd, ended <-chan error) {
	t.Helper()
	_ = command.Process.Signal(os.Interrupt) // it may have ended
	kill := time.AfterFunc(Patience, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	if err := <-ended; err != nil {
		t.Errorf("the sample ends with %v", err)
	}
	if strings.Contains(s.log.String(), "eyJ") { // as every token begins
		t.Error("the sample has logged a token")
	}
	if t.Failed() {
		t.Logf("the sample's log:\n%s", s.log.String())
	}
}

// Token returns a token of the embedded issuer, as `sample token` prints it.
func (s *Sample) Token(t testing.TB, flags ...string) string {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	command := exec.CommandContext(ctx, binary, append([]string{"token", "-server", s.URL}, flags...)...)
	command.Stderr = t.Output()
	out, err := command.Output()
	if err != nil {
		t.Fatalf("sample token %q: %v", flags, err)
	}
	return strings.TrimSpace(string(out))
}

// A transcript keeps all that is written to it. It is safe for concurrent use.
type transcript struct {
	mu  sync.Mutex
	all strings.Builder
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
