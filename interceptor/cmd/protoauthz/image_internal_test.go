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
		{"without imports", encode(t, &descriptorpb.FileDescriptorSet{File: set.GetFile()[len(set.GetFile())-1:]}), "imports"},
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
	// It ends between files in two places in which there is a service, whose imports are there.
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

// Files that buf has in an image only for those that import them are not compiled.
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

// Ten times as many methods take about ten times as much memory, whatever is printed.
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

// Whatever the bytes, there is an error that can be printed, or the table of policy.Compile, which
// can be printed too.
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

// hostileSet is a set whose author would like to be read as something else.
func hostileSet(t testing.TB) *descriptorpb.FileDescriptorSet {
	t.Helper()
	set := compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a; import "protoauthz/v1/authz.proto";
// </script><script>alert(1)</script>
message M { string name = 1; }
service S {
	option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, audience: "https://x/\"></script><script>alert(1)</script>|@all\u202e\u009b31m\\` + "`" + `",
		organization: {field: "name", pattern: "<b>|` + "`" + `|\\|_x_/{organization}"}};
	rpc Get(M) returns (M) { option (protoauthz.v1.method) = {scopes: ["` + "`" + `|<script>@all", "[x](javascript:alert(1))"]}; }
}`}, "a.proto")
	file := set.GetFile()[len(set.GetFile())-1]
	file.Name = proto.String("\x1b[31m\n|<script>`.proto")
	return set
}
