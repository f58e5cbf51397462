package main_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"
)

// partly are services that are annotated in part, with their options.
func partly(t testing.TB) (*checktest.ProtoFileSpec, map[string]any) {
	t.Helper()
	options := maps.Clone(audience)
	options["unannotated_refused"] = []string{"partly.Refused", "partly.Both", "of.another.Open"}
	options["unannotated_open"] = []string{"partly.Open", "partly.Whole", "partly.Both", "partly.Stripped", "of.another.Open"}
	return source(t, "testdata/partly", protosDir), options
}

func TestUnannotated(t *testing.T) {
	t.Parallel()
	files, options := partly(t)
	all := wanted(t, files)
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: options, RuleIDs: append(ids("PROTOAUTHZ"), "PROTOAUTHZ_UNANNOTATED")}), all)

	// Nobody gets the list who does not ask for it.
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: options}), without(t, all, "PROTOAUTHZ_UNANNOTATED"))

	// Without the options, all these methods are faults.
	want := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return strings.HasSuffix(line, "OPTION") })
	for i, line := range want {
		want[i] = strings.Replace(line, "PROTOAUTHZ_UNANNOTATED", "PROTOAUTHZ_RULE_MISSING", 1)
	}
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: audience, RuleIDs: append(ids("PROTOAUTHZ"), "PROTOAUTHZ_UNANNOTATED")}), want)
}

// TestUnannotatedMessages makes sure that each finding names the option and the outcome.
func TestUnannotatedMessages(t *testing.T) {
	t.Parallel()
	files, options := partly(t)
	annotations, err := run(t, &checktest.RequestSpec{Files: files, Options: options, RuleIDs: []string{"PROTOAUTHZ_UNANNOTATED"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range annotations {
		got = append(got, a.Message())
	}
	slices.Sort(got)
	if want := []string{
		"partly.Both.Bare: every call is refused by the option unannotated_refused of this plugin in buf.yaml: add option (protoauthz.v1.method)",
		"partly.Open.Bare: everybody may call by the option unannotated_open of this plugin in buf.yaml: add option (protoauthz.v1.method)",
		"partly.Refused.Bare: every call is refused by the option unannotated_refused of this plugin in buf.yaml: add option (protoauthz.v1.method)",
		"partly.Stripped.Bare: everybody may call by the option unannotated_open of this plugin in buf.yaml: add option (protoauthz.v1.method)",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUnannotatedBreaking makes sure that a lost annotation is a finding, whatever the options make of the method, and
// that the first annotation of a method is none.
func TestUnannotatedBreaking(t *testing.T) {
	t.Parallel()
	annotated, bare := declaring(t, "S", scopedMethod), declaring(t, "S", "")
	public := declaring(t, "S", publicMethod)
	partly, published := declaring(t, "S", "} rpc Q(M) returns (M) { "+scopedMethod), declaring(t, "S", publicMethod+" } rpc Q(M) returns (M) { "+scopedMethod)
	both := slices.Concat(ids("PROTOAUTHZ_LOOSER"), ids("PROTOAUTHZ_TIGHTER"))
	for _, c := range []struct {
		name, option  string
		before, after *checktest.ProtoFileSpec
		want          []string
	}{
		{"lost, and refused", "unannotated_refused", annotated, bare, []string{"a.proto:6:3: PROTOAUTHZ_RULE_LOST"}},
		{"lost, and open", "unannotated_open", annotated, bare, []string{"a.proto:6:3: PROTOAUTHZ_MADE_PUBLIC"}},
		{"lost", "", annotated, bare, []string{"a.proto:6:3: PROTOAUTHZ_RULE_LOST"}},
		{"refused as before", "unannotated_refused", bare, bare, nil},
		{"open as before", "unannotated_open", bare, bare, nil},
		{"annotated", "", bare, annotated, nil},
		{"annotated, and refused before", "unannotated_refused", bare, annotated, nil},
		{"public", "", bare, public, nil},
		{"public, and refused before", "unannotated_refused", bare, public, []string{"a.proto:6:59: PROTOAUTHZ_MADE_PUBLIC"}},
		{"public, in a service that was annotated in part", "", partly, published, []string{"a.proto:6:59: PROTOAUTHZ_MADE_PUBLIC"}},
		{"public, in a service that was open in part", "unannotated_open", partly, published, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			options := maps.Clone(audience)
			if c.option != "" {
				options[c.option] = []string{"a.S"}
			}
			compare(t, found(t, &checktest.RequestSpec{Files: c.after, AgainstFiles: c.before, Options: options, RuleIDs: both}), c.want)
		})
	}
}
