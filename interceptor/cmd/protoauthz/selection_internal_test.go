package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/cmd/internal/fileset"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// shop returns the files of a user and of other packages.
var shop = map[string]string{
	"gogo.proto": `syntax = "proto3"; package gogoproto; import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { bool nullable = 65001; }
message Extra { string organization_id = 1; } enum Kind { KIND_UNSPECIFIED = 0; }`,

	"rules.proto": `syntax = "proto3"; package shop.options; import public "protoauthz/v1/authz.proto";`,

	"operations.proto": `syntax = "proto3"; package google.longrunning; message Operation { string name = 1; }
service Operations { rpc GetOperation(Operation) returns (Operation); rpc ListOperations(Operation) returns (Operation); }`,

	"order.proto": `syntax = "proto3"; package shop.v1; import "protoauthz/v1/authz.proto"; import "gogo.proto"; import "operations.proto";
message Request {
  string organization_id = 1 [(gogoproto.nullable) = true]; gogoproto.Extra extra = 2; gogoproto.Kind kind = 3;
  repeated gogoproto.Kind kinds = 4; map<string, gogoproto.Extra> extras = 5; oneof one { gogoproto.Kind this = 6; gogoproto.Extra that = 7; }
}
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, audience: "https://api.example.com", organization: {field: "organization_id"}};
  rpc Get(Request) returns (gogoproto.Extra) { option (protoauthz.v1.method).scopes = "read:orders"; }
  rpc Ship(gogoproto.Extra) returns (google.longrunning.Operation) { option (protoauthz.v1.method) = {scopes: "write:orders", organization: {header: "x-organization-id"}}; }
}`,

	"extra.proto": `syntax = "proto3"; package shop.v1; import "protoauthz/v1/authz.proto"; import "gogo.proto"; message Nested { gogoproto.Extra extra = 1; }
service ExtraService {
  option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, audience: "https://api.example.com", organization: {field: "extra.organization_id"}};
  rpc Get(Nested) returns (Nested) { option (protoauthz.v1.method).scopes = "read:orders"; }
  rpc Put(gogoproto.Extra) returns (Nested) { option (protoauthz.v1.method) = {scopes: "write:orders", organization: {field: "organization_id"}}; }
  rpc Info(Nested) returns (Nested) { option (protoauthz.v1.method).public = true; }
}`,

	"indirect.proto": `syntax = "proto3"; package shop.v1; import "rules.proto"; message Empty {}
service IndirectService { rpc Open(Empty) returns (Empty) { option (protoauthz.v1.method).public = true; } rpc Bare(Empty) returns (Empty); }`,

	"pair.proto": `syntax = "proto3"; package pair.v1; import "protoauthz/v1/authz.proto"; message Empty {}
service First { rpc Get(Empty) returns (Empty); }
service Second { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Get(Empty) returns (Empty) { option (protoauthz.v1.method).scopes = "read:pairs"; }
  rpc Put(Empty) returns (Empty) { option (protoauthz.v1.method) = {}; }
  rpc Own(Empty) returns (Empty) { option (protoauthz.v1.method).authenticated = true; }
}`,

	"legacy.proto": `syntax = "proto3"; package legacy.v1; import "order.proto"; message Empty { shop.v1.Request request = 1; }
service LegacyService { rpc Do(Empty) returns (Empty); }`,

	"common.proto": `syntax = "proto3"; package shop.v1; message Common {} service ForgottenService { rpc Do(Common) returns (Common); }`,

	"begun.proto": `syntax = "proto3"; package begun.v1; import "protoauthz/v1/authz.proto"; message Begun {} service BegunService { rpc Do(Begun) returns (Begun); }`,

	"user.proto": `syntax = "proto3"; package user.v1; import "common.proto"; import "begun.proto"; import "order.proto";
message User { shop.v1.Common common = 1; begun.v1.Begun begun = 2; shop.v1.Request request = 3; }`,

	"bad.proto": `syntax = "proto3"; package bad.v1; import "protoauthz/v1/authz.proto"; message Empty {}
service BadService { option (protoauthz.v1.service).audience = "a b"; rpc Info(Empty) returns (Empty) { option (protoauthz.v1.method).public = true; } }`,

	"empty.proto": `syntax = "proto3"; package empty.v1; message Empty {}`,
}

