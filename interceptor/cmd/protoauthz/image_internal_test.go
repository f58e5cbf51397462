package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

func TestBrokenImages(t *testing.T) {
	t.Parallel()
	set := serviceSet(t, `Get public: true`)
	image := encode(t, set)
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(image)
	_ = w.Close()
	asJSON, err := protojson.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		image []byte
		says  string
	}{
		{"empty", nil, "empty"},
		{"gzip", zipped.Bytes(), "gunzip"},
		{"JSON", asJSON, "JSON"},
		{"text", []byte("syntax = \"proto3\";"), "neither an image"},
		{"binary", bytes.Repeat([]byte{0xff}, 100), "neither an image"},
		{"without services", encode(t, &descriptorpb.FileDescriptorSet{File: set.GetFile()[:len(set.GetFile())-1]}), "no services among its"},
		{"a file twice", append(bytes.Clone(image), image...), "do not fit together"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "image.binpb", test.image)
			for _, args := range [][]string{{"matrix", path}, {"scopes", path}, {"diff", write(t, "old.binpb", image), path}} {
				got := execute(t, nil, args...)
				if got.status != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, path+": ") || !strings.Contains(got.stderr, test.says) {
					t.Errorf("%s: status %d, %q, want %q about %s; printed %q", args[0], got.status, got.stderr, test.says, path, got.stdout)
				}
			}
		})
	}
}

// imageFiles returns the files of an image. Imported services have no methods.
func imageFiles(data []byte) (policy.Files, error) {
	set, err := readImage(data)
	if err != nil {
		return nil, err
	}
	in, err := imageInput("image", set, new(selection))
	if err != nil {
		return nil, err
	}
	return in.files, nil
}

// A part of an image is never taken for another policy: what is left compiles to rules that the
// whole has, or is an error.
func TestTruncatedImage(t *testing.T) {
	t.Parallel()
	set := compileSet(t, nil, "sample/v1/catalog.proto", "sample/v1/document.proto", "sample/v1/member.proto")
	for _, file := range set.GetFile() {
		file.SourceCodeInfo = nil // most of the bytes
	}
	image := encode(t, set)
	whole := compileBytes(t, image)
	compiled := 0
	for n := range len(image) {
		files, err := imageFiles(image[:n])
		if err != nil {
			continue
		}
		table, err := policy.Compile(files, policy.WithAudience(audience))
		if err != nil {
			t.Errorf("the first %d bytes do not compile: %v", n, err)
			continue
		}
		compiled++
		for _, rule := range table.Rules() {
			if other, ok := whole.Lookup(rule.Procedure); !ok || other.String() != rule.String() {
				t.Errorf("the first %d bytes say %v", n, rule)
			}
		}
	}
	// Two parts end between files, and hold a service with all its imports.
	if compiled != 2 {
		t.Errorf("%d beginnings compile, want 2", compiled)
	}
}

func compileBytes(t testing.TB, image []byte) *policy.Table {
	t.Helper()
	files, err := imageFiles(image)
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, policy.WithAudience(audience))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Imported files of buf's images are not compiled.
func TestImportsOfImage(t *testing.T) {
	t.Parallel()
	mark := func(extension []byte) []byte {
		set := serviceSet(t, `Get public: true`)
		other := compileSet(t, map[string]string{"other.proto": `syntax = "proto3"; package other; message M {} service S { rpc Get(M) returns (M); }`}, "other.proto").GetFile()[0]
		other.ProtoReflect().SetUnknown(extension)
		set.File = append(set.File, other)
		return encode(t, set)
	}
	isImport := func(is uint64) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, bufExtension, protowire.BytesType),
			protowire.AppendVarint(protowire.AppendTag(nil, bufIsImport, protowire.VarintType), is))
	}
	for _, test := range []struct {
		name      string
		extension []byte
		status    int
	}{
		{"import", isImport(1), exitOK},
		{"no import", isImport(0), exitFailed}, // for it has no rules
		{"protoc", nil, exitFailed},
		{"the last counts", append(isImport(1), isImport(0)...), exitFailed},
		{"of another type", protowire.AppendVarint(protowire.AppendTag(nil, bufExtension, protowire.VarintType), 1), exitFailed},
		{"another field", protowire.AppendBytes(protowire.AppendTag(nil, bufExtension, protowire.BytesType),
			protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 1)), exitFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := execute(t, mark(test.extension), "matrix"); got.status != test.status {
				t.Errorf("status %d, want %d: %s%s", got.status, test.status, got.stdout, got.stderr)
			}
		})
	}
}

