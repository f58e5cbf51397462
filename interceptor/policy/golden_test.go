package policy_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// An archive is one case of [TestCompile]. Its name is the kind of all its faults, a dash and
// the variant. The kind "ok" means no fault, and "several" means the kinds in the file "kinds".
// An archive holds
//
//   - options: one option of Compile a line, see [archive.compile]
//   - *.proto: the sources; all but the annotations are compiled, in order
//   - want: the error, or the table
//   - places: where each fault is, if it is in a file
type archive struct {
	path    string
	kind    string
	sources map[string]string
	names   []string // of the sources to compile
	options []string // lines
	kinds   []string
	want    string
	places  string
}

func readArchive(t testing.TB, path string) *archive {
	t.Helper()
	content, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kind, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".txtar"), "-")
	a := &archive{path: path, kind: strings.ToUpper(kind), sources: map[string]string{}}
	for _, file := range content.Files {
		switch data := string(file.Data); {
		case file.Name == "options":
			a.options = slices.Collect(strings.Lines(data))
		case file.Name == "kinds":
			a.kinds = strings.Fields(data)
		case file.Name == "want":
			a.want = data
		case file.Name == "places":
			a.places = data
		case strings.HasSuffix(file.Name, ".proto"):
			a.sources[file.Name] = data
			if file.Name != annotations {
				a.names = append(a.names, file.Name)
			}
		default:
			t.Fatalf("%s: unknown file %s", path, file.Name)
		}
	}
	return a
}

func (a *archive) write(t testing.TB, want, places string) {
	t.Helper()
	content, err := txtar.ParseFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	content.Files = slices.DeleteFunc(content.Files, func(f txtar.File) bool { return f.Name == "want" || f.Name == "places" })
	content.Files = append(content.Files, txtar.File{Name: "want", Data: []byte(want)})
	if places != "" {
		content.Files = append(content.Files, txtar.File{Name: "places", Data: []byte(places)})
	}
	if err := os.WriteFile(a.path, txtar.Format(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compile calls Compile with the archive's files in the given form.
func (a *archive) compile(t testing.TB, form form) (*policy.Table, error) {
	t.Helper()
	files := policy.Files(form.convert(t, compileSources(t, a.sources, a.names...)))
	var options []policy.Option
	for _, line := range a.options {
		name, arguments, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "audience": // one, which may be quoted
			if unquoted, err := strconv.Unquote(arguments); err == nil {
				arguments = unquoted
			}
			options = append(options, policy.WithAudience(arguments))
		case "subject-issuer": // one, which may be quoted
			if unquoted, err := strconv.Unquote(arguments); err == nil {
				arguments = unquoted
			}
			options = append(options, policy.WithSubjectIssuer(arguments))
		case "public":
			options = append(options, policy.WithPublic(strings.Fields(arguments)...))
		case "shadow":
			options = append(options, policy.WithShadow(strings.Fields(arguments)...))
		case "unannotated-refused":
			options = append(options, policy.WithUnannotatedRefused(strings.Fields(arguments)...))
		case "unannotated-open":
			options = append(options, policy.WithUnannotatedOpen(strings.Fields(arguments)...))
		case "shared":
			options = append(options, policy.WithSharedScopes(strings.Fields(arguments)...))
		case "nil": // in place of an option
			options = append(options, nil)
		case "files": // in place of all files of the archive; "nil" stands for nil
			var chosen policy.Files
			for _, name := range strings.Fields(arguments) {
				i := slices.IndexFunc(files, func(f protoreflect.FileDescriptor) bool { return f != nil && f.Path() == name })
				if i < 0 {
					chosen = append(chosen, nil)
					continue
				}
				chosen = append(chosen, files[i])
			}
			files = chosen
		default:
			t.Fatalf("%s: unknown option %q", a.path, name)
		}
	}
	return policy.Compile(files, options...)
}

func archivePaths(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestCompile(t *testing.T) {
	t.Parallel()
	for _, path := range archivePaths(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			a := readArchive(t, path)
			for i, form := range forms() {
				table, err := a.compile(t, form)
				got, places := "", ""
				if err == nil {
					got = table.String()
				} else {
					got, places = err.Error()+"\n", placesOf(t, err)
				}
				if *update && i == 0 {
					a.write(t, got, places)
					a.want, a.places = got, places
				}
				if got != a.want {
					t.Errorf("%s: got\n%s\nwant\n%s", form.name, got, a.want)
				}
				if places != a.places {
					t.Errorf("%s: the places are\n%s\nwant\n%s", form.name, places, a.places)
				}
				a.checkKinds(t, table, err)
			}
		})
	}
}

// TestErrorRulesHaveNoFault makes sure that a rule in an error has no fault, or only a missing audience or a
// shared scope.
func TestErrorRulesHaveNoFault(t *testing.T) {
	t.Parallel()
	compared := 0
	for _, path := range archivePaths(t) {
		_, err := readArchive(t, path).compile(t, forms()[0])
		faulty, ok := errors.AsType[*policy.Error](err)
		if !ok {
			continue
		}
		compared += len(faulty.Rules)
		for _, rule := range faulty.Rules {
			for _, fault := range faulty.Faults {
				own := rule.Method != nil && (fault.Subject == string(rule.Method.FullName()) || fault.Subject == string(rule.Method.Parent().FullName()))
				if own && fault.Subject == string(rule.Method.Parent().FullName()) && fault.Kind == policy.FaultAudienceInvalid {
					continue // no method takes this audience
				}
				if own && fault.Kind != policy.FaultAudienceMissing && fault.Kind != policy.FaultScopeShared {
					t.Errorf("%s: %v, and the rule is %v", path, fault, rule)
				}
			}
		}
	}
	if compared == 0 {
		t.Error("there are no rules")
	}
}

// placesOf returns the places of the faults.
func placesOf(t testing.TB, err error) string {
	t.Helper()
	var places strings.Builder
	for _, fault := range faultsOf(t, err) {
		if place := fault.Place.String(); place != "" {
			_, _ = fmt.Fprintf(&places, "%s: %s\n", place, fault.Kind)
		} else if fault.Kind != policy.FaultOption {
			t.Errorf("%v has no place", fault)
		}
	}
	return places.String()
}

// checkKinds compares the result with the archive's name, which -update does
// not change.
func (a *archive) checkKinds(t testing.TB, table *policy.Table, err error) {
	t.Helper()
	if a.kind == "OK" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if table != nil || err == nil {
		t.Fatal("got a table, want faults")
	}
	var kinds []string
	for _, fault := range faultsOf(t, err) {
		kinds = append(kinds, string(fault.Kind))
	}
	want := a.kinds
	if want == nil {
		want = slices.Repeat([]string{a.kind}, len(kinds))
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("kinds of fault: got %q, want %q", kinds, want)
	}
}

// TestEveryKindHasAnArchive makes sure that there is an archive for each kind of fault.
func TestEveryKindHasAnArchive(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("fault.go")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, match := range regexp.MustCompile(`FaultKind = "(.+)"`).FindAllStringSubmatch(string(source), -1) {
		want = append(want, match[1])
	}
	want = append(want, "OK", "SEVERAL")
	slices.Sort(want)
	var got []string
	for _, path := range archivePaths(t) {
		got = append(got, readArchive(t, path).kind)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("kinds in testdata: got %q, want %q", got, want)
	}
}
