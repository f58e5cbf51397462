package documents_test

import (
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/help"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/documents"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const root = "../../../.."

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(t *testing.T) []documents.Document {
	t.Helper()
	all, err := documents.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("there are %d documents", len(all))
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLinks makes sure that links lead to files and headings that are there. Links to other places
// must be https; nobody follows them here.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, document := range all {
		for _, link := range document.Links {
			if fault := follow(all, document, link); fault != "" {
				t.Errorf("%s: the link to %q: %s", document.Path, link, fault)
			}
		}
	}
}

// TestTables makes sure that each row of a table is shown as a row: GitHub ends a table at an empty line, and begins one
// with a head and a line of dashes.
func TestTables(t *testing.T) {
	t.Parallel()
	lost := regexp.MustCompile(`(?m)^\n(\|.*)\n(?:[^|]|\|[^-])`)
	for _, document := range load(t) {
		for _, row := range lost.FindAllStringSubmatch(document.Text, -1) {
			t.Errorf("%s: no table has the row %s", document.Path, row[1])
		}
	}
}

func follow(all []documents.Document, from documents.Document, link string) (fault string) {
	target, err := url.Parse(link)
	switch {
	case err != nil:
		return err.Error()
	case target.IsAbs():
		if target.Scheme != "https" || target.Host == "" {
			return "it is not an https URL"
		}
		return ""
	}
	name := from.Path
	if target.Path != "" {
		name = path.Join(path.Dir(from.Path), target.Path)
	}
	if !filepath.IsLocal(name) {
		return "it leads out of the project"
	}
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		return "there is no such file"
	}
	to := slices.IndexFunc(all, func(d documents.Document) bool { return d.Path == name })
	if target.Fragment != "" && (to < 0 || !slices.Contains(all[to].Anchors, target.Fragment)) {
		return "there is no such heading"
	}
	return ""
}

// compiled reports whether a block is a run of lines of one of the files, at any indentation. Brackets
// that close what stands above the block, and a comment, may follow its last line.
func compiled(block string, files map[string]string) (string, bool) {
	for depth := range 5 {
		indent := strings.Repeat("\t", depth)
		lines := strings.Split(strings.TrimSuffix(block, "\n"), "\n")
		for n, line := range lines {
			lines[n] = regexp.QuoteMeta(line)
			if line != "" {
				lines[n] = indent + lines[n]
			}
		}
		run := regexp.MustCompile(`(?m)^` + strings.Join(lines, "\n") + `[)}\]]*(?: // .*)?$`)
		for name, text := range files {
			if strings.Contains(text, strings.SplitN(block, "\n", 2)[0]) && run.MatchString(text) {
				return name, true
			}
		}
	}
	return "", false
}

// TestGo makes sure that all Go code of the documents compiles: it is a run of lines of a Go file.
func TestGo(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	if err := documents.Walk(root, ".go", func(name, text string) { files[name] = text }); err != nil {
		t.Fatal(err)
	}
	for name := range files {
		if path.Dir(name) == documents.ShopModule {
			files[name] = withoutMarks(t, files[name])
		}
	}
	for _, document := range load(t) {
		for _, block := range document.Blocks {
			if block.Language != "go" {
				continue
			}
			if _, ok := compiled(block.Text, files); !ok {
				t.Errorf("%s:%d: not in a Go file:\n%s", document.Path, block.Line, block.Text)
			}
		}
	}

	// What everybody sees first runs.
	front := documents.At(load(t), "README.md")
	first := slices.IndexFunc(front, func(block documents.Block) bool { return block.Language == "go" })
	example, _, _ := strings.Cut(files["interceptor/example_test.go"], "\n}\n\n// documents ")
	if _, ok := compiled(front[first].Text, map[string]string{"": example}); !ok {
		t.Error("the first Go code of README.md is not in ExampleNew")
	}
}

var mark = regexp.MustCompile(`(?m)[ \t]*(?://|#) glue$`)

