package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"

	plugin "github.com/protoauthz/protoauthz/interceptor/cmd/buf-plugin-protoauthz"
)

// pair returns two versions of rules with subjects, clients and ways. Each finding of a version is a change from the
// other version.
func pair(t testing.TB) (strict, loose *checktest.ProtoFileSpec) {
	t.Helper()
	return source(t, "testdata/strict", protosDir), source(t, "testdata/loose", protosDir)
}

// looser and tighter are new versions of the fixture before, with their options.
func looser(t testing.TB) (*checktest.ProtoFileSpec, map[string]any) {
	t.Helper()
	return source(t, "testdata/looser", protosDir), map[string]any{"audience": "https://api.example.com", "public": []string{"change.Opened"}}
}

func tighter(t testing.TB) (*checktest.ProtoFileSpec, map[string]any) {
	t.Helper()
	return source(t, "testdata/tighter", protosDir), audience
}

func TestBreaking(t *testing.T) {
	t.Parallel()
	before := source(t, "testdata/before", protosDir)
	loosened, loosenedOptions := looser(t)
	tightened, tightenedOptions := tighter(t)
	strict, loose := pair(t)
	older, newer := source(t, "testdata/older", protosDir), source(t, "testdata/newer")
	lost := wanted(t, newer)
	for i, line := range lost {
		lost[i] = strings.ReplaceAll(line, "RULE_UNREADABLE", "RULE_LOST")
	}
	both := slices.Concat(ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER"))
	for _, c := range []struct {
		name          string
		before, after *checktest.ProtoFileSpec
		options       map[string]any
		rules         []string
		want          []string
	}{
		{"looser", before, loosened, loosenedOptions, ids("PROTOAUTHZ_LOOSER"), wanted(t, loosened)},
		{"looser, for the other rules", before, loosened, loosenedOptions, ids("PROTOAUTHZ_TIGHTER"), nil},
		{"tighter", before, tightened, tightenedOptions, ids("PROTOAUTHZ_TIGHTER"), wanted(t, tightened)},
		{"tighter, for the other rules", before, tightened, tightenedOptions, ids("PROTOAUTHZ_LOOSER"), nil},
		{"unchanged", before, before, audience, both, nil},
		{"looser ways", strict, loose, audience, ids("PROTOAUTHZ_LOOSER"), wanted(t, loose)},
		{"looser ways, for the other rules", strict, loose, audience, ids("PROTOAUTHZ_TIGHTER"), nil},
		{"tighter ways", loose, strict, audience, ids("PROTOAUTHZ_TIGHTER"), wanted(t, strict)},
		{"tighter ways, for the other rules", loose, strict, audience, ids("PROTOAUTHZ_LOOSER"), nil},
		{"unchanged ways", loose, loose, audience, both, nil},
		{"unreadable before", newer, older, nil, both, []string{"newer.proto:13:38: PROTOAUTHZ_RULE_LOST", "newer.proto:16:38: PROTOAUTHZ_RULE_LOST", "newer.proto:22:38: PROTOAUTHZ_RULE_LOST"}},
		{"without a rule before", declaring(t, "S", ""), declaring(t, "S", scopedMethod), audience, both, nil},
		{"unreadable now", older, newer, nil, both, lost},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compare(t, found(t, &checktest.RequestSpec{Files: c.after, AgainstFiles: c.before, Options: c.options, RuleIDs: c.rules}), c.want)
		})
	}

	// The cases try every rule.
	for _, id := range ids("PROTOAUTHZ_LOOSER") {
		without(t, append(wanted(t, loosened), wanted(t, loose)...), id)
	}
	for _, id := range ids("PROTOAUTHZ_TIGHTER") {
		without(t, append(wanted(t, tightened), wanted(t, strict)...), id)
	}
}

// TestBreakingDefault runs the rules that buf runs without a list.
func TestBreakingDefault(t *testing.T) {
	t.Parallel()
	before := source(t, "testdata/before", protosDir)
	files, options := looser(t)
	want := append(found(t, &checktest.RequestSpec{Files: files, Options: options}), wanted(t, files)...) // lint is checked too
	slices.Sort(want)
	compare(t, found(t, &checktest.RequestSpec{Files: files, AgainstFiles: before, Options: options}), want)
	files, options = tighter(t)
	want = found(t, &checktest.RequestSpec{Files: files, Options: options})
	compare(t, found(t, &checktest.RequestSpec{Files: files, AgainstFiles: before, Options: options}), want)
}

// TestBreakingAgainst shows that a finding names the method of the old version.
func TestBreakingAgainst(t *testing.T) {
	t.Parallel()
	before := source(t, "testdata/before", protosDir)
	after, options := looser(t)
	against(t, before, after, options)
	strict, loose := pair(t)
	against(t, strict, loose, audience)
}

func against(t *testing.T, before, after *checktest.ProtoFileSpec, options map[string]any) {
	t.Helper()
	sources := lines(t, before, before.FilePaths[0])
	annotations, err := run(t, &checktest.RequestSpec{Files: after, AgainstFiles: before, Options: options, RuleIDs: ids("PROTOAUTHZ_LOOSER")})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range annotations {
		at := a.AgainstFileLocation()
		if at == nil {
			t.Errorf("%s: no place in the old version", a.Message())
			continue
		}
		name, _, _ := strings.Cut(a.Message(), ":")
		method := name[strings.LastIndex(name, ".")+1:]
		if line := sources[at.StartLine()]; !strings.HasPrefix(line, "  rpc "+method+"(") {
			t.Errorf("%s: was not at line %d: %s", a.Message(), at.StartLine()+1, line)
		}
	}
	if len(annotations) == 0 {
		t.Error("nothing was found")
	}
}

