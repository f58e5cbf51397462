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
	fails  string // a part of the command that fails, or ""
	prints string // a part of what is printed
}

// replace returns a command that replaces text in a file.
func replace(file, old, by string) string {
	return fmt.Sprintf("sed -i.bak 's/%s/%s/' %s && rm %[3]s.bak\n", old, by, file)
}

func changes(policy string) []change {
	const proto, scopes = "proto/order/v1/order.proto", `scopes: "read:orders"`
	looser := replace(proto, scopes, "authenticated: true")
	return []change{
		{"nothing", "true", "", "Rules: nothing has changed"},
		{"a method without a rule", replace(proto, scopes, ""), "buf lint", "order.v1.OrderService.ListOrders"},
		{"another audience", replace("authz.json", "shop.example.com", "other.example.com"), "protoauthz check", "https://other.example.com"},
		{"a service in shadow", replace("authz.json", `"audience"`, `"shadow": ["order.v1.OrderService"], "audience"`) + policy, "looser.*`authz.json:", "`authz.json:2: shadow[0]`"},
		{"a rule, and not POLICY.md", looser, "diff POLICY.md", "any token of the model will do"}, // the comment comes first
		{"a rule that lets in more", looser + policy, "buf breaking", "any token of the model will do"},
		{"a handler without the guard", replace("main.go", `guard.HandlerOption(), `, "") + replace("main.go", "guard :=", "_ ="),
			"go test", "is not behind the guard"},
	}
}

// TestPipelines runs the commands of the pipelines in a clone of a branch, for each change.
func TestPipelines(t *testing.T) {
	t.Parallel()
	all, protoauthz := clone(t)
	for _, place := range docs.Pipelines {
		blocks := docs.At(all, place)
		setup := slices.IndexFunc(blocks, func(block docs.Block) bool { return block.Language == "sh" })
		policy := blocks[setup].Text
		for _, p := range pipelines(t, blocks) {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				w := newWorkspace(t, protoauthz, policy)
				for _, c := range changes(policy) {
					w.branch(t, &p, c.make)
					failed, printed := w.run(t, p.commands)
					if (failed == "") != (c.fails == "") || !strings.Contains(failed, c.fails) || !strings.Contains(printed, c.prints) {
						t.Errorf("%s: %q failed, want %q, and a print of %q:\n%s", c.name, failed, c.fails, c.prints, printed)
					}
				}
			})
		}
	}
}

// A workspace is the folder of a pipeline's machine, beside the repository that the machine clones.
type workspace struct {
	folder      string
	environment []string
}

// newWorkspace makes a repository of the module, with the file of the commands.
func newWorkspace(t *testing.T, protoauthz, policy string) *workspace {
	t.Helper()
	w, bin := &workspace{folder: t.TempDir()}, tools(t)
	// The comment is posted nowhere.
	if err := os.WriteFile(filepath.Join(bin, "gh"), []byte("#!/bin/sh\ncat diff.md\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.environment = []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "GOBIN=" + bin, "GOWORK=off",
		"GITHUB_STEP_SUMMARY=" + os.DevNull, "NUMBER=1",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com",
	}
	w.prepare(t, fmt.Sprintf(`ln -s %q protoauthz
go install -C protoauthz/interceptor/cmd ./buf-plugin-protoauthz ./protoauthz
cp -r protoauthz/%s origin
cd origin
go mod edit -replace github.com/protoauthz/protoauthz=../protoauthz
%s
git init -q -b main
git config uploadpack.allowReachableSHA1InWant true
git add .
git commit -q -m main`, protoauthz, docs.StartModule, policy))
	return w
}

// branch makes a branch of main, and clones the branch without its history.
func (w *workspace) branch(t *testing.T, p *pipeline, change string) {
	t.Helper()
	base := "main"
	commit := w.prepare(t, `rm -rf shop
cd origin
git checkout -q -B change main
`+change+`
git commit -q -a --allow-empty -m change
cd ..
git clone -q --depth 1 --branch change "file://$PWD/origin" shop
git -C origin rev-parse main`)
	if p.byCommit {
		base = strings.TrimSpace(commit)
	}
	w.environment = append(w.environment, p.base+"="+base)
}

// prepare runs commands that must succeed.
func (w *workspace) prepare(t *testing.T, commands string) string {
	t.Helper()
	out, err := w.shell(t, "", commands)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out
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