// shopSet returns a set of protoc without the missing files.
func shopSet(t *testing.T, names string, missing ...string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	set := compileSet(t, shop, strings.Fields(names)...)
	set.File = slices.DeleteFunc(set.GetFile(), func(file *descriptorpb.FileDescriptorProto) bool { return slices.Contains(missing, file.GetName()) })
	return set
}

// asBuf marks the files of a set as an image of buf does.
func asBuf(set *descriptorpb.FileDescriptorSet, own ...string) *descriptorpb.FileDescriptorSet {
	for _, file := range set.GetFile() {
		is := protowire.EncodeBool(!slices.Contains(own, file.GetName()))
		file.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, bufExtension, protowire.BytesType),
			protowire.AppendVarint(protowire.AppendTag(nil, bufIsImport, protowire.VarintType), is)))
	}
	return set
}

// serveSet serves the reflection of a set, and returns the URL. The server lists the services of the
// set and other services.
func serveSet(t *testing.T, set *descriptorpb.FileDescriptorSet, others ...string) string {
	t.Helper()
	files, _, err := fileset.Link(set)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Clone(others)
	for _, file := range set.GetFile() {
		for _, service := range file.GetService() {
			names = append(names, string(serviceName(file, service)))
		}
	}
	return serveNames(t, files, names...)
}

// serveNames serves the reflection of files. The server lists the given services.
func serveNames(t *testing.T, files *protoregistry.Files, names ...string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(grpcreflect.NewHandlerV1(grpcreflect.NewReflector(staticNames(names), grpcreflect.WithDescriptorResolver(files))))
	return serve(t, mux).URL
}

type staticNames []string

func (n staticNames) Names() []string { return n }

// A transcript holds the output of commands as a terminal shows it.
type transcript struct {
	strings.Builder
	names map[string]string // of what differs from run to run
}

// run runs a command. SERVER and OLD stand for names that differ in each run.
func (tr *transcript) run(t *testing.T, stdin []byte, line string) {
	t.Helper()
	var args []string
	for _, arg := range strings.Fields(line) {
		if name, ok := tr.names[arg]; ok {
			arg = name
		}
		args = append(args, arg)
	}
	got := execute(t, stdin, args...)
	text := "$ protoauthz " + line + "\n" + got.stdout
	if got.stderr != "" {
		text += "--- on standard error\n" + got.stderr
	}
	text += "--- status " + strconv.Itoa(got.status) + "\n\n"
	for _, name := range slices.Sorted(maps.Keys(tr.names)) {
		text = strings.ReplaceAll(text, tr.names[name], name)
	}
	tr.WriteString(text)
}

func (tr *transcript) about(format string, args ...any) {
	_, _ = fmt.Fprintf(tr, "# "+format+"\n", args...)
}

