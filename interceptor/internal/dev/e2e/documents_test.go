package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
	docs "github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

const root = "../../../.."

// session is a run of blocks of documents in one shell.
type session struct {
	folder  string   // where it begins
	bin     string   // the first folder of PATH
	replace []string // in commands, as for strings.NewReplacer
	sample  *e2e.Sample
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
// them. Commands without such a block must succeed.
func (s session) run(t *testing.T, blocks []docs.Block, prepare before) {
	t.Helper()
	script := new(strings.Builder)
	files := t.TempDir()
	var shown []docs.Block   // the commands that are run
	want := map[int]string{} // by their place
	for n, block := range blocks {
		if reason := docs.ByHand[block.Text]; reason != "" {
			continue
		}
		file := filepath.Join(files, fmt.Sprint(n))
		if err := os.WriteFile(file, []byte(block.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(script, "block=%s\n%s\n", file, prepare(block))
		if block.Language != "sh" {
			continue
		}
		if n+1 < len(blocks) && blocks[n+1].Language == "text" {
			want[len(shown)] = blocks[n+1].Text
		}
		shown = append(shown, block)
		_, _ = fmt.Fprintf(script, "%s\necho '%s' $?\n", strings.NewReplacer(s.replace...).Replace(block.Text), mark)
	}
	shell := exec.CommandContext(t.Context(), "bash")
	shell.Dir = s.folder
	shell.Stdin = strings.NewReader(script.String())
	shell.Env = append(os.Environ(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GOBIN="+s.bin, "GOWORK=off")
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Errorf("bash: %v", err)
	}
	printed := string(out)
	if s.sample != nil {
		printed = strings.ReplaceAll(printed, s.sample.URL, "http://127.0.0.1:8080")
	}
	for n, block := range shown {
		got, rest, _ := strings.Cut(printed, mark+" ")
		status, rest, ended := strings.Cut(rest, "\n")
		printed = rest
		text, compared := want[n]
		if !ended || !compared && status != "0" || compared && !matches(text, got) {
			t.Errorf("line %d, exit status %s:\n%s\nprinted\n%s\nwant\n%s", block.Line, status, block.Text, got, text)
		}
	}
}

var (
	// different is what is another in each run, or in each binary: protojson adds spaces by chance.
	different = regexp.MustCompile(`(?m)^(?:Date|Content-Length): .*$|\d{4}-\d\d-\d\dT[\d:.]+Z|\r`)
	spaces    = regexp.MustCompile(`([,:]) +`)
)

// matches compares lines. A line that ends in "…" goes on.
func matches(want, got string) bool {
	lines := func(text string) []string {
		text = spaces.ReplaceAllString(different.ReplaceAllString(text, ""), "$1")
		return strings.Split(strings.TrimSpace(text), "\n")
	}
	wanted, printed := lines(want), lines(got)
	return slices.EqualFunc(wanted, printed, func(want, got string) bool {
		begin, cut := strings.CutSuffix(want, "…")
		return want == got || cut && strings.HasPrefix(got, begin)
	})
}

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
			s.sample = e2e.Start(t)
			s.replace = []string{
				"go run ./sample token", `go run -C "$root" ./sample token -server ` + s.sample.URL,
				"go install -C interceptor", `go install -C "$root/interceptor"`,
				"http://127.0.0.1:8080", s.sample.URL,
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

// TestModule follows the documents in a new module, from the clone to a finding of buf.
func TestModule(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	folder := t.TempDir()
	if err := os.Symlink(protoauthz, filepath.Join(folder, "protoauthz")); err != nil {
		t.Fatal(err)
	}
	shop := filepath.Join(folder, "shop")
	if err := os.Mkdir(shop, 0o700); err != nil {
		t.Fatal(err)
	}
	var blocks []docs.Block
	for _, place := range docs.InModule {
		blocks = append(blocks, docs.At(all, place)...)
	}
	first := "go mod init example.com/shop 2>/dev/null && cp ../protoauthz/go.sum . && mkdir -p proto/order/v1"
	newSession(t, shop).run(t, blocks, func(block docs.Block) string {
		commands := first
		first = ""
		switch {
		case block.Language == "proto":
			commands += `cp "$block" proto/order/v1/order.proto`
		case block.Language == "go":
			commands += `cp "$block" main.go`
		case block.Language == "yaml" && strings.Contains(block.Text, "\nmodules:"):
			commands += `cp "$block" buf.yaml`
		case block.Language == "yaml" && strings.Contains(block.Text, "\nmanaged:"):
			commands += `cp "$block" buf.gen.yaml`
		case block.Language == "yaml":
			commands += `cat "$block" >>buf.yaml`
		case strings.HasPrefix(block.Text, "buf breaking"):
			commands += `git init -q -b main && git add . && git -c user.name=test -c user.email=test@example.com commit -q -m main
				sed -i.bak 's/scopes: .*\]/authenticated: true/' proto/order/v1/order.proto && rm proto/order/v1/*.bak`
		}
		return commands
	})
}