// In a set of protoc, a file does not count as imported if its package has a rule.
func TestImportedFiles(t *testing.T) {
	t.Parallel()
	const annotations = "protoauthz/v1/authz.proto"
	rule := protowire.AppendBytes(protowire.AppendTag(nil, 404209324, protowire.BytesType), nil)
	other := protowire.AppendBytes(protowire.AppendTag(nil, 404209325, protowire.BytesType), nil)
	file := func(path, pkg string, imports ...string) *descriptorpb.FileDescriptorProto {
		return &descriptorpb.FileDescriptorProto{Name: &path, Package: &pkg, Dependency: imports, Service: []*descriptorpb.ServiceDescriptorProto{{
			Options: new(descriptorpb.ServiceOptions), Method: []*descriptorpb.MethodDescriptorProto{{Options: new(descriptorpb.MethodOptions)}},
		}}}
	}
	imported := func(edit func(*descriptorpb.FileDescriptorProto, *descriptorpb.ServiceOptions, *descriptorpb.MethodOptions)) []*descriptorpb.FileDescriptorProto {
		f := file("a.proto", "a")
		edit(f, f.GetService()[0].GetOptions(), f.GetService()[0].GetMethod()[0].GetOptions())
		return []*descriptorpb.FileDescriptorProto{f, file("b.proto", "b", "a.proto")}
	}
	type (
		files   = []*descriptorpb.FileDescriptorProto
		fileIn  = *descriptorpb.FileDescriptorProto
		service = *descriptorpb.ServiceOptions
		method  = *descriptorpb.MethodOptions
	)
	uninterpreted := []*descriptorpb.UninterpretedOption{{}}
	for name, test := range map[string]struct {
		files files
		want  bool // a.proto counts as imported
	}{
		"imported":                 {imported(func(fileIn, service, method) {}), true},
		"imported for its options": {files{file("a.proto", "a"), {Name: proto.String("b.proto"), OptionDependency: []string{"a.proto"}}}, true},
		"not imported":             {files{file("a.proto", "a"), file("b.proto", "b")}, false},
		"rule of a service":        {imported(func(_ fileIn, s service, _ method) { s.ProtoReflect().SetUnknown(rule) }), false},
		"rule of a method":         {imported(func(_ fileIn, _ service, m method) { m.ProtoReflect().SetUnknown(append(other, rule...)) }), false},
		"options of others": {imported(func(_ fileIn, s service, m method) {
			s.ProtoReflect().SetUnknown(other)
			m.ProtoReflect().SetUnknown(other)
		}), true},
		"service, uninterpreted":   {imported(func(_ fileIn, s service, _ method) { s.UninterpretedOption = uninterpreted }), false},
		"method, uninterpreted":    {imported(func(_ fileIn, _ service, m method) { m.UninterpretedOption = uninterpreted }), false},
		"imports annotations":      {imported(func(f fileIn, _ service, _ method) { f.Dependency = []string{annotations} }), false},
		"annotations for options":  {imported(func(f fileIn, _ service, _ method) { f.OptionDependency = []string{annotations} }), false},
		"package with rules":       {append(imported(func(fileIn, service, method) {}), file("c.proto", "a", annotations)), false},
		"package around has rules": {append(imported(func(fileIn, service, method) {}), file("c.proto", "a.v1", annotations)), true},
		"marked":                   {asBuf(&descriptorpb.FileDescriptorSet{File: imported(func(fileIn, service, method) {})}, "a.proto").GetFile(), false},
		"marked, with a rule":      {asBuf(&descriptorpb.FileDescriptorSet{File: imported(func(f fileIn, _ service, _ method) { f.Dependency = []string{annotations} })}, "b.proto").GetFile(), true},
		"another marked":           {append(imported(func(fileIn, service, method) {}), asBuf(&descriptorpb.FileDescriptorSet{File: files{file("c.proto", "c")}}).GetFile()...), false},
	} {
		if got := importedFiles(&descriptorpb.FileDescriptorSet{File: test.files})(test.files[0]); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

// Ten times as many methods take about ten times as much memory, in all formats.
func TestManyMethods(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	allocated := func(image []byte, args ...string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := execute(t, image, args...); got.status == exitFailed {
			t.Fatal(got.stderr)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	few, many := bigImage(t, 500), bigImage(t, 5000)
	fewOld, manyOld := write(t, "few.binpb", few), write(t, "many.binpb", many)
	for _, args := range [][]string{
		{"matrix"}, {"matrix", "-format", "markdown"}, {"matrix", "-format", "json"}, {"matrix", "-format", "html"},
		{"scopes"}, {"scopes", "-format", "logto"}, {"scopes", "-format", "auth0"},
	} {
		if some, all := allocated(few, args...), allocated(many, args...); all > 20*some {
			t.Errorf("%v: 500 methods take %d allocations, 5,000 take %d", args, some, all)
		}
	}
	if some, all := allocated(few, "diff", fewOld, "-"), allocated(many, "diff", manyOld, "-"); all > 20*some {
		t.Errorf("diff: 500 methods take %d allocations, 5,000 take %d", some, all)
	}
	var document struct{ Procedures []json.RawMessage }
	if err := json.Unmarshal([]byte(execute(t, many, "matrix", "-format", "json").stdout), &document); err != nil || len(document.Procedures) != 5000 {
		t.Errorf("%d procedures, %v", len(document.Procedures), err)
	}
}

// For any bytes, the result is an error or the table of policy.Compile, and both can be printed.
func FuzzImage(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("{}"))
	f.Add(service(f, `Get public: true`, `List scopes: ["read:orders"]`))
	f.Add(encode(f, hostileSet(f)))
	f.Fuzz(func(t *testing.T, image []byte) {
		got := execute(t, image, "matrix", "-audience", audience)
		if printed := got.stdout + got.stderr; strings.ContainsFunc(strings.ReplaceAll(printed, "\n", ""), hidden) {
			t.Errorf("it prints %q", printed)
		}
		files, err := imageFiles(image)
		var table *policy.Table
		if err == nil {
			table, err = policy.Compile(files, policy.WithAudience(audience))
		}
		if want := err == nil; want != (got.status == exitOK) || got.status == exitNo {
			t.Fatalf("status %d with %v", got.status, err)
		}
		if err != nil {
			var faults *policy.Error
			if errors.As(err, &faults) && len(faults.Faults) == 0 {
				t.Error("an error without a fault")
			}
			return
		}
		for _, rule := range table.Rules() {
			_, method := newRow(rule).split()
			if !strings.Contains(got.stdout, "\n  "+method+" ") || rule.Public != (newRow(rule).Access == accessPublic) {
				t.Errorf("%v is not in\n%s", rule, got.stdout)
			}
		}
		for _, args := range [][]string{{"matrix", "-format", "markdown"}, {"matrix", "-format", "json"}, {"matrix", "-format", "html"}, {"scopes", "-format", "logto"}} {
			if got := execute(t, image, append(args, "-audience", audience)...); got.status != exitOK {
				t.Errorf("%v: %s", args, got.stderr)
			}
		}
	})
}

// hostileSet returns a set whose names hold markup and escape sequences.
func hostileSet(t testing.TB) *descriptorpb.FileDescriptorSet {
	t.Helper()
	set := compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a; import "protoauthz/v1/authz.proto";
// </script><script>alert(1)</script>
message M { string name = 1; }
service S {
	option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, audience: "https://x/\"></script><script>alert(1)</script>|@all\\` + "`" + `",
		organization: {field: "name", pattern: "<b>|` + "`" + `|\\|_x_/{organization}"}};
	rpc Get(M) returns (M) { option (protoauthz.v1.method) = {scopes: ["` + "`" + `|<script>@all", "[x](javascript:alert(1))"]}; }
}`}, "a.proto")
	file := set.GetFile()[len(set.GetFile())-1]
	file.Name = proto.String("\x1b[31m\n|<script>`\u202e\u009b31m.proto")
	return set
}
