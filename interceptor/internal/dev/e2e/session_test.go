package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
	docs "github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

// A session runs blocks of documents in one shell.
type session struct {
	folder    string                             // where it begins
	bin       string                             // the first folder of PATH
	replace   []string                           // in commands, as for strings.NewReplacer
	addresses map[string]string                  // by the documents' addresses, in commands, files and what is printed
	writes    bool                               // the files that documents show
	prepare   func(docs.Block) (commands string) // that no document shows, and that come before the block
}

func newSession(t *testing.T, folder string) *session {
	t.Helper()
	return &session{folder: folder, bin: tools(t), prepare: func(docs.Block) string { return "" }}
}

// tools returns a folder with the tools that the documents name, to stand first in PATH.
func tools(t *testing.T) (bin string) {
	t.Helper()
	bin = t.TempDir()
	for _, tool := range []string{"buf", "curl"} {
		path, err := filepath.Abs(e2e.Tool(t, tool))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

// run runs the commands of the blocks, and compares what they print with the block of text behind them. Commands
// without such a block must succeed. Commands that serve must not end, and must have printed what is logged.
func (s *session) run(t *testing.T, blocks []docs.Block) {
	t.Helper()
	files := t.TempDir()
	var script strings.Builder
	script.WriteString("trap 'failed=1' ERR\n") // so that every line counts
	var shown []docs.Block                      // the commands that are run
	var wanted []string                         // the text behind each, or ""
	for n, block := range blocks {
		if docs.ByHand[block.Text] != "" {
			continue
		}
		file := filepath.Join(files, fmt.Sprint(n))
		if err := os.WriteFile(file, []byte(s.ours(block.Text)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(&script, "block=%q\n%s\n", file, s.prepare(block))
		if name := block.File(); name != "" && s.writes {
			_, _ = fmt.Fprintf(&script, "mkdir -p \"$(dirname %q)\" && cp \"$block\" %[1]q\n", name)
		}
		if block.Language != "sh" {
			continue
		}
		text := ""
		if n+1 < len(blocks) && blocks[n+1].Language == "text" {
			text = blocks[n+1].Text
		}
		shown, wanted = append(shown, block), append(wanted, text)
		commands := s.ours(strings.NewReplacer(s.replace...).Replace(block.Text))
		if block.Serves() {
			commands = serve(commands, file+".log", max(1, strings.Count(text, "\n")))
		}
		_, _ = fmt.Fprintf(&script, "failed=0\n%s\necho '%s' $(($? + failed))\n", commands, mark)
	}
	printed := s.shell(t, script.String())
	for n, block := range shown {
		got, rest, _ := strings.Cut(printed, mark+" ")
		status, rest, ended := strings.Cut(rest, "\n")
		printed = rest
		succeeds, compared := wanted[n] == "" || block.Serves(), wanted[n] != ""
		if !ended || succeeds && status != "0" || compared && !slices.EqualFunc(lines(wanted[n]), lines(got), matches) {
			t.Errorf("line %d, failed: %s:\n%s\nprinted\n%s\nwant\n%s", block.Line, status, block.Text, got, wanted[n])
		}
	}
	s.compareLogs(t, blocks, files)
}

const mark = "=== end of block"

// serve returns a command that runs others beside the following ones, once they have printed so many lines. It fails if
// they have ended.
func serve(commands, log string, lines int) string {
	return fmt.Sprintf(": >%q\n{\n%s} >%[1]q 2>&1 &\n", log, commands) +
		// As long as Patience.
		"for _ in $(seq 1800); do" +
		fmt.Sprintf(" [ $(wc -l <%q) -ge %d ] || ! kill -0 $! 2>/dev/null || { sleep .1; continue; }; break; done\n", log, lines) +
		fmt.Sprintf("head -%d %q; kill -0 $!", lines, log)
}

// shell runs a script, kills the processes that it has left, and returns what it has printed.
func (s *session) shell(t *testing.T, script string) string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = s.folder
	shell.Stdin = strings.NewReader(script)
	shell.Env = append(os.Environ(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+s.bin, "GOWORK=off")
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("bash: %v", err)
	}
	if shell.Process != nil {
		_ = shell.Cancel() // there may be none
	}
	return s.theirs(string(out))
}

// compareLogs makes sure that commands that serve have printed what the blocks say that they log.
func (s *session) compareLogs(t *testing.T, blocks []docs.Block, files string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(files, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		printed = append(printed, lines(s.theirs(string(text)))...)
	}
	for _, block := range blocks {
		if !block.Logged() {
			continue
		}
		for _, want := range lines(block.Text) {
			if !slices.ContainsFunc(printed, func(got string) bool { return matches(want, got) }) {
				t.Errorf("line %d: not logged:\n%s\nThe logs are\n%s", block.Line, want, strings.Join(printed, "\n"))
			}
		}
	}
}

// ours returns text with the addresses of the session, theirs with the addresses of the documents.
func (s *session) ours(text string) string {
	for documented, address := range s.addresses {
		text = strings.ReplaceAll(text, documented, address)
	}
	return text
}

func (s *session) theirs(text string) string {
	for documented, address := range s.addresses {
		text = strings.ReplaceAll(text, address, documented)
	}
	return text
}

var (
	// different is what is another in each run, or in each binary: protojson adds spaces by chance.
	different = regexp.MustCompile(`(?m)^(?:Date|Content-Length): .*$|\d{4}-\d\d-\d\dT[\d:.]+Z|^\d{4}/\d\d/\d\d [\d:]+ |\r`)
	spaces    = regexp.MustCompile(`([,:]) +`)
)

// lines returns the lines of text, without what differs.
func lines(text string) []string {
	text = spaces.ReplaceAllString(different.ReplaceAllString(text, ""), "$1")
	return strings.Split(strings.TrimSpace(text), "\n")
}

// matches compares a line. A line that ends in "…" goes on.
func matches(want, got string) bool {
	begin, cut := strings.CutSuffix(want, "…")
	return want == got || cut && strings.HasPrefix(got, begin)
}
