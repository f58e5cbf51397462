package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"
)

// lines returns the lines of a file.
func lines(t testing.TB, files *checktest.ProtoFileSpec, name string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(files.DirPaths[0], name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(content), "\n")
}

// lineOf returns the number of the only line with the text, in the first file that has the text.
func lineOf(t testing.TB, files *checktest.ProtoFileSpec, text string) string {
	t.Helper()
	all := lines(t, files, files.FilePaths[0])
	i := slices.IndexFunc(all, func(line string) bool { return strings.Contains(line, text) })
	if i < 0 {
		t.Fatalf("%s: no line with %q", files.FilePaths[0], text)
	}
	return strconv.Itoa(i + 1)
}

// sample are the files of the sample, in a folder of its own.
func sample(t testing.TB) *checktest.ProtoFileSpec {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(protosDir)); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "sample/v1/*.proto"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sample: %v", err)
	}
	files := &checktest.ProtoFileSpec{DirPaths: []string{dir}}
	for _, path := range paths {
		files.FilePaths = append(files.FilePaths, "sample/v1/"+filepath.Base(path))
	}
	return files
}

func TestSample(t *testing.T) {
	t.Parallel()
	files := sample(t)
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: audience}), nil)
	compare(t, found(t, &checktest.RequestSpec{Files: files, AgainstFiles: files, Options: audience,
		RuleIDs: slices.Concat(ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER"))}), nil)
}

var (
	optionLine      = regexp.MustCompile(`^ +option \(protoauthz\.v1\.(method|service)\)`)
	declarationLine = map[string]*regexp.Regexp{"method": regexp.MustCompile(`^  rpc `), "service": regexp.MustCompile(`^service `)}
	missing         = map[string]string{"method": "PROTOAUTHZ_RULE_MISSING", "service": "PROTOAUTHZ_MODEL_MISSING"}
)

// TestSampleWithout takes away each option of the sample. Lint and breaking both report the
// missing option at its method or service.
func TestSampleWithout(t *testing.T) {
	t.Parallel()
	before := sample(t)
	tried := map[string]int{}
	for _, name := range before.FilePaths {
		all := lines(t, before, name)
		for start, line := range all {
			match := optionLine.FindStringSubmatch(line)
			if match == nil {
				continue
			}
			tried[match[1]]++
			end := start + slices.IndexFunc(all[start:], func(line string) bool { return strings.HasSuffix(line, ";") })
			at := start
			for !declarationLine[match[1]].MatchString(all[at]) {
				at--
			}
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(name), start+1), func(t *testing.T) {
				t.Parallel()
				after := sample(t)
				changed := slices.Clone(all)
				for i := start; i <= end; i++ {
					changed[i] = ""
				}
				if err := os.WriteFile(filepath.Join(after.DirPaths[0], name), []byte(strings.Join(changed, "\n")), 0o600); err != nil {
					t.Fatal(err)
				}
				place := fmt.Sprintf("%s:%d:%d: ", name, at+1, strings.IndexFunc(all[at], func(c rune) bool { return c != ' ' })+1)
				got := found(t, &checktest.RequestSpec{Files: after, Options: audience})
				compare(t, slices.Compact(got), []string{place + missing[match[1]]})
				got = found(t, &checktest.RequestSpec{Files: after, AgainstFiles: before, Options: audience, RuleIDs: ids("PROTOAUTHZ_LOOSER")})
				compare(t, slices.Compact(got), []string{place + "PROTOAUTHZ_RULE_LOST"})
			})
		}
	}
	if tried["method"] != 20 || tried["service"] != 4 {
		t.Errorf("tried %v, want all 20 methods and 4 services", tried)
	}
}