// withoutMarks returns code of the shop as a user writes it, without the comments by which the shop counts lines.
func withoutMarks(t *testing.T, text string) string {
	t.Helper()
	code, err := format.Source(mark.ReplaceAll([]byte(text), nil))
	if err != nil {
		t.Fatal(err)
	}
	return string(code)
}

// TestProduction makes sure that the document about production shows all lines of glue of the shop, whole functions at
// a time, and no code of another program.
func TestProduction(t *testing.T) {
	t.Parallel()
	var shown strings.Builder
	for _, block := range documents.At(load(t), documents.Production) {
		shown.WriteString(block.Text)
		if block.Language != "go" {
			continue
		}
		source := map[string]string{}
		for _, name := range []string{"main.go", "shop.go", "glue_internal_test.go"} {
			source[name] = withoutMarks(t, read(t, documents.ShopModule+"/"+name))
		}
		name, ok := compiled(block.Text, source)
		if whole := strings.HasPrefix(block.Text, "func ") && strings.HasSuffix(block.Text, "\n}\n"); !ok || !whole {
			t.Errorf("%s:%d: no function of the shop (%s):\n%s", documents.Production, block.Line, name, block.Text)
		}
	}
	glue := 0
	for _, name := range []string{"main.go", "shop.go", "buf.yaml"} {
		for line := range strings.Lines(read(t, documents.ShopModule+"/"+name)) {
			code := strings.TrimSpace(mark.ReplaceAllString(line, ""))
			if !mark.MatchString(line) {
				continue
			}
			glue++
			if !strings.Contains(strings.Join(strings.Fields(shown.String()), " "), strings.Join(strings.Fields(code), " ")) {
				t.Errorf("%s does not show a line of %s: %s", documents.Production, name, code)
			}
		}
	}
	if glue < 20 {
		t.Errorf("%d lines are marked", glue)
	}
	_, test, _ := strings.Cut(read(t, documents.ShopModule+"/glue_internal_test.go"), ")\n\n")
	for name, whole := range map[string]string{"authz.json": read(t, documents.ShopModule+"/authz.json"), "the test": test} {
		if !strings.Contains(shown.String(), whole) {
			t.Errorf("%s does not show %s whole", documents.Production, name)
		}
	}
}

// TestAccess makes sure that the lines of docs/testing.md about who may call what are lines of the golden file.
func TestAccess(t *testing.T) {
	t.Parallel()
	golden, err := os.ReadFile(root + "/interceptor/guardtest/testdata/access.golden")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, block := range documents.At(load(t), "interceptor/docs/testing.md#Who may call what") {
		for line := range strings.Lines(block.Text) {
			if block.Language == "text" {
				shown++
				if !strings.Contains("\n"+string(golden), "\n"+line) {
					t.Errorf("interceptor/docs/testing.md:%d: the golden file lacks %s", block.Line, line)
				}
			}
		}
	}
	if shown < 3 {
		t.Errorf("%d lines are shown", shown)
	}
}