// declaring is a service with a method.
func declaring(t testing.TB, service, option string) *checktest.ProtoFileSpec {
	t.Helper()
	return written(t, `syntax = "proto3";
package a;
import "protoauthz/v1/authz.proto";
service `+service+` {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc R(M) returns (M) { `+option+` }
}
message M {}
`)
}

const (
	scopedMethod = `option (protoauthz.v1.method) = {scopes: ["read:orders"]};`
	publicMethod = `option (protoauthz.v1.method) = {public: true};`
)

// TestBreakingOpenedByName shows that a deleted service that the option public names has been
// made public.
func TestBreakingOpenedByName(t *testing.T) {
	t.Parallel()
	options := map[string]any{"audience": "https://api.example.com", "public": []string{"a.S"}}
	for name, after := range map[string]*checktest.ProtoFileSpec{
		"another service": declaring(t, "T", scopedMethod), "no service": written(t, "syntax = \"proto3\";\npackage a;\n"),
	} {
		annotations, err := run(t, &checktest.RequestSpec{
			Files: after, AgainstFiles: declaring(t, "S", scopedMethod), Options: options, RuleIDs: ids("PROTOAUTHZ_LOOSER"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(annotations) != 1 || annotations[0].RuleID() != "PROTOAUTHZ_MADE_PUBLIC" {
			t.Fatalf("%s: got %v", name, annotations)
		}
		if at := annotations[0].AgainstFileLocation(); annotations[0].FileLocation() != nil || at == nil || at.StartLine() != 5 {
			t.Errorf("%s: it is at %v, and was at %v", name, annotations[0].FileLocation(), at)
		}
	}
}

// TestBreakingOpenedUnread shows that unreadable rules of a deleted service are lost if the option
// public names the service.
func TestBreakingOpenedUnread(t *testing.T) {
	t.Parallel()
	annotations, err := run(t, &checktest.RequestSpec{
		Files: written(t, "syntax = \"proto3\";\npackage a;\n"), AgainstFiles: source(t, "testdata/newer"),
		Options: map[string]any{"public": []string{"newer.Methods", "newer.Service"}}, RuleIDs: ids("PROTOAUTHZ_LOOSER"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range annotations {
		name, _, _ := strings.Cut(a.Message(), ":")
		got = append(got, a.RuleID()+" "+name)
	}
	slices.Sort(got)
	if want := []string{"PROTOAUTHZ_RULE_LOST newer.Methods.Newer", "PROTOAUTHZ_RULE_LOST newer.Methods.Ways", "PROTOAUTHZ_RULE_LOST newer.Service"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestBreakingAnnotatedAndOpened shows that a new service is not compared, although the option
// public named the service before.
func TestBreakingAnnotatedAndOpened(t *testing.T) {
	t.Parallel()
	options := map[string]any{"audience": "https://api.example.com", "public": []string{"a.S"}}
	compare(t, found(t, &checktest.RequestSpec{
		Files: declaring(t, "S", scopedMethod), AgainstFiles: declaring(t, "T", scopedMethod), Options: options,
		RuleIDs: slices.Concat(ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER")),
	}), nil)
}

// TestBreakingSameName shows that a lost rule is not taken from a service of the same name in
// another package.
func TestBreakingSameName(t *testing.T) {
	t.Parallel()
	files := func(imports, of string) *checktest.ProtoFileSpec {
		dir := t.TempDir()
		for _, name := range []string{"a", "b"} {
			option := ""
			if name == "b" {
				option = of
			}
			content := fmt.Sprintf(`syntax = "proto3"; package %s; import "protoauthz/v1/authz.proto"; message M {}
service S { %s rpc %s(M) returns (M) { option (protoauthz.v1.method).public = true; } }`, name, option, strings.ToUpper(name))
			if err := os.WriteFile(filepath.Join(dir, name+".proto"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return source(t, dir, imports)
	}
	before, after := files(protosDir, ""), files("testdata/newer", `option (protoauthz.v1.service) = {region: "eu"};`)
	want := []string{"b.proto:2:13: PROTOAUTHZ_RULE_LOST"}
	compare(t, found(t, &checktest.RequestSpec{Files: after, AgainstFiles: before, RuleIDs: ids("PROTOAUTHZ_LOOSER")}), want)
}

// TestBreakingAudienceMoved shows that rules are compared after the audience has moved from
// buf.yaml into the annotations.
func TestBreakingAudienceMoved(t *testing.T) {
	t.Parallel()
	after := written(t, `syntax = "proto3"; package a; import "protoauthz/v1/authz.proto"; message E {}
service S {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE audience: "https://api.example.com"};
  rpc M00(E) returns (E) { option (protoauthz.v1.method).authenticated = true; } // want PROTOAUTHZ_MADE_AUTHENTICATED:28
}`)
	compare(t, found(t, &checktest.RequestSpec{Files: after, AgainstFiles: scoped(t, "read:orders"), RuleIDs: ids("PROTOAUTHZ_LOOSER")}), wanted(t, after))
}

// TestUnprepared shows that a rule fails, and does not pass, if the request was not prepared.
func TestUnprepared(t *testing.T) {
	t.Parallel()
	for _, rule := range plugin.Spec().Rules {
		if err := rule.Handler.Handle(t.Context(), nil, nil); err == nil {
			t.Errorf("%s: no error", rule.ID)
		}
	}
}
