package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	docs "github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
)

// A pipeline is a file of [docs.Pipelines], with the commands in it.
type pipeline struct {
	name     string
	commands []string
	base     string // the variable that names what to compare with
	byCommit bool   // base is a commit, not a branch
}

// pipelines reads the files of the document.
func pipelines(t *testing.T, blocks []docs.Block) []pipeline {
	t.Helper()
	var all []pipeline
	for _, block := range blocks {
		if block.Language != "yaml" {
			continue
		}
		var file struct {
			Jobs map[string]struct {
				Steps []struct{ Run string }
			}
			Authz struct{ Script []string }
		}
		if err := yaml.Unmarshal([]byte(block.Text), &file); err != nil {
			t.Fatalf("line %d: %v", block.Line, err)
		}
		p := pipeline{"GitLab", file.Authz.Script, "CI_MERGE_REQUEST_DIFF_BASE_SHA", true}
		if file.Jobs != nil {
			p = pipeline{name: "GitHub", base: "GITHUB_BASE_REF"}
		}
		for _, step := range file.Jobs["authz"].Steps {
			if step.Run != "" {
				p.commands = append(p.commands, step.Run)
			}
		}
		if len(p.commands) < 8 {
			t.Fatalf("line %d: the commands are %q", block.Line, p.commands)
		}
		all = append(all, p)
	}
	if len(all) != 2 {
		t.Fatalf("there are %d pipelines", len(all))
	}
	return all
}

// A change is what a branch changes, with what becomes of it.
type change struct {
	name   string
	make   string // commands
	fails  string // begin of the command that fails, or ""
	prints string // a part of what is printed
}

// loosen makes the scopes of a method any token.
const loosen = `sed -i.bak 's/scopes: "read:orders"/authenticated: true/' proto/order/v1/order.proto && rm proto/order/v1/*.bak`

func changes(policy string) []change {
	return []change{
		{"nothing", "true", "", "no change"},
		{"a rule, and not POLICY.md", loosen, "buf build -o new.binpb\nprotoauthz matrix", "any token"},
		{"a rule that lets in more", loosen + "\n" + policy, "buf breaking", "any token of the model will do"},
		{"a method without a rule", `sed -i.bak '/protoauthz.v1.method/d' proto/order/v1/order.proto && rm proto/order/v1/*.bak`, "buf lint", "ListOrders"},
		{"another audience", `sed -i.bak s/shop.example.com/other.example.com/ authz.json && rm authz.json.bak`, "protoauthz check", "audience"},
		{"a handler without the guard", `sed -i.bak 's/guard.HandlerOption(), //' main.go && rm main.go.bak && sed -i.bak 's/guard :=/_ =/' main.go && rm main.go.bak`, "go test", "is open"},
	}
}

// TestPipelines runs the commands of the pipelines in a clone of a branch, after each change.
func TestPipelines(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.Pipelines {
		blocks := docs.At(all, place)
		setup := slices.IndexFunc(blocks, func(block docs.Block) bool { return block.Language == "sh" })
		for _, p := range pipelines(t, blocks) {
			for _, c := range changes(blocks[setup].Text) {
				t.Run(p.name+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					w := newWorkspace(t, protoauthz)
					w.prepare(t, &p, blocks[setup].Text, c.make)
					failed, printed := w.run(t, p.commands)
					if begins := strings.HasPrefix(failed, c.fails); begins != true || (failed == "") != (c.fails == "") || !strings.Contains(printed, c.prints) {
						t.Errorf("%q failed, want %q, and printed %q:\n%s", failed, c.fails, c.prints, printed)
					}
				})
			}
		}
	}
}

// A workspace is the folder of a pipeline's machine.
type workspace struct {
	*session

	environment []string
}

func newWorkspace(t *testing.T, protoauthz string) *workspace {
	t.Helper()
	w := &workspace{session: newSession(t, t.TempDir())}
	if err := os.Symlink(protoauthz, filepath.Join(w.folder, "protoauthz")); err != nil {
		t.Fatal(err)
	}
	// The comment is posted nowhere.
	gh := "#!/bin/sh\nfor argument; do test -f \"$argument\" && cat \"$argument\"; done\ntrue\n"
	if err := os.WriteFile(filepath.Join(w.bin, "gh"), []byte(gh), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	w.environment = []string{
		"PATH=" + w.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "GOBIN=" + w.bin, "GOWORK=off", "NUMBER=1",
		"GITHUB_STEP_SUMMARY=" + filepath.Join(w.folder, "summary.md"),
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com",
	}
	return w
}

// shell runs commands as GitHub's bash does.
func (w *workspace) shell(t *testing.T, folder, commands string) (string, error) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands)
	shell.Dir = filepath.Join(w.folder, folder)
	shell.Env = append(os.Environ(), w.environment...)
	out, err := shell.CombinedOutput()
	return string(out), err
}

// prepare makes a repository with a branch, and clones the branch without its history.
func (w *workspace) prepare(t *testing.T, p *pipeline, policy, change string) {
	t.Helper()
	out, err := w.shell(t, "", fmt.Sprintf(`go install -C protoauthz/interceptor/cmd ./buf-plugin-protoauthz ./protoauthz
cp -r protoauthz/%s origin
cd origin
go mod edit -replace github.com/protoauthz/protoauthz=../protoauthz
%s
git init -q -b main
git config uploadpack.allowReachableSHA1InWant true
git add .
git commit -q -m main
git rev-parse main >../main
git checkout -q -b change
%s
git commit -q -a --allow-empty -m change
cd ..
git clone -q --depth 1 --branch change "file://$PWD/origin" shop`, docs.StartModule, policy, change))
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	base := "main"
	if p.byCommit {
		commit, err := os.ReadFile(filepath.Join(w.folder, "main"))
		if err != nil {
			t.Fatal(err)
		}
		base = strings.TrimSpace(string(commit))
	}
	w.environment = append(w.environment, p.base+"="+base)
}

// run runs commands, one after another, and returns the first that fails.
func (w *workspace) run(t *testing.T, commands []string) (failed, printed string) {
	t.Helper()
	there := []string{"git clone ", "go install github.com/bufbuild/"} // what the workspace has
	for _, command := range commands {
		if slices.ContainsFunc(there, func(begin string) bool { return strings.HasPrefix(command, begin) }) {
			continue
		}
		out, err := w.shell(t, "shop", command)
		printed += out
		if _, exited := errors.AsType[*exec.ExitError](err); exited {
			return command, printed
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return "", printed
}