// TestNames makes sure that the packages have what documents name, as in token.NewVerifier.
func TestNames(t *testing.T) {
	t.Parallel()
	packages := map[string]string{}
	if err := documents.Walk(root, ".go", func(name, text string) {
		if folder := path.Dir(name); strings.HasPrefix(folder, "interceptor") && !strings.Contains(folder, "/internal") {
			packages[path.Base(folder)] += text
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, document := range load(t) {
		for _, name := range regexp.MustCompile(`\b([a-z0-9]+)\.([A-Z]\w+)`).FindAllStringSubmatch(document.Text, -1) {
			text, ours := packages[name[1]]
			if ours && !regexp.MustCompile(`(?m)^(?:func |type |var |const |\t)`+name[2]+`\b`).MatchString(text) {
				t.Errorf("%s names %s, which is not there", document.Path, name[0])
			}
		}
	}
}

// TestMap makes sure that the arrows of interceptor/README.md are what the packages import of the project.
func TestMap(t *testing.T) {
	t.Parallel()
	imported := regexp.MustCompile(`(?m)^\t(?:\w+ )?"github.com/protoauthz/protoauthz/interceptor/?(.*)"$`)
	imports := map[string]map[string]bool{} // of each package below interceptor
	if err := documents.Walk(root+"/interceptor", ".go", func(name, text string) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		folder := cmp.Or(strings.TrimPrefix(path.Dir(name), "."), "interceptor")
		for _, match := range imported.FindAllStringSubmatch(text, -1) {
			if imports[folder] == nil {
				imports[folder] = map[string]bool{}
			}
			imports[folder][cmp.Or(match[1], "interceptor")] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	blocks := documents.At(load(t), "interceptor/README.md#Packages")
	if len(blocks) != 1 {
		t.Fatalf("there are %d blocks", len(blocks))
	}
	drawn := map[string]bool{}
	for line := range strings.Lines(blocks[0].Text) {
		folder, to, _ := strings.Cut(strings.TrimSpace(line), "->")
		folder = strings.TrimSpace(folder)
		drawn[folder] = true
		if want := strings.Join(slices.Sorted(maps.Keys(imports[folder])), ", "); strings.TrimSpace(to) != want {
			t.Errorf("%s imports %s", folder, want)
		}
	}
	for folder := range imports {
		apart := strings.HasPrefix(folder, "internal/test/") || strings.HasPrefix(folder, "internal/dev/") || strings.HasPrefix(folder, "cmd/")
		if !apart && !drawn[folder] {
			t.Errorf("%s is not drawn", folder)
		}
	}
}

// TestReasons makes sure that every place that interceptor/README.md names for a new reason has each reason.
func TestReasons(t *testing.T) {
	t.Parallel()
	reasons := regexp.MustCompile(`(?m)^\t(Reason\w+) +Reason += "(.*)"$`).FindAllStringSubmatch(read(t, "interceptor/denial.go"), -1)
	if len(reasons) < 15 {
		t.Errorf("the reasons are %q", reasons)
	}
	for _, name := range []string{
		"README.md", "interceptor/internal/test/catalogue/answer.go", "interceptor/internal/dev/e2e/gateway/reason_test.go",
		"interceptor/cmd/protoauthz/internal/explain/check.go", "interceptor/cmd/protoauthz/internal/explain/change.go",
	} {
		text := read(t, name)
		if strings.HasSuffix(name, ".go") {
			text = withoutComments(t, text)
		}
		for _, reason := range reasons {
			if !regexp.MustCompile(`\b(?:` + reason[1] + `|` + reason[2] + `)\b`).MatchString(text) {
				t.Errorf("%s has no %s", name, reason[2])
			}
		}
	}
	for _, reason := range reasons {
		_, section, _ := strings.Cut(read(t, "interceptor/docs/troubleshooting.md"), "\n### "+reason[2]+"\n")
		section, _, _ = strings.Cut(section, "\n### ")
		if strings.Count(section, "\n| ") < 2 { // with the head
			t.Errorf("interceptor/docs/troubleshooting.md has no section %s with a row", reason[2])
		}
	}
}

// TestHelp makes sure that the lines of the log about keys and about rules that are not enforced lead to a section. The
// lines of refused calls do: TestReasons has their sections.
func TestHelp(t *testing.T) {
	t.Parallel()
	all := load(t)
	for _, section := range []string{help.KeysUnavailable, help.EveryCallLetIn} {
		link := help.Attr(section).Value.String()
		from := documents.Document{Path: "interceptor/docs/start.md"}
		name, found := strings.CutPrefix(link, "https://github.com/protoauthz/protoauthz/blob/main/interceptor/docs/")
		if fault := follow(all, from, name); fault != "" || !found {
			t.Errorf("%s: %s", link, fault)
		}
	}
}

// withoutComments returns Go code.
func withoutComments(t *testing.T, text string) string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	var code strings.Builder
	if err := errors.Join(err, format.Node(&code, files, file)); err != nil {
		t.Fatal(err)
	}
	return code.String()
}

var message = regexp.MustCompile(`\((?:stream )?(\w+)\)`)

// TestProto makes sure that rules in documents compile, and that rules for the sample's methods are the
// sample's. The services of one document are in no sample: a test of its own compiles these.
func TestProto(t *testing.T) {
	t.Parallel()
	sample := map[string]bool{}
	for line := range strings.Lines(read(t, "sample/testdata/policy.golden")) {
		sample[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, document := range load(t) {
		for _, block := range document.Blocks {
			if block.Language != "proto" || document.Path == documents.Rules {
				continue
			}
			whole, source := strings.Contains(block.Text, "\npackage "), block.Text
			if !whole {
				const annotations = "import \"protoauthz/v1/authz.proto\";\n"
				source = "syntax = \"proto3\"; package sample.v1;\n" + annotations + strings.Replace(source, annotations, "", 1)
				for _, match := range message.FindAllStringSubmatch(block.Text, -1) {
					if match[1] != "protoauthz" {
						source += fmt.Sprintf("message %s {string organization_id = 1;}\n", match[1])
					}
				}
			}
			files, err := protos.Compile(t.Context(), root+"/proto", map[string]string{"document.proto": source}, "document.proto")
			if err != nil {
				t.Errorf("%s:%d: %v", document.Path, block.Line, err)
				continue
			}
			table, err := policy.Compile(files, policy.WithAudience("https://api.example.com"))
			if err != nil {
				t.Errorf("%s:%d: %v", document.Path, block.Line, err)
				continue
			}
			for line := range strings.Lines(table.String()) {
				if line = strings.Join(strings.Fields(line), " "); !whole && !sample[line] {
					t.Errorf("%s:%d: the sample has no rule %q", document.Path, block.Line, line)
				}
			}
		}
	}
}

// TestMakefile makes sure that the Makefile has the targets that documents name, and that the list of
// targets is what "make help" prints.
func TestMakefile(t *testing.T) {
	t.Parallel()
	makefile := read(t, "Makefile")
	var help strings.Builder
	for _, target := range regexp.MustCompile(`(?m)^([a-z0-9-]+):.*## (.*)$`).FindAllStringSubmatch(makefile, -1) {
		_, _ = fmt.Fprintf(&help, "%-14s %s\n", target[1], target[2])
	}
	listed := false
	for _, document := range load(t) {
		for _, command := range regexp.MustCompile("`make ([a-z0-9-]+)[^`]*`").FindAllStringSubmatch(document.Text, -1) {
			if !strings.Contains(makefile, "\n"+command[1]+":") {
				t.Errorf("%s names %s, which the Makefile does not have", document.Path, command[0])
			}
		}
		for n, block := range document.Blocks {
			if block.Text != "make help\n" {
				continue
			}
			listed = true
			if n+1 == len(document.Blocks) || document.Blocks[n+1].Text != help.String() {
				t.Errorf("%s:%d: make help prints\n%s", document.Path, block.Line, help.String())
			}
		}
	}
	if !listed {
		t.Error("no document shows what make help prints")
	}
}

// TestCosts makes sure that the front page shows the rows that make bench-peers writes.
func TestCosts(t *testing.T) {
	t.Parallel()
	_, rows, _ := strings.Cut(read(t, "interceptor/internal/dev/bench/readme.go"), "\nfunc headlineRows()")
	rows, _, _ = strings.Cut(rows, "\n}\n")
	names := regexp.MustCompile(`\n\t\t\{"([^"]+)", `).FindAllStringSubmatch(rows, -1)
	if len(names) < 4 {
		t.Errorf("the rows are %q", names)
	}
	for _, name := range names {
		if !strings.Contains(read(t, "README.md"), "\n| "+name[1]+" ") {
			t.Errorf("README.md has no row %q: run make bench-peers", name[1])
		}
	}
}
