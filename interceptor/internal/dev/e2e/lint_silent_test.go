package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLintSaysNothing makes sure that buf is silent about a method without annotation in each row of a section of
// docs/troubleshooting.md.
func TestLintSaysNothing(t *testing.T) {
	t.Parallel()
	const proto = `syntax = "proto3"; package order.v1; service OrderService { rpc ListOrders(Orders) returns (Orders); } message Orders {}`
	protos := t.TempDir()
	if err := os.MkdirAll(protos+"/order/v1", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(protos+"/order/v1/order.proto", []byte(proto), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLinter(t)
	lint := func(old, changed string) (string, int) {
		dir := l.workspace(t, protos)
		name := filepath.Join(dir, "buf.yaml")
		config, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(config), old) {
			t.Fatalf("%v, without %q:\n%s", err, old, config)
		}
		if err := os.WriteFile(name, []byte(strings.Replace(string(config), old, changed, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, stderr, status := l.run(t, dir, "lint")
		return string(out) + stderr, status
	}
	if out, status := lint("lint:", "lint:"); status != 100 || !strings.Contains(out, "no rule: add option (protoauthz.v1.method)") {
		t.Errorf("unchanged: exit status %d\n%s", status, out)
	}
	document, err := os.ReadFile("../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(document), "\n### `buf lint` says nothing\n")
	rows := map[string][2]string{ // what changes in buf.yaml
		"the module has a lint of its own": {"- path: proto\n", "- path: proto\n    lint:\n      use: [MINIMAL]\n"},
		"`use` does not list the rules":    {"use: [PROTOAUTHZ]", "use: [MINIMAL]"},
		"the folder is ignored":            {"use: [PROTOAUTHZ]", "use: [PROTOAUTHZ]\n  ignore: [proto]"},
	}
	for name, change := range rows {
		if out, status := lint(change[0], change[1]); status != 0 || out != "" {
			t.Errorf("%s: exit status %d\n%s", name, status, out)
		}
		if !strings.Contains(section, "\n| "+name+" | nothing | ") {
			t.Errorf("the document has no row for %s", name)
		}
	}
	if shown := strings.Count(section, "\n| ") - 1; shown != len(rows) { // without the head
		t.Errorf("the document has %d rows", shown)
	}
}
