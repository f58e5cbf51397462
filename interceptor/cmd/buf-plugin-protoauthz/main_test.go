package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checktest"
	"go.uber.org/goleak"

	plugin "github.com/protoauthz/protoauthz/interceptor/cmd/buf-plugin-protoauthz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// protosDir holds the annotations and the sample.
const protosDir = "../../../proto"

// audience is the option that most requests need.
var audience = map[string]any{"audience": "https://api.example.com"}

// A source is a folder of .proto files and of their imports.
func source(t testing.TB, dir string, imports ...string) *checktest.ProtoFileSpec {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files: %v", dir, len(names), err)
	}
	for i, name := range names {
		names[i] = filepath.Base(name)
	}
	return &checktest.ProtoFileSpec{DirPaths: append([]string{dir}, imports...), FilePaths: names}
}

// written is a .proto file.
func written(t testing.TB, content string) *checktest.ProtoFileSpec {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.proto"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return source(t, dir, protosDir)
}

// run does what buf does with the plugin.
func run(t testing.TB, request *checktest.RequestSpec) ([]check.Annotation, error) {
	t.Helper()
	client, err := check.NewClientForSpec(plugin.Spec())
	if err != nil {
		t.Fatal(err)
	}
	converted, err := request.ToRequest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Check(t.Context(), converted)
	if err != nil {
		return nil, err
	}
	return response.Annotations(), nil
}

// found has a line for each annotation, as in "a.proto:12:3: RULE", sorted.
func found(t testing.TB, request *checktest.RequestSpec) []string {
	t.Helper()
	annotations, err := run(t, request)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, a := range annotations {
		at := a.FileLocation()
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s",
			at.FileDescriptor().ProtoreflectFileDescriptor().Path(), at.StartLine()+1, at.StartColumn()+1, a.RuleID()))
	}
	slices.Sort(lines)
	return lines
}

var wantComment = regexp.MustCompile(`// want( PROTOAUTHZ_[A-Z_]+:[0-9]+)+$`)

// wanted returns the findings that fixtures declare in comments, in the form of found.
func wanted(t testing.TB, files *checktest.ProtoFileSpec) []string {
	t.Helper()
	lines := []string{}
	for _, name := range files.FilePaths {
		content, err := os.ReadFile(filepath.Join(files.DirPaths[0], name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(content), "\n") {
			comment, ok := strings.CutPrefix(wantComment.FindString(line), "// want ")
			if !ok && strings.Contains(line, "// want") {
				t.Fatalf("%s:%d: malformed", name, i+1)
			}
			for _, want := range strings.Fields(comment) {
				rule, column, _ := strings.Cut(want, ":")
				lines = append(lines, fmt.Sprintf("%s:%d:%s: %s", name, i+1, column, rule))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// compare reports missing and unexpected lines.
func compare(t testing.TB, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("got %d findings, want %d", len(got), len(want))
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("not wanted: %s", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("not found: %s", line)
		}
	}
}

// without leaves out the lines of rules, at least one of each.
func without(t testing.TB, lines []string, rules ...string) []string {
	t.Helper()
	for _, rule := range rules {
		rest := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.HasSuffix(line, " "+rule) })
		if len(rest) == len(lines) {
			t.Fatalf("the fixture has no %s", rule)
		}
		lines = rest
	}
	return lines
}

// ids are the rules of a category.
func ids(category string) []string {
	var ids []string
	for _, rule := range plugin.Spec().Rules {
		if slices.Contains(rule.CategoryIDs, category) {
			ids = append(ids, rule.ID)
		}
	}
	return ids
}
