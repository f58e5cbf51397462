package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// The folders that buf works on, from here.
const (
	protosFolder   = "../../../../proto"
	pluginFolder   = "../../../cmd/buf-plugin-protoauthz"
	fixturesFolder = pluginFolder + "/testdata/"
)

// linter is buf, offline, with the plugin as an installed program.
type linter struct{ buf, plugin string }

func newLinter(t *testing.T) linter {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "buf-plugin-protoauthz")
	build := exec.Command("go", "build", "-o", plugin, ".")
	build.Dir = pluginFolder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return linter{buf: e2e.Tool(t, "buf"), plugin: plugin}
}

// workspace has a folder of protos as its module, and beside the module the protos that they import.
func (l linter) workspace(t *testing.T, protos string, options ...string) string {
	t.Helper()
	dir := t.TempDir()
	copies := map[string]string{"proto": protos, "third_party/buf": fixturesFolder + "protovalidate/buf"}
	if _, err := os.Stat(filepath.Join(protos, "protoauthz")); errors.Is(err, os.ErrNotExist) {
		copies["third_party/protoauthz"] = protosFolder + "/protoauthz"
	}
	for to, from := range copies {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	config := `version: v2
modules:
  - path: proto
  - path: third_party
    lint:
      ignore: [third_party]
    breaking:
      ignore: [third_party]
lint:
  use: [PROTOAUTHZ]
breaking:
  use: [PROTOAUTHZ_LOOSER]
plugins:
  - plugin: ` + l.plugin + "\n"
	if len(options) > 0 {
		config += "    options:\n      " + strings.Join(options, "\n      ") + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "buf.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run calls buf in a workspace, and returns the output and the exit status.
func (l linter) run(t *testing.T, dir string, args ...string) (stdout []byte, stderr string, status int) {
	t.Helper()
	var complaint bytes.Buffer
	command := exec.CommandContext(t.Context(), l.buf, args...)
	command.Dir = dir
	command.Stderr = &complaint
	// Nobody listens there: buf cannot fetch anything.
	command.Env = append(os.Environ(), "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1")
	out, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, complaint.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("buf: %v", err)
	}
	return out, complaint.String(), 0
}

// findings calls buf and returns its findings, as "file.proto:12: RULE" and sorted.
func (l linter) findings(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	out, stderr, status := l.run(t, dir, append(args, "--error-format", "json")...)
	found := []string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var finding struct {
			Path string `json:"path"`
			Line int    `json:"start_line"`
			Type string `json:"type"`
		}
		if err := decoder.Decode(&finding); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("buf printed no JSON: %v\n%s", err, out)
		}
		found = append(found, fmt.Sprintf("%s:%d: %s", finding.Path, finding.Line, finding.Type))
	}
	if want := map[bool]int{true: 100, false: 0}[len(found) > 0]; status != want || stderr != "" {
		t.Errorf("buf %v: exit status %d, want %d\n%s", args, status, want, stderr)
	}
	slices.Sort(found)
	return found
}

var wantComment = regexp.MustCompile(`PROTOAUTHZ_[A-Z_]+`)

// wantedFindings reads the wanted findings from the comments of fixtures. Columns are left out: the fixtures
// have the columns of another compiler than buf's.
func wantedFindings(t *testing.T, folder string) []string {
	t.Helper()
	wanted := []string{}
	paths, err := filepath.Glob(filepath.Join(folder, "*.proto"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(content), "\n") {
			_, comment, _ := strings.Cut(line, "// want ")
			for _, rule := range wantComment.FindAllString(comment, -1) {
				wanted = append(wanted, fmt.Sprintf("proto/%s:%d: %s", filepath.Base(path), i+1, rule))
			}
		}
	}
	slices.Sort(wanted)
	return wanted
}

