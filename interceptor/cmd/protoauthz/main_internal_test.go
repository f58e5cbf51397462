package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// asCommand in the environment makes the test binary the program.
const asCommand = "PROTOAUTHZ_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(leaks.Patient(m))
}

// A result is the outcome of a command.
type result struct {
	status         int
	stdout, stderr string
}

// execute runs the program in this process.
func execute(t testing.TB, stdin []byte, args ...string) result {
	t.Helper()
	return executeContext(t.Context(), stdin, args...)
}

func executeContext(ctx context.Context, stdin []byte, args ...string) result {
	var stdout, stderr bytes.Buffer
	status := run(ctx, append([]string{"protoauthz"}, args...), bytes.NewReader(stdin), &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// write writes a file of the test.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsage(t *testing.T) {
	t.Parallel()
	image := write(t, "image.binpb", sampleImage(t))
	missing := filepath.Join(t.TempDir(), "missing.binpb")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   []string // in any order, on standard error, or on standard output if the status is 0
	}{
		{"nothing", nil, exitOK, []string{"matrix", "scopes", "diff", "check", "explain", "issuer", "vendor", "dev-issuer", "token", "completion bash"}},
		{"help", []string{"-help"}, exitOK, []string{"matrix", "Exit status"}},
		{"matrix", []string{"matrix", "-help"}, exitOK, []string{"-format", "-authz", "-audience", "-public", "-shared-scope", "-only", "-skip", "-reflect-header", "Examples:", "[INPUT]"}},
		{"scopes", []string{"scopes", "--help"}, exitOK, []string{"/api/organization-scopes", "/api/v2/resource-servers", "Examples:"}},
		{"diff", []string{"diff", "-h"}, exitOK, []string{"OLD NEW", "exit status is 1", "Examples:"}},
		{"explain", []string{"explain", "-help"}, exitOK, []string{"-method", "-token", "-issuer", "-issuer-file", "Exit status", "Examples:", "[INPUT]"}},
		{"check", []string{"check", "-help"}, exitOK, []string{"-authz", "authz.json", "-buf", "buf.yaml", "-server", "-reflect-header", "Exit status", "Examples:", "[INPUT]"}},
		{"vendor", []string{"vendor", "-help"}, exitOK, []string{"DIR", "protoauthz/v1/authz.proto", "Examples:"}},
		{"issuer", []string{"issuer", "-help"}, exitOK, []string{"-token", "-fetch", "-format", "Exit status", "Examples:"}},
		{"dev-issuer", []string{"dev-issuer", "-help"}, exitOK, []string{"-config", "-keys", "-listen", "-remote", "-rotate", "Never use it in production", "Examples:"}},
		{"token", []string{"token", "-help"}, exitOK, []string{"-config", "-sub", "-client", "-organization", "-resource", "-scope", "-claim", "-typ", "-opaque", "Examples:"}},
		{"unknown command", []string{"matix"}, exitFailed, []string{`"matix"`, "did you mean matrix?"}},
		{"unknown command before a flag", []string{"tokens", "-sub", "alice"}, exitFailed, []string{`there is no command "tokens"`, "did you mean token?"}},
		{"unknown flag before a command", []string{"-sub", "matix"}, exitFailed, []string{"-sub: see protoauthz -help"}},
		{"unlike any command", []string{"q"}, exitFailed, []string{`"q"`, "-help"}},
		{"unknown flag", []string{"matrix", "-fromat", "json"}, exitFailed, []string{"-fromat", "protoauthz matrix -help"}},
		{"unknown format", []string{"matrix", "-format", "xml", image}, exitFailed, []string{"-format", `"xml"`, "table, markdown, json, html"}},
		{"two sources", []string{"matrix", image, "other.binpb"}, exitFailed, []string{"2 arguments"}},
		{"header without quotes", []string{"matrix", "-reflect-header", "Authorization:", "Bearer", "s3cret", "http://127.0.0.1:1"}, exitFailed, []string{"3 arguments"}},
		{"malformed URL", []string{"matrix", "http://user:s3cret%zz@127.0.0.1:1"}, exitFailed, []string{"malformed"}},
		{"malformed URL to compare with", []string{"diff", "https://user:s3cret@127.0.0.1:x", image, "-audience", audience}, exitFailed, []string{"malformed"}},
		{"missing file", []string{"matrix", missing}, exitFailed, []string{missing, "buf build -o", "http://"}},
		{"a file called help", []string{"matrix", "help"}, exitFailed, []string{"open help"}},
		{"header and file", []string{"matrix", "-reflect-header", "A: b", image}, exitFailed, []string{"-reflect-header", image}},
		{"bad header", []string{"matrix", "-reflect-header", "s3cret", "http://127.0.0.1:1"}, exitFailed, []string{"-reflect-header", "Name: value"}},
		{"audience missing", []string{"matrix", "-only", "sample.v1.DocumentService", image}, exitFailed, []string{image + ": the rules do not compile\n", "sample/v1/document.proto:", "hint", "-audience"}},
		{"no name of a service", []string{"matrix", "-skip", "sample.v1.*", image}, exitFailed, []string{`-skip "sample.v1.*": give the full name of a service or a package`}},
		{"nothing on standard input", []string{"matrix"}, exitFailed, []string{"standard input: the input is empty"}},
		{"audience empty", []string{"matrix", "-audience", "", image}, exitFailed, []string{"audience is empty"}},
		{"one version", []string{"diff", image}, exitFailed, []string{"OLD and NEW"}},
		{"three versions", []string{"diff", image, image, image}, exitFailed, []string{"3 arguments"}},
		{"twice standard input", []string{"diff", "-", "-"}, exitFailed, []string{"both"}},
		{"header and files", []string{"diff", "-reflect-header", "A: b", image, image}, exitFailed, []string{"-reflect-header"}},
		{"flags behind", []string{"matrix", image, "-audience", audience}, exitOK, []string{"CreateOrder"}},
		{"two dashes", []string{"matrix", "--audience=" + audience, image}, exitOK, []string{"CreateOrder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, nil, test.args...)
			text, other := got.stderr, got.stdout
			if test.status == exitOK {
				text, other = other, text
			}
			if got.status != test.status || other != "" {
				t.Errorf("status %d, want %d; on the other stream: %q", got.status, test.status, other)
			}
			for _, want := range test.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in\n%s", want, text)
				}
			}
			if strings.Contains(text, "s3cret") {
				t.Error("a header is echoed")
			}
		})
	}
}