// testMissing tries images and servers that lack files.
func testMissing(t *testing.T) {
	t.Parallel()
	tr := new(transcript)
	set := shopSet(t, "order.proto", "gogo.proto")
	image := encode(t, set)
	tr.about("gogo.proto is missing: no rule needs it")
	tr.names = map[string]string{"SERVER": serveSet(t, set), "OLD": write(t, "old.binpb", encode(t, shopSet(t, "order.proto")))}
	tr.run(t, image, "matrix")
	tr.run(t, nil, "matrix -skip google SERVER")
	tr.run(t, image, "scopes -format logto")
	tr.run(t, image, "diff OLD -")
	tr.run(t, image, "explain -method shop.v1.OrderService/Ship -message {}")
	synctest.Test(t, func(t *testing.T) {
		token := tokens.Scene{Now: 946684800}.Token(tokens.I1.ES256, "aud", "https://api.example.com", "organization_id", "acme", "scope", "read:orders")
		tr.names["TOKEN"] = write(t, "token", []byte(token))
		tr.run(t, image, `explain -method shop.v1.OrderService/Get -token TOKEN -message {"organizationId":"acme","extra":{},"kind":1,"kinds":[2],"extras":{"a":{}},"that":{}}`)
	})

	tr.about("gogo.proto is missing: rules need it, or may")
	set = shopSet(t, "order.proto extra.proto indirect.proto", "gogo.proto", "rules.proto")
	tr.names = map[string]string{"SERVER": serveSet(t, set)}
	tr.run(t, encode(t, set), "matrix")
	tr.run(t, nil, "matrix -skip google SERVER")
	tr.run(t, encode(t, set), "matrix -public shop.v1.IndirectService")

	tr.about("protoauthz/v1/authz.proto is missing")
	tr.run(t, encode(t, shopSet(t, "pair.proto", "protoauthz/v1/authz.proto", "google/protobuf/descriptor.proto")), "matrix -only pair.v1.Second")

	tr.about("many files are missing")
	set = shopSet(t, "order.proto", "gogo.proto", "operations.proto", "google/protobuf/descriptor.proto")
	last := set.GetFile()[len(set.GetFile())-1]
	for i := range 7 {
		last.Dependency = append(last.Dependency, fmt.Sprintf("\x1b[3%dm\n\u202e.proto", i))
	}
	tr.run(t, encode(t, set), "matrix -only shop")

	tr.about("imports go round, and a file is missing")
	set = shopSet(t, "order.proto", "gogo.proto")
	set.GetFile()[slices.IndexFunc(set.GetFile(), func(file *descriptorpb.FileDescriptorProto) bool { return file.GetName() == "operations.proto" })].Dependency = []string{"order.proto", "gogo.proto"}
	tr.run(t, encode(t, set), "matrix")
	golden(t, "outside/missing.txt", tr.String())
}

// testUndescribed tries services without a descriptor.
func testUndescribed(t *testing.T) {
	t.Parallel()
	set := shopSet(t, "order.proto")
	image := encode(t, set)
	tr := &transcript{names: map[string]string{"SERVER": serveSet(t, set, "handmade.Service"), "OTHER": serveSet(t, new(descriptorpb.FileDescriptorSet), "handmade.Service"), "OLD": write(t, "old.binpb", image)}}
	tr.about("a server lists a service without a descriptor")
	tr.run(t, nil, "matrix -skip google SERVER")
	tr.run(t, nil, "matrix -skip google -skip handmade SERVER")
	tr.run(t, nil, "matrix -skip google -public handmade.Service SERVER")
	tr.run(t, nil, "matrix -only shop.v1 -public handmade.Service SERVER")
	tr.run(t, nil, "diff -skip google OLD SERVER")
	tr.run(t, nil, "diff -skip google SERVER OLD")
	tr.run(t, nil, "diff -skip google -public handmade.Service OLD SERVER")
	tr.run(t, nil, "explain -skip google -public handmade.Service -method handmade.Service/Do SERVER")
	tr.run(t, nil, "explain -skip google -method handmade.Service/Do SERVER")
	for _, method := range []string{"handmade.Service/", "handmade.Service/Do/It", "handmade.Service"} { // none is a method
		tr.run(t, nil, "explain -skip google -public handmade.Service -method "+method+" SERVER")
	}
	tr.about("a server has nothing else")
	tr.run(t, nil, "matrix OTHER")
	tr.run(t, nil, "matrix -skip handmade OTHER")
	tr.run(t, nil, "matrix -public handmade.Service OTHER")
	tr.about("an image does not know of it")
	tr.run(t, image, "matrix -public handmade.Service")
	tr.run(t, encode(t, shopSet(t, "empty.proto")), "matrix -public handmade.Service -format json")
	tr.run(t, image, "matrix -public shop.v1.OrderService")
	golden(t, "outside/undescribed.txt", tr.String())
}