func compareFindings(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\n\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBufLint(t *testing.T) {
	t.Parallel()
	l := newLinter(t)
	for _, c := range []struct {
		name, protos string
		options      []string
		want         []string
	}{
		{"faults", fixturesFolder + "faults", []string{"public: [faults.Opened, faults.Bare]"}, wantedFindings(t, fixturesFolder+"faults")},
		{"newer", fixturesFolder + "newer", nil, wantedFindings(t, fixturesFolder+"newer")},
		{"sample", protosFolder, []string{"audience: https://api.example.com"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compareFindings(t, l.findings(t, l.workspace(t, c.protos, c.options...), "lint"), c.want)
		})
	}
}

// Comments for buf silence a rule for a method or for a service.
func TestBufLintIgnore(t *testing.T) {
	t.Parallel()
	l := newLinter(t)
	for _, c := range []struct {
		above string
		left  int // of the findings
	}{
		{"  rpc Unknown(", 3},
		{"  rpc ListProducts(", 2},
		{"service CatalogService {", 0},
	} {
		dir := l.workspace(t, protosFolder, "audience: https://api.example.com", "scope_pattern: 'write:.*|read:data|invite:member|manage:.*|.*:accounts'")
		path := filepath.Join(dir, "proto/sample/v1/catalog.proto")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Replace(string(content), "\n"+c.above, "\n// buf:lint:ignore PROTOAUTHZ_SCOPE_NAMING\n"+c.above, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := l.findings(t, dir, "lint"); len(got) != c.left {
			t.Errorf("ignored above %q: got %v, want %d", c.above, got, c.left)
		}
	}
}

// A faulty option ends the run, and is named.
func TestBufLintOptions(t *testing.T) {
	t.Parallel()
	l := newLinter(t)
	_, stderr, status := l.run(t, l.workspace(t, protosFolder, "audiance: https://api.example.com", "public: a.A"), "lint")
	if status != 1 || !strings.Contains(stderr, `"audiance"`) || !strings.Contains(stderr, `"public"`) {
		t.Errorf("exit status %d, want 1 and both options named:\n%s", status, stderr)
	}
}

// Buf knows one line for a list in brackets, and one for each alternative that stands by itself.
func TestBufLintBrackets(t *testing.T) {
	t.Parallel()
	protos := t.TempDir()
	content := `syntax = "proto3";
package brackets;
import "protoauthz/v1/authz.proto";
service Ways {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE audience: "https://api.example.com"};
  rpc List(Request) returns (Request) {
    option (protoauthz.v1.method) = {
      scopes: "read:list"
      alternatives: [ // want PROTOAUTHZ_SUBJECT_FIELD
        {scopes: "write:list"},
        {authenticated: true, subject: {field: "none"}}
      ]
    };
  }
  rpc Apart(Request) returns (Request) {
    option (protoauthz.v1.method) = {
      scopes: "read:apart"
      alternatives: {
        scopes: "write:apart"
      }
      alternatives: { // want PROTOAUTHZ_SUBJECT_FIELD
        authenticated: true
        subject: {field: "none"}
      }
    };
  }
}
message Request {}
`
	if err := os.WriteFile(filepath.Join(protos, "brackets.proto"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLinter(t)
	compareFindings(t, l.findings(t, l.workspace(t, protos), "lint"), wantedFindings(t, protos))
}

func TestBufBreaking(t *testing.T) {
	t.Parallel()
	l := newLinter(t)
	audience := "audience: https://api.example.com"
	for _, c := range []struct {
		before, after string
		options       []string
		want          []string
	}{
		{"before", "before", []string{audience}, nil},
		{"before", "looser", []string{audience, "public: [change.Opened]"}, wantedFindings(t, fixturesFolder+"looser")},
		{"before", "tighter", []string{audience}, nil},
		{"strict", "loose", []string{audience}, wantedFindings(t, fixturesFolder+"loose")},
		{"loose", "strict", []string{audience}, nil},
	} {
		t.Run(c.before+" and "+c.after, func(t *testing.T) {
			t.Parallel()
			image := filepath.Join(t.TempDir(), "before.binpb")
			if out, stderr, status := l.run(t, l.workspace(t, fixturesFolder+c.before, audience), "build", "proto", "-o", image); status != 0 {
				t.Fatalf("buf build: exit status %d\n%s%s", status, out, stderr)
			}
			compareFindings(t, l.findings(t, l.workspace(t, fixturesFolder+c.after, c.options...), "breaking", "proto", "--against", image), c.want)
		})
	}
}