// TestMisplacedToken makes sure that no error repeats a token that stands in the wrong place of a command line.
func TestMisplacedToken(t *testing.T) {
	t.Parallel()
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.hunter2hunter2"
	for _, args := range [][]string{
		{jwt}, {"-" + jwt}, {"issuer", jwt}, {"issuer", "-" + jwt}, {"issuer", "-format", jwt}, {"issuer", "-fetch=" + jwt}, {"explain", "-method", "a", "-provider", jwt},
		{"issuer", "-token", jwt}, {"matrix", jwt},
	} {
		if got := execute(t, nil, args...); got.status != exitFailed || strings.Contains(got.stdout+got.stderr, "hunter2") {
			t.Errorf("%.20q: status %d: %s%s", args, got.status, got.stdout, got.stderr)
		}
	}
}

// A command fails if its answer cannot be written.
func TestNoOutput(t *testing.T) {
	t.Parallel()
	image := service(t, `Get scopes: ["read:orders"]`)
	file, authz := write(t, "image.binpb", image), write(t, "authz.json", []byte(`{"audience": "a"}`))
	agreed := write(t, "buf.yaml", []byte("version: v2\nplugins: [{plugin: buf-plugin-protoauthz, options: {audience: a}}]\n"))
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "json"}, {"matrix", "-format", "html"},
		{"vendor", t.TempDir()}, {"check", "-authz", authz, "-buf", write(t, "buf.yaml", []byte("version: v2\n"))}, {"check", "-authz", authz, "-buf", agreed},
		{"scopes"}, {"scopes", "-format", "logto"}, {"scopes", "-format", "auth0"},
		{"diff", file, "-"}, {"diff", "-format", "markdown", file, "-"},
		{"explain", "-method", "order.v1.OrderService/Get"}, {"explain", "-method", "order.v1.OrderService/Get", "-format", "json"},
	} {
		reader, writer := io.Pipe()
		_ = reader.Close()
		var stderr bytes.Buffer
		if status := run(t.Context(), append([]string{"protoauthz"}, args...), bytes.NewReader(image), writer, &stderr); status != exitFailed || stderr.Len() == 0 {
			t.Errorf("%v: status %d, %q", args, status, stderr.String())
		}
	}
}

// TestBashCompletion tries the words that bash suggests with the script of the help.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "protoauthz")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		line string
		want []string
	}{
		{"protoauthz ma", []string{"matrix"}},
		{"protoauthz matrix -format ", []string{"html", "json", "markdown", "table"}},
		{"protoauthz matrix --format m", []string{"markdown"}},
		{"protoauthz scopes -format ", []string{"auth0", "json", "logto"}},
		{"protoauthz explain -provider ", []string{"auth0", "authaction", "logto"}},
		{"protoauthz issuer -format ", []string{"json", "text"}},
		{"protoauthz diff --share", []string{"--shared-scope"}},
		{"protoauthz dev", []string{"dev-issuer"}},
		{"protoauthz dev-issuer --ro", []string{"--rotate"}},
		{"protoauthz token --cl", []string{"--claim", "--client"}},
		{"protoauthz token -config ", nil},
		{"protoauthz ch", []string{"check"}},
		{"protoauthz check --auth", []string{"--authz"}},
		{"protoauthz vendor ", nil},
		{"protoauthz matrix ", nil}, // so that bash suggests files
	} {
		t.Run(test.line, func(t *testing.T) {
			t.Parallel()
			// The script needs these functions of bash-completion.
			const script = `
				_init_completion() { :; }; _comp_initialize() { :; }; _get_comp_words_by_ref() { :; }
				source <(protoauthz completion bash)
				read -ra COMP_WORDS <<<"$LINE"
				[[ $LINE == *' ' ]] && COMP_WORDS+=("")
				COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
				__protoauthz_bash_autocomplete
				printf '%s\n' "${COMPREPLY[@]}"`
			command := exec.CommandContext(t.Context(), bash, "-c", script)
			command.Env = append(os.Environ(), asCommand+"=1", "PATH="+bin+":"+os.Getenv("PATH"), "LINE="+test.line)
			command.Stderr = t.Output()
			out, err := command.Output()
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Fields(string(out))
			if slices.Sort(got); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