// testChosen tries -only and -skip.
func testChosen(t *testing.T) {
	t.Parallel()
	tr := new(transcript)
	image := encode(t, shopSet(t, "order.proto"))
	tr.about("a set of protoc: others' services are imported")
	tr.run(t, image, "matrix")
	tr.run(t, image, "matrix -public google.longrunning.Operations")
	tr.run(t, image, "matrix -only google")
	tr.run(t, image, "explain -method google.longrunning.Operations/GetOperation")

	tr.about("a service has no rules")
	image = encode(t, shopSet(t, "legacy.proto order.proto"))
	tr.names = map[string]string{"SERVER": serveSet(t, shopSet(t, "legacy.proto order.proto")), "OLD": write(t, "old.binpb", encode(t, shopSet(t, "order.proto")))}
	tr.run(t, image, "matrix")
	tr.run(t, nil, "matrix SERVER")
	for _, format := range []string{"markdown", "json"} {
		tr.run(t, image, "matrix -format "+format)
	}
	tr.run(t, image, "scopes")
	tr.run(t, image, "diff OLD -")
	tr.run(t, image, "diff - OLD")
	tr.run(t, image, "explain -method shop.v1.OrderService/Get")
	tr.run(t, image, "explain -method legacy.v1.LegacyService/Do")
	files, _, err := fileset.Link(shopSet(t, "order.proto"))
	if err != nil {
		t.Fatal(err)
	}
	tr.about("a server does not list what it imports")
	tr.names["PARTIAL"] = serveNames(t, files, "shop.v1.OrderService")
	for _, flags := range []string{"", "-only google.longrunning ", "-public google.longrunning.Operations "} {
		tr.run(t, nil, "matrix "+flags+"PARTIAL")
	}
	tr.about("it is left out")
	for _, flags := range []string{"-skip legacy.v1", "-skip legacy.v1.LegacyService", "-only shop", "-only shop.v1.OrderService", "-only shop.v1 -only legacy -skip legacy.v1"} {
		tr.run(t, image, "matrix "+flags)
	}
	tr.run(t, nil, "matrix -only shop.v1 SERVER")
	tr.run(t, image, "scopes -skip legacy")
	tr.run(t, image, "diff -format markdown -only shop OLD -")
	tr.run(t, image, "diff -skip legacy OLD -")
	tr.run(t, image, "explain -only shop -method shop.v1.OrderService/Get")
	tr.about("names that choose nothing")
	for _, flags := range []string{"-only sho", "-only shop.v", "-only shop.v1.OrderService.Get", "-skip shop.v2", "-only shop -skip shop", "-only shop.v1.*", "-only shop,legacy", "-only="} {
		tr.run(t, image, "matrix "+flags)
	}
	tr.run(t, image, "diff -only shop.v2 OLD -")

	tr.about("one service of a file has no rules, one method of another a bad one")
	pair := encode(t, shopSet(t, "pair.proto"))
	tr.run(t, pair, "matrix")
	tr.run(t, pair, "matrix -only pair.v1.Second -format json")
	tr.run(t, pair, "explain -method pair.v1.Second/Own")
	tr.run(t, pair, "explain -method pair.v1.Second/Put")
	tr.run(t, pair, "explain -method pair.v1.Second/Pat")

	tr.about("a service itself has a fault")
	for _, flags := range []string{"", " -skip bad"} {
		tr.run(t, encode(t, shopSet(t, "bad.proto order.proto")), "matrix"+flags)
	}

	tr.about("imported, and perhaps forgotten: its package has rules, or its file imports the annotations")
	tr.run(t, encode(t, shopSet(t, "user.proto")), "matrix")
	tr.about("buf says what is imported")
	tr.run(t, encode(t, asBuf(shopSet(t, "user.proto"), "user.proto", "order.proto")), "matrix")
	tr.run(t, encode(t, asBuf(shopSet(t, "user.proto"), "user.proto")), "matrix")
	golden(t, "outside/chosen.txt", tr.String())
}

