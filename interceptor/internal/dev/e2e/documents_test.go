package e2e_test

import (
	"fmt"
	"net"
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

const root = "../../../.."

// session is a run of blocks of documents in one shell.
type session struct {
	folder    string            // where it begins
	bin       string            // the first folder of PATH
	replace   []string          // in commands, as for strings.NewReplacer
	addresses map[string]string // by the documents' addresses, in commands, files and what is printed
	writes    bool              // the files that documents show
}

func newSession(t *testing.T, folder string) session {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range []string{"buf", "curl"} {
		path, err := filepath.Abs(e2e.Tool(t, tool))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	return session{folder: folder, bin: bin}
}

// before is what a session does before some blocks that no document shows.
type before func(docs.Block) (commands string)

const mark = "=== end of block"

// run runs the commands of the blocks, and compares what they print with the block of text behind
// them. Commands without such a block must succeed. A text behind no command must be in the output of
// the commands that serve.
func (s session) run(t *testing.T, blocks []docs.Block, prepare before) {
	t.Helper()
	there, back := []string{}, []string{}
	for documented, address := range s.addresses {
		there, back = append(there, documented, address), append(back, address, documented)
	}
	toOurs, toTheirs := strings.NewReplacer(there...), strings.NewReplacer(back...)
	toOurCommands := strings.NewReplacer(append(s.replace, there...)...)
	script := new(strings.Builder)
	files := t.TempDir()
	var shown []docs.Block   // the commands that are run
	want := map[int]string{} // by their place
	var logged []docs.Block  // text of commands that serve
	for n, block := range blocks {
		if reason := docs.ByHand[block.Text]; reason != "" {
			continue
		}
		file := filepath.Join(files, fmt.Sprint(n))
		if err := os.WriteFile(file, []byte(toOurs.Replace(block.Text)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(script, "block=%s\n%s\n", file, prepare(block))
		if name := block.File(); name != "" && s.writes {
			_, _ = fmt.Fprintf(script, "mkdir -p \"$(dirname '%s')\" && cp \"$block\" '%[1]s'\n", name)
		}
		if block.Language == "text" && s.writes && n > 0 && blocks[n-1].Language != "sh" {
			logged = append(logged, block)
		}
		if block.Language != "sh" {
			continue
		}
		text := ""
		if n+1 < len(blocks) && blocks[n+1].Language == "text" {
			text = blocks[n+1].Text
			want[len(shown)] = text
		}
		shown = append(shown, block)
		commands := toOurCommands.Replace(block.Text)
		if block.Serves() { // until it has printed the lines that are shown, or has ended
			commands = fmt.Sprintf("{\n%s} >%q 2>&1 &\nuntil [ $(wc -l <%[2]q) -ge %d ] || ! kill -0 $! 2>/dev/null; do sleep .1; done\nhead -%[3]d %[2]q",
				commands, file+".log", max(1, strings.Count(text, "\n")))
		}
		_, _ = fmt.Fprintf(script, "%s\necho '%s' $?\n", commands, mark)
	}
	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = s.folder
	shell.Stdin = strings.NewReader(script.String())
	shell.Env = append(os.Environ(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+s.bin, "GOWORK=off")
	// Processes that serve end with the shell.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.Cancel = end
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("bash: %v", err)
	}
	if shell.Process != nil {
		_ = end() // no process may be left
	}
	printed := toTheirs.Replace(string(out))
	for n, block := range shown {
		got, rest, _ := strings.Cut(printed, mark+" ")
		status, rest, ended := strings.Cut(rest, "\n")
		printed = rest
		text, compared := want[n]
		if !ended || !compared && status != "0" || compared && !matches(text, got) {
			t.Errorf("line %d, exit status %s:\n%s\nprinted\n%s\nwant\n%s", block.Line, status, block.Text, got, text)
		}
	}
	logs, err := filepath.Glob(filepath.Join(files, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var log []string
	for _, name := range logs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, lines(toTheirs.Replace(string(text)))...)
	}
	for _, block := range logged {
		for _, line := range lines(block.Text) {
			if !slices.ContainsFunc(log, func(got string) bool { return matchesLine(line, got) }) {
				t.Errorf("line %d: no process has logged\n%s\nThe log is\n%s", block.Line, line, strings.Join(log, "\n"))
			}
		}
	}
}

var (
	// different is what is another in each run, or in each binary: protojson adds spaces by chance.
	different = regexp.MustCompile(`(?m)^(?:Date|Content-Length): .*$|\d{4}-\d\d-\d\dT[\d:.]+Z|^\d{4}/\d\d/\d\d [\d:]+ |\r`)
	spaces    = regexp.MustCompile(`([,:]) +`)
)

// lines returns the lines of what is the same in each run.
func lines(text string) []string {
	text = spaces.ReplaceAllString(different.ReplaceAllString(text, ""), "$1")
	return strings.Split(strings.TrimSpace(text), "\n")
}

// matchesLine compares a line. A line that ends in "…" goes on.
func matchesLine(want, got string) bool {
	begin, cut := strings.CutSuffix(want, "…")
	return want == got || cut && strings.HasPrefix(got, begin)
}

func matches(want, got string) bool { return slices.EqualFunc(lines(want), lines(got), matchesLine) }

// branch makes a repository in which the sample's WhoAmI was made public on a branch of main.
const branch = `cp -r "$root/proto" "$root/buf.yaml" . && git init -q -b main && git add . &&
	git -c user.name=test -c user.email=test@example.com commit -q -m main &&
	sed -i.bak '/rpc WhoAmI/,/}/s/authenticated/public/' proto/sample/v1/catalog.proto && rm proto/sample/v1/*.bak`

// clone returns the documents, and the folder of the checkout.
func clone(t *testing.T) (all []docs.Document, folder string) {
	t.Helper()
	e2e.Tool(t, "git")
	all, err := docs.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = filepath.Abs(root); err != nil {
		t.Fatal(err)
	}
	return all, folder
}

// TestClone runs the documents that are about the clone.
func TestClone(t *testing.T) {
	t.Parallel()
	all, folder := clone(t)
	for _, place := range docs.InClone {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, folder)
			sample := e2e.Start(t)
			s.addresses = map[string]string{"http://127.0.0.1:8080": sample.URL}
			s.replace = []string{
				"go run ./sample token", `go run -C "$root" ./sample token -server ` + sample.URL,
				"go install -C interceptor", `go install -C "$root/interceptor"`,
			}
			first := "root=$PWD"
			if strings.Contains(place, "cmd") { // which compares with a branch, and writes files
				first = "root=$PWD; cd " + t.TempDir() + "; " + branch
			}
			s.run(t, docs.At(all, place), func(docs.Block) string {
				defer func() { first = "" }()
				return first
			})
		})
	}
}

// serving returns addresses that are free, in place of the addresses at which the documents serve.
func serving(t *testing.T) map[string]string {
	t.Helper()
	free := map[string]string{}
	for _, documented := range []string{"127.0.0.1:3001", "127.0.0.1:8080"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // after all have a port
		free[documented] = listener.Addr().String()
	}
	return free
}

// TestEmpty follows the documents from an empty folder, and compares the folders that the commands make with the
// folders of the example module.
func TestEmpty(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.InEmpty {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, t.TempDir())
			s.addresses, s.writes = serving(t), true
			s.replace = []string{"git clone https://github.com/protoauthz/protoauthz", fmt.Sprintf("ln -s %q protoauthz", protoauthz)}
			s.run(t, docs.At(all, place), func(block docs.Block) string {
				if strings.HasPrefix(block.Text, "go get ") { // no network is asked
					return "cp ../protoauthz/" + docs.StartModule + "/go.sum ."
				}
				return ""
			})
			for _, folder := range []string{"gen", "third_party"} {
				diff := exec.CommandContext(t.Context(), "diff", "-r", filepath.Join(protoauthz, docs.StartModule, folder), folder)
				diff.Dir = filepath.Join(s.folder, "shop")
				if out, err := diff.CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", diff, err, out)
				}
			}
		})
	}
}

// TestModule runs the documents that are about the example module, each in a copy beside the clone.
func TestModule(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.InModule {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, t.TempDir())
			s.addresses, s.writes = serving(t), true
			first := fmt.Sprintf(`ln -s %q protoauthz && cp -r protoauthz/%s shop && cd shop &&
				go mod edit -replace github.com/protoauthz/protoauthz=../protoauthz &&
				go install -C ../protoauthz/interceptor/cmd ./protoauthz ./buf-plugin-protoauthz
				`, protoauthz, docs.StartModule)
			s.run(t, docs.At(all, place), func(block docs.Block) string {
				commands := first
				first = ""
				if strings.HasPrefix(block.Text, "buf breaking") {
					commands += `git init -q -b main && git add . && git -c user.name=test -c user.email=test@example.com commit -q -m main
						sed -i.bak 's/scopes: "read:orders"/authenticated: true/' proto/order/v1/order.proto && rm proto/order/v1/*.bak`
				}
				return commands
			})
		})
	}
}
