package main_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check/checktest"
)

// faults is a module with a finding of each rule of lint, with its options.
func faults(t testing.TB) (*checktest.ProtoFileSpec, map[string]any) {
	t.Helper()
	return source(t, "testdata/faults", "testdata/protovalidate", protosDir),
		map[string]any{"public": []string{"faults.Opened", "faults.Bare", "grpc.health.v1.Health"}}
}

func TestLint(t *testing.T) {
	t.Parallel()
	files, options := faults(t)
	newer := source(t, "testdata/newer")
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: options}), wanted(t, files))
	compare(t, found(t, &checktest.RequestSpec{Files: newer}), wanted(t, newer))

	// The cases try every rule.
	all := append(wanted(t, files), wanted(t, newer)...)
	for _, id := range ids("PROTOAUTHZ") {
		without(t, all, id)
	}
}

// TestLintRules shows that each rule reports its own findings.
func TestLintRules(t *testing.T) {
	t.Parallel()
	files, options := faults(t)
	all := wanted(t, files)
	for _, id := range ids("PROTOAUTHZ") {
		want := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return !strings.HasSuffix(line, " "+id) })
		compare(t, found(t, &checktest.RequestSpec{Files: files, Options: options, RuleIDs: []string{id}}), want)
	}
}

// TestLintOptions shows what each option changes.
func TestLintOptions(t *testing.T) {
	t.Parallel()
	files, options := faults(t)
	all := wanted(t, files)
	for _, c := range []struct {
		key   string
		value any
		want  []string
	}{
		{"audience", "https://api.example.com", without(t, all, "PROTOAUTHZ_AUDIENCE_MISSING")},
		{"shared_scopes", []string{"read:shared"}, without(t, all, "PROTOAUTHZ_SCOPE_SHARED")},
		{"shared_scopes", []string{"read:other"}, all},
		{"scope_pattern", "(?i)[a-z:_0-9-]*", without(t, all, "PROTOAUTHZ_SCOPE_NAMING")},
		{"scope_pattern", "x|[A-Za-z_:0-9-]*", without(t, all, "PROTOAUTHZ_SCOPE_NAMING")},
	} {
		changed := maps.Clone(options)
		changed[c.key] = c.value
		t.Run(fmt.Sprint(c.key, c.value), func(t *testing.T) {
			t.Parallel()
			compare(t, found(t, &checktest.RequestSpec{Files: files, Options: changed}), c.want)
		})
	}

	// Without the option public.
	changed := map[string]any{"audience": "https://api.example.com", "public": []string{"faults.Opened"}}
	want := append(without(t, all, "PROTOAUTHZ_AUDIENCE_MISSING"), "faults.proto:"+lineOf(t, files, "rpc Bare(")+":3: PROTOAUTHZ_RULE_MISSING")
	slices.Sort(want)
	compare(t, found(t, &checktest.RequestSpec{Files: files, Options: changed}), want)
}

// importing is a file without faults that imports the faulty files.
func importing(t testing.TB, content string) *checktest.ProtoFileSpec {
	t.Helper()
	files := written(t, "syntax = \"proto3\";\npackage a;\nimport \"faults.proto\";\nimport \"protoauthz/v1/authz.proto\";\n"+content)
	files.DirPaths = append(files.DirPaths, "testdata/faults", "testdata/protovalidate")
	return files
}

// TestLintImportedField shows that a finding about another module's field stands at the
// annotation that names the field.
func TestLintImportedField(t *testing.T) {
	t.Parallel()
	files := importing(t, `import "request.proto";
service S {
  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION organization: {field: "required"}};
  rpc Required(faults.Fields) returns (faults.Fields) {
    option (protoauthz.v1.method) = {authenticated: true};
  }
  rpc Free(faults.Fields) returns (faults.Fields) {
    option (protoauthz.v1.method) = {
      authenticated: true
      organization: {field: "free"} // want PROTOAUTHZ_ORGANIZATION_REQUIRED:7
    };
  }
  rpc Caller(faults.Fields) returns (faults.Fields) {
    option (protoauthz.v1.method) = {
      authenticated: true
      subject: {field: "long"} // want PROTOAUTHZ_SUBJECT_REQUIRED:7
      client: {field: "optional"} // want PROTOAUTHZ_SUBJECT_REQUIRED:7
    };
  }
}`)
	compare(t, found(t, &checktest.RequestSpec{Files: files}), wanted(t, files))
}

// TestLintHints shows that messages name the options of the plugin, not only those of policy.
func TestLintHints(t *testing.T) {
	t.Parallel()
	files, options := faults(t)
	for id, option := range map[string]string{
		"PROTOAUTHZ_RULE_MISSING":     "public",
		"PROTOAUTHZ_AUDIENCE_MISSING": "audience",
		"PROTOAUTHZ_SCOPE_SHARED":     "shared_scopes",
		"PROTOAUTHZ_OPTION":           "public",
	} {
		annotations, err := run(t, &checktest.RequestSpec{Files: files, Options: options, RuleIDs: []string{id}})
		if err != nil || len(annotations) == 0 {
			t.Fatalf("%s: got %d annotations, error %v", id, len(annotations), err)
		}
		for _, a := range annotations {
			if !strings.Contains(a.Message(), "option "+option) {
				t.Errorf("%s: does not name the option %s: %s", id, option, a.Message())
			}
		}
	}
}