// manyFiles returns a set of protoc with a service in each file, and a service in the import of each
// file. All files import a missing file.
func manyFiles(t *testing.T, files, methods int) []byte {
	t.Helper()
	set := compileSet(t, nil, "protoauthz/v1/authz.proto")
	for i := range files {
		imported := &descriptorpb.FileDescriptorProto{
			Name: proto.String(fmt.Sprintf("other%d.proto", i)), Package: proto.String(fmt.Sprintf("other%d", i)), Syntax: proto.String("proto3"), Dependency: []string{"gone.proto"},
			MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M")}},
			Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Other"), Method: []*descriptorpb.MethodDescriptorProto{
				{Name: proto.String("Get"), InputType: proto.String(".gone.M"), OutputType: proto.String(".gone.M")},
			}}},
		}
		file := &descriptorpb.FileDescriptorProto{
			Name: proto.String(fmt.Sprintf("own%d.proto", i)), Package: proto.String(fmt.Sprintf("own%d", i)), Syntax: proto.String("proto3"),
			Dependency: []string{"protoauthz/v1/authz.proto", "gone.proto", imported.GetName()},
			Service:    []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Own"), Options: new(descriptorpb.ServiceOptions)}},
		}
		service := file.GetService()[0]
		proto.SetExtension(service.GetOptions(), authzv1.E_Service, &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience})
		for j := range methods {
			options := new(descriptorpb.MethodOptions)
			proto.SetExtension(options, authzv1.E_Method, &authzv1.MethodRule{Scopes: []string{fmt.Sprintf("scope:%d", j)}})
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name: proto.String(fmt.Sprintf("Method%d", j)), InputType: proto.String("." + imported.GetPackage() + ".M"), OutputType: proto.String(".gone.M"), Options: options,
			})
		}
		set.File = append(set.File, imported, file)
	}
	return encode(t, set)
}

// A large set needs no flags for imported services, and the note about them is one line.
func TestLargeSet(t *testing.T) {
	t.Parallel()
	image := manyFiles(t, 100, 100)
	file := write(t, "old.binpb", image)
	const left = "left out: 100 services of imported files: other0.Other, other1.Other, other2.Other, other3.Other, other4.Other, and 95 more\n"
	const missing = `missing: 1 file: "gone.proto", imported by "other0.proto" and 199 more: this matters only if a fault names the file` + "\n"
	notes := func(name string) string {
		return "protoauthz: note: " + name + ": " + left + "protoauthz: note: " + name + ": " + missing
	}
	for _, test := range []struct {
		args   []string
		lines  int // on standard output; 0 for any number
		status int
		stderr string
	}{
		{[]string{"matrix"}, 1 + 100 + 10_000, exitOK, notes("standard input")},
		{[]string{"matrix", "-format", "json"}, 0, exitOK, notes("standard input")},
		{[]string{"scopes"}, 0, exitOK, notes("standard input")},
		{[]string{"explain", "-method", "own99.Own/Method99"}, 0, exitNo, notes("standard input")},
		{[]string{"diff", file, "-"}, 1, exitOK, notes(file) + notes("standard input")},
		{[]string{"matrix", "-only", "own7"}, 1 + 1 + 100, exitOK, "protoauthz: note: standard input: left out by -only or -skip: 99 services: " +
			"own0.Own, own1.Own, own2.Own, own3.Own, own4.Own, and 94 more\nprotoauthz: note: standard input: " + missing},
	} {
		got := execute(t, image, test.args...)
		if lines := strings.Count(got.stdout, "\n"); got.status != test.status || got.stderr != test.stderr || test.lines > 0 && lines != test.lines {
			t.Errorf("%v: status %d, %d lines, and on standard error\n%s", test.args, got.status, lines, got.stderr)
		}
	}
}
