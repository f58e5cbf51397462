package sources_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/bufyaml"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/sources"
)

// TestRead finds what files declare and import, in all editions.
func TestRead(t *testing.T) {
	t.Parallel()
	type imports = map[string]int
	for _, test := range []struct {
		name, text, pkg string
		services        []string
		imports         imports
	}{
		{"proto3", "syntax = \"proto3\";\npackage shop.v1;\nimport \"a.proto\";\nimport public \"b.proto\";\nservice A { rpc Do(M) returns (M); }\nservice B {}\n", "shop.v1", []string{"shop.v1.A", "shop.v1.B"}, imports{"a.proto": 3, "b.proto": 4}},
		{"edition 2024", "edition = '2024'; package shop.v1; import option 'a.proto'; export message M {} service A{}", "shop.v1", []string{"shop.v1.A"}, imports{"a.proto": 1}},
		{"no package", "service A {}", "", []string{"A"}, imports{}},
		{"a byte order mark and CRLF", "\ufeffpackage a;\r\nservice A {}\r\n", "a", []string{"a.A"}, imports{}},
		{"the package behind a service", "service A {} package a . b;", "a.b", []string{"a.b.A"}, imports{}},
		{"comments and texts", "// service A {}\n/* service B {}\nimport \"a.proto\"; */ package a; option java_package = \"; service C {\"; option x = '; service D {}';", "a", nil, imports{}},
		{"fields", "package a; message service { service service = 1; message import {} import package = 2; }", "a", nil, imports{}},
		{"options in braces", "package a; option (o) = {a: {b: 1}}; service A { option (o) = {a: \"}\"}; rpc D(M) returns (M) {} } service B {}", "a", []string{"a.A", "a.B"}, imports{}},
		{"no .proto file", "\x00\xff service", "", nil, imports{}},
		{"nothing", "", "", nil, imports{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.proto"), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			files, err := sources.Read(dir, []bufyaml.Module{{Path: "."}})
			if err != nil || len(files) != 1 {
				t.Fatalf("%d files, %v", len(files), err)
			}
			if got := files[0]; got.Package != test.pkg || !slices.Equal(got.Services, test.services) || !maps.Equal(got.Imports, test.imports) || got.Path != "a.proto" || got.Name != "a.proto" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestNaming finds the rules that have a subject or a client.
func TestNaming(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		want       []bufyaml.Text
	}{
		{"a subject", "package a; service S {\n rpc Do(M) returns (M) {\n option (protoauthz.v1.method) = {authenticated: true\n subject: {field: \"id\"}}; } }", []bufyaml.Text{{Value: "a.S/Do", Line: 4}}},
		{"a client of an alternative, in angle brackets", "service S { rpc Other(M) returns (M); rpc Do(M) returns (stream M) { option (.protoauthz.v1.method) = {scopes: ['a']; alternatives: [{scopes: ['b'] client < field: 'id' >}] }; } }", []bufyaml.Text{{Value: "S/Do", Line: 1}}},
		{"an option for each field", "package a; service S { rpc Do(M) returns (M) { option deprecated = true; option (protoauthz.v1.method).authenticated = true;\n option (protoauthz.v1.method).subject.field = 'id';\n option (protoauthz.v1.method).client.field = 'id'; } }", []bufyaml.Text{{Value: "a.S/Do", Line: 2}}},
		{"all services", "package a; service S { rpc Do(M) returns (M) { option (protoauthz . v1 . method) = {client {field: 'c'}}; } rpc Be(M) returns (M) { option (protoauthz.v1.method) = {subject {field: 'c'}}; } } message M {}\nservice T { option (o) = {a: 1}; rpc Do(M) returns (M) { option (protoauthz.v1.method) = {subject: {}}; } }", []bufyaml.Text{{Value: "a.S/Do", Line: 1}, {Value: "a.S/Be", Line: 1}, {Value: "a.T/Do", Line: 2}}},
		{"other options", "service S { rpc Do(M) returns (M) { option (other.v1.method) = {subject: {a: 'protoauthz.v1.method'; b: ')'}}; option (protoauthz.v1.methods) = {client: 1}; } }", nil},
		{"texts and comments", "service S { rpc Do(M) returns (M) { option (protoauthz.v1.method) = {scopes: ['subject', \"client\"] /* subject: {} */}; // client: {}\n } }", nil},
		{"messages and fields", "message M { string subject = 1; M client = 2; option (protoauthz.v1.method) = {subject: {}}; message I { option (protoauthz.v1.method) = {subject: {}}; } }", nil},
		{"an end too early", "service S { rpc Do(M) returns (M) { option (protoauthz.v1.method) = {", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.proto"), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			files, err := sources.Read(dir, []bufyaml.Module{{Path: "."}})
			if err != nil || len(files) != 1 || !slices.Equal(files[0].Naming, test.want) {
				t.Errorf("got %+v, %v", files[0].Naming, err)
			}
		})
	}
}

// TestLinks follows links to folders, also if a link leads back, and passes over a link that leads nowhere.
func TestLinks(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{filepath.Join(dir, "a.proto"): "package a;", filepath.Join(outside, "b.proto"): "package b;", filepath.Join(outside, "c.txt"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"one": outside, "two": outside, "back": ".", "gone.proto": "missing"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, filepath.Join(outside, "back")); err != nil {
		t.Fatal(err)
	}
	files, err := sources.Read(dir, []bufyaml.Module{{Path: ".", Excludes: []string{"two"}}})
	var names []string
	for _, file := range files {
		names = append(names, file.Name)
	}
	if want := []string{"a.proto", "one/b.proto"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %v, %v, want %v", names, err, want)
	}
	if _, err := sources.Read(dir, []bufyaml.Module{{Path: "missing"}}); err == nil {
		t.Error("a module without a folder is read")
	}
}