// TestLintWays compares what is found in the ways of a rule.
func TestLintWays(t *testing.T) {
	t.Parallel()
	files, options := faults(t)
	annotations, err := run(t, &checktest.RequestSpec{Files: files, Options: options, RuleIDs: []string{"PROTOAUTHZ_WAY_COVERED", "PROTOAUTHZ_ORGANIZATION_PLACES"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range annotations {
		text, _, _ := strings.Cut(strings.TrimPrefix(a.Message(), "faults.Beside."), ": name one place for all ways, or ")
		got = append(got, text)
	}
	slices.Sort(got)
	const remedy = ", since the ways before let in all its calls: remove the way, or have a way before ask for more"
	want := []string{
		"Covered: no call goes by way 1" + remedy,
		"Covered: no call goes by way 2" + remedy,
		"CoveredTogether: no call goes by way 2" + remedy,
		"CoveredTwice: no call goes by way 1" + remedy,
		"OwnPlace: way 3 takes the organization from field name, and way 1 from segment 2 of field name: " +
			"a caller by way 3 may name any organization in segment 2 of field name, and a caller by way 1 may name any organization in field name",
		"Places: way 1 takes the organization from the token, and way 0 from field organization_id: a caller by way 1 may name any organization in field organization_id",
		"Places: way 2 takes the organization from header x-tenant, and way 0 from field organization_id: " +
			"a caller by way 2 may name any organization in field organization_id, and a caller by way 0 may name any organization in header x-tenant",
		"Places: way 3 takes the organization from header x-tenant, and way 0 from field organization_id: " +
			"a caller by way 3 may name any organization in field organization_id, and a caller by way 0 may name any organization in header x-tenant",
		"Places: way 4 takes the organization from field name, and way 0 from field organization_id: " +
			"a caller by way 4 may name any organization in field organization_id, and a caller by way 0 may name any organization in field name",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// scoped has a method for each scope, the first of them on line 7.
func scoped(t testing.TB, scopes ...string) *checktest.ProtoFileSpec {
	t.Helper()
	var content strings.Builder
	content.WriteString(`syntax = "proto3";
package a;
import "protoauthz/v1/authz.proto";
message E {}
service S {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
`)
	for i, scope := range scopes {
		fmt.Fprintf(&content, "  rpc M%02d(E) returns (E) { option (protoauthz.v1.method).scopes = %q; }\n", i, scope)
	}
	content.WriteString("}\n")
	return written(t, content.String())
}

func TestScopeNaming(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern   string // or none
		good, bad []string
	}{
		{
			"",
			[]string{"read:orders", "read:client_grants", "read:org-members", "invite:member", "bulk-read:orders", "read:v2"},
			[]string{
				"read", "read:", ":orders", "read:orders:own", "read:Orders", "Read:orders", "read:orders.own", "read:-orders",
				"read:orders_", "read::orders", "2read:orders",
			},
		},
		{"[a-z]+", []string{"read"}, []string{"read:orders", "Read"}},
		{"a|b", []string{"a", "b"}, []string{"ax", "xb"}},
		{"(?m)^a$", []string{"a"}, []string{"b"}},
	} {
		options := maps.Clone(audience)
		if c.pattern != "" {
			options["scope_pattern"] = c.pattern
		}
		want := []string{}
		for i := range c.bad {
			want = append(want, fmt.Sprintf("a.proto:%d:28: PROTOAUTHZ_SCOPE_NAMING", 7+len(c.good)+i))
		}
		slices.Sort(want)
		compare(t, found(t, &checktest.RequestSpec{Files: scoped(t, append(c.good, c.bad...)...), Options: options}), want)
	}
}

// TestLintSilent lints modules without findings.
func TestLintSilent(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]*checktest.ProtoFileSpec{
		"no services":            written(t, "syntax = \"proto3\";\nmessage M {}\n"),
		"no methods":             written(t, "syntax = \"proto3\";\nservice S {}\n"),
		"the services of others": importing(t, "message M {}"),
	} {
		if got := found(t, &checktest.RequestSpec{Files: files}); len(got) > 0 {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// BenchmarkLint lints 5,000 methods.
func BenchmarkLint(b *testing.B) {
	var content strings.Builder
	content.WriteString("syntax = \"proto3\";\npackage a;\nimport \"protoauthz/v1/authz.proto\";\nmessage M {\n  string organization_id = 1;\n}\n")
	for service := range 100 {
		fmt.Fprintf(&content, "service S%d {\n  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE organization: {field: \"organization_id\"}};\n", service)
		for method := range 50 {
			fmt.Fprintf(&content, "  rpc M%d(M) returns (M) {\n    option (protoauthz.v1.method) = {scopes: [\"READ:s%d\"]};\n  }\n", method, service)
		}
		content.WriteString("}\n")
	}
	files := written(b, content.String())
	request := &checktest.RequestSpec{Files: files, AgainstFiles: files, Options: audience, RuleIDs: slices.Concat(ids("PROTOAUTHZ"), ids("PROTOAUTHZ_LOOSER"))}
	for b.Loop() {
		if got := found(b, request); len(got) != 5000 {
			b.Fatalf("got %d findings", len(got))
		}
	}
}
