package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/runtime/protoimpl"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// builders build descriptors in the ways that reach programs.
func builders() map[string]func(testing.TB, *descriptorpb.FileDescriptorProto, *protoregistry.Files) protoreflect.FileDescriptor {
	dynamic := func(t testing.TB, f *descriptorpb.FileDescriptorProto, known *protoregistry.Files) protoreflect.FileDescriptor {
		t.Helper()
		descriptor, err := protodesc.FileOptions{AllowUnresolvable: true}.New(f, known)
		if err != nil {
			t.Fatal(err)
		}
		return descriptor
	}
	return map[string]func(testing.TB, *descriptorpb.FileDescriptorProto, *protoregistry.Files) protoreflect.FileDescriptor{
		"unlinked": dynamic,
		"dynamic": func(t testing.TB, f *descriptorpb.FileDescriptorProto, known *protoregistry.Files) protoreflect.FileDescriptor {
			t.Helper()
			again := new(descriptorpb.FileDescriptorProto)
			if err := (proto.UnmarshalOptions{Resolver: dynamicpb.NewTypes(known)}).Unmarshal(encode(t, f), again); err != nil {
				t.Fatal(err)
			}
			return dynamic(t, again, known)
		},
		// As generated code does, which links our type for the number.
		"linked": func(t testing.TB, f *descriptorpb.FileDescriptorProto, known *protoregistry.Files) protoreflect.FileDescriptor {
			t.Helper()
			return protoimpl.DescBuilder{RawDescriptor: encode(t, f), FileRegistry: known}.Build().File
		},
	}
}

// build builds files. Each file may import the files before it.
func build(t testing.TB, form string, files []*descriptorpb.FileDescriptorProto) map[string]protoreflect.FileDescriptor {
	t.Helper()
	known, built := new(protoregistry.Files), map[string]protoreflect.FileDescriptor{}
	if err := known.RegisterFile(descriptorpb.File_google_protobuf_descriptor_proto); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		descriptor := builders()[form](t, f, known)
		if form != "linked" { // which registers itself
			if err := known.RegisterFile(descriptor); err != nil {
				t.Fatal(err)
			}
		}
		built[f.GetName()] = descriptor
	}
	return built
}

// testDeclaration compiles all files of a case, in one form.
func testDeclaration(t *testing.T, c protos.DeclarationCase, form string) {
	t.Helper()
	var files policy.Files
	var service string
	for _, descriptor := range build(t, form, c.Files) {
		files = append(files, descriptor)
		if descriptor.Services().Len() > 0 {
			service = string(descriptor.Services().Get(0).FullName())
		}
	}
	table, err := policy.Compile(files)
	got := ""
	if err != nil {
		for _, fault := range faultsOf(t, err) {
			got += string(fault.Kind)
		}
	} else if rule, ok := table.Lookup("/" + service + "/Call"); !ok || !rule.Public {
		t.Errorf("got %v, want a public rule", rule)
	}
	if got != c.Fault {
		t.Errorf("got %v, want %q", err, c.Fault)
	}
	for _, says := range c.Says {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q in it", err, says)
		}
	}
	if _, err := policy.Compile(files, policy.WithPublic(service)); (err == nil) != c.Opens {
		t.Errorf("opened by name: got %v, want it: %t", err, c.Opens)
	}
}

// TestOutside tries descriptors that no compiler writes, and attacks on names.
func TestOutside(t *testing.T) {
	t.Parallel()
	for _, edition := range protos.Editions() {
		for _, c := range protos.DeclarationCases(edition) {
			for form := range builders() {
				t.Run(strings.Join([]string{"A1", c.Name, form, edition.String()}, "/"), func(t *testing.T) {
					t.Parallel()
					testDeclaration(t, c, form)
				})
			}
		}
	}
	t.Run("A2", testDots)
	t.Run("A10", testLogtoAudience)
	t.Run("C10", testMissingMessages)
	t.Run("C11", testOpenedBehindImport)
	t.Run("held import", testHeldImport)
	t.Run("linked import", testLinkedImport)
	t.Run("C11 copies", testCopies)
	t.Run("C11 given twice", testGivenTwice)
}

// A handler may read names as paths.
func testDots(t *testing.T) {
	t.Parallel()
	compile := func(pattern string) (*policy.Table, error) {
		return policy.Compile(policy.Files{fileWith(t, option(encode(t, &authzv1.MethodRule{
			Authenticated: true,
			Model:         authzv1.Model_MODEL_ORGANIZATION,
			Organization:  &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "organization_id"}, Pattern: pattern},
		})), nil)})
	}
	for _, pattern := range []string{"organizations/{organization}/./x", "../{organization}", "{organization}/..", "./{organization}", "{organization}/*/../*"} {
		if _, err := compile(pattern); err == nil {
			t.Errorf("pattern %q compiles", pattern)
		} else if kind := faultsOf(t, err)[0].Kind; kind != policy.FaultOrganizationPattern {
			t.Errorf("pattern %q: got fault %s", pattern, kind)
		}
	}
	for _, c := range []struct {
		pattern, value, id string
		want               bool
	}{
		{"organizations/{organization}/*/*", "organizations/acme/../globex", "acme", false},
		{"organizations/{organization}/*/*", "organizations/acme/./globex", "acme", false},
		{"organizations/{organization}/*/*", "organizations/acme/x/..", "acme", false},
		{"organizations/{organization}/*/*", "organizations/acme/x/.", "acme", false},
		{"organizations/{organization}/*", "organizations/../x", "..", false},
		{"organizations/{organization}/*", "organizations/./x", ".", false},
		{"*/{organization}", "../acme", "acme", false},
		{"*/{organization}", "./acme", "acme", false},
		{"{organization}", "..", "..", false},
		{"{organization}", ".", ".", false},
		{"organizations/{organization}/*/*", "organizations/acme/.../..x", "acme", true},
		{"organizations/{organization}/*/*", "organizations/acme/.git/x.", "acme", true},
		{"organizations/{organization}/*", "organizations/a.b/x", "a.b", true},
	} {
		table, err := compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		organization := organizationOf(t, table, "/wire.v1.Service/Call")
		request := dynamicpb.NewMessage(organization.Path()[0].ContainingMessage())
		request.Set(organization.Path()[0], protoreflect.ValueOfString(c.value))
		if got := organization.Check(request, c.id) == nil; got != c.want {
			t.Errorf("pattern %q, value %q, organization %q: got %t", c.pattern, c.value, c.id, got)
		}
	}
}

// A token for an audience of Logto has all scopes of an organization.
func testLogtoAudience(t *testing.T) {
	t.Parallel()
	invalid := []policy.FaultKind{policy.FaultAudienceInvalid}
	for audience, good := range map[string]bool{
		"urn:logto:organization:x":          false,
		"urn:logto:organization:":           false,
		"urn:logto:":                        false,
		"urn:logto:organization":            false,
		"urn:logto:organizations":           false,
		"urn:logto:resource:organizations":  false,
		"urn:logto:resource:organizations/": false,
		"urn:logto:resource:organization":   false,
		"URN:Logto:organization:x":          false,
		"urn:LOGTO:Resource:Organizations":  false,
		"urn:logto-api:organization:x":      true,
		"urn:example:logto:organization:x":  true,
		"https://x.logto.app/api":           true,
	} {
		global := &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE}
		inService := &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience}
		scoped := &authzv1.MethodRule{Scopes: []string{"read:x"}}
		for where, c := range map[string]struct {
			method  *authzv1.MethodRule
			service *authzv1.ServiceRule
			option  string
			want    []policy.FaultKind
		}{
			"method":              {&authzv1.MethodRule{Authenticated: true, Audience: audience}, global, "", invalid},
			"service":             {scoped, inService, "", invalid},
			"service, overridden": {&authzv1.MethodRule{Authenticated: true, Audience: "https://api.example.com"}, inService, "", invalid},
			"service, public":     {&authzv1.MethodRule{Public: true}, inService, "", invalid},
			"WithAudience":        {&authzv1.MethodRule{Public: true}, global, audience, []policy.FaultKind{policy.FaultOption}},
		} {
			var options []policy.Option
			if c.option != "" {
				options = append(options, policy.WithAudience(c.option))
			}
			_, err := policy.Compile(policy.Files{fileWith(t, option(encode(t, c.method)), option(encode(t, c.service)))}, options...)
			if good {
				if err != nil {
					t.Errorf("%s of the %s: %v", audience, where, err)
				}
				continue
			}
			var got []policy.FaultKind
			if err != nil {
				for _, fault := range faultsOf(t, err) {
					got = append(got, fault.Kind)
				}
			}
			if !slices.Equal(got, c.want) || !strings.Contains(err.Error(), "give the API's resource indicator") {
				t.Errorf("%s of the %s: got %v, want %v", audience, where, err, c.want)
			}
		}
	}
}

// A field path into a missing file is a fault. Rules without such a path do not need the file.
func testMissingMessages(t *testing.T) {
	t.Parallel()
	const cause = "so that field \"organization_id\" cannot be checked: give the image with its imports (ORGANIZATION_FIELD)"
	global := &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: "https://api.example.com"}
	field := func(path string) *authzv1.ServiceRule {
		return &authzv1.ServiceRule{
			Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Audience: "https://api.example.com",
			Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: path}},
		}
	}
	header := field("")
	header.Organization.Location = &authzv1.Organization_Header{Header: "x-organization-id"}
	for name, c := range map[string]struct {
		input string
		rule  *authzv1.ServiceRule
		want  string
	}{
		"request":            {".gone.M", field("organization_id"), "served.Service.Call: the file that declares message gone.M is missing, " + cause},
		"message in request": {".served.M", field("gone.organization_id"), "served.Service.Call: the file that declares message gone.M is missing, " + cause},
		"message as the end": {".served.M", field("gone"), "served.Service.Call: field served.M.gone is of type message: the path must end in a string (ORGANIZATION_FIELD)"},
		"enum on the way":    {".served.M", field("kind.x"), "served.Service.Call: field served.M.kind is of type enum and has no fields of its own (ORGANIZATION_FIELD)"},
		"beside it":          {".served.M", field("organization_id"), ""},
		"header":             {".gone.M", header, ""},
		"no organization":    {".gone.M", global, ""},
	} {
		ours := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
		method := &descriptorpb.MethodDescriptorProto{Name: proto.String("Call"), InputType: &c.input, OutputType: &c.input, Options: new(descriptorpb.MethodOptions)}
		service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("Service"), Method: []*descriptorpb.MethodDescriptorProto{method}, Options: new(descriptorpb.ServiceOptions)}
		proto.SetExtension(method.Options, authzv1.E_Method, &authzv1.MethodRule{Scopes: []string{"read:x"}})
		proto.SetExtension(service.Options, authzv1.E_Service, c.rule)
		served := &descriptorpb.FileDescriptorProto{
			Name: proto.String("served.proto"), Package: proto.String("served"), Dependency: []string{ours.GetName(), "gone.proto"},
			Service: []*descriptorpb.ServiceDescriptorProto{service},
			MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("M"), Field: []*descriptorpb.FieldDescriptorProto{
				{Name: proto.String("gone"), Number: proto.Int32(1), Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: proto.String(".gone.M"), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
				{Name: proto.String("kind"), Number: proto.Int32(2), Type: descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum(), TypeName: proto.String(".gone.E"), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
				{Name: proto.String("organization_id"), Number: proto.Int32(3), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()},
			}}},
		}
		_, err := policy.Compile(policy.Files{build(t, "unlinked", []*descriptorpb.FileDescriptorProto{ours, served})["served.proto"]})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// WithPublic does not make an annotated service public, whatever descriptor is given before: of a file
// that was built without the service, or with another copy of the service.
func testOpenedBehindImport(t *testing.T) {
	t.Parallel()
	annotated := fileWith(t, option(encode(t, &authzv1.MethodRule{Authenticated: true, Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: "https://api.example.com"})), nil)
	importing := func(name string, imported ...*descriptorpb.FileDescriptorProto) protoreflect.FileDescriptor {
		file := &descriptorpb.FileDescriptorProto{Name: &name, Dependency: []string{annotated.Path()}}
		return build(t, "unlinked", append(imported, file))[name]
	}
	complete := protodesc.ToFileDescriptorProto(annotated)
	copied := proto.CloneOf(complete)
	copied.Service[0].Method[0].Options = nil
	forOptions, err := protodesc.FileOptions{AllowUnresolvable: true}.New(&descriptorpb.FileDescriptorProto{
		Name: proto.String("options.proto"), Syntax: proto.String("editions"), Edition: descriptorpb.Edition_EDITION_2024.Enum(),
		OptionDependency: []string{annotated.Path()},
	}, registryOf(t, annotated))
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]policy.Files{
		"imported for options":           {forOptions},
		"placeholder":                    {importing("first.proto"), annotated},
		"another copy":                   {importing("first.proto", copied), annotated},
		"placeholder before the import":  {importing("first.proto"), importing("second.proto", complete)},
		"placeholder behind the import":  {importing("second.proto", complete), importing("first.proto")},
		"another copy behind its import": {annotated, importing("first.proto", copied)},
	} {
		const want = "WithPublic: service wire.v1.Service carries annotations of its own, which would be ignored: do not name the service here, or remove the annotations (OPTION)"
		if _, err := policy.Compile(files, policy.WithPublic("wire.v1.Service")); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// WithPublic does not make an annotated service public, whatever other files are given: a file of the
// same path, a declaration of the same name, or another copy of the service.
func testCopies(t *testing.T) {
	t.Parallel()
	const rule = `service Admin { rpc Wipe(M) returns (M) { option (protoauthz.v1.method).public = true; } } `
	const bare = `service Admin { rpc Wipe(M) returns (M); } `
	file := func(path, text string) protoreflect.FileDescriptor {
		return compileSources(t, map[string]string{path: `syntax = "proto3"; import public "protoauthz/v1/authz.proto"; ` + text}, path)[0]
	}
	// Without imports, which Compile finds by their path.
	apart := func(file protoreflect.FileDescriptor) protoreflect.FileDescriptor {
		again := protodesc.ToFileDescriptorProto(file)
		if again.GetName() == "apart.proto" {
			again.Dependency = []string{"same.proto"}
		}
		again, unlinked := proto.CloneOf(again), new(descriptorpb.FileDescriptorProto)
		if err := (proto.UnmarshalOptions{Resolver: new(protoregistry.Types)}).Unmarshal(encode(t, again), unlinked); err != nil {
			t.Fatal(err)
		}
		return build(t, "unlinked", []*descriptorpb.FileDescriptorProto{unlinked})[again.GetName()]
	}
	importing := func(imported protoreflect.FileDescriptor) protoreflect.FileDescriptor {
		descriptor, err := protodesc.FileOptions{AllowUnresolvable: true}.New(&descriptorpb.FileDescriptorProto{
			Name: proto.String(imported.Path() + ".by.proto"), Dependency: []string{imported.Path()},
		}, registryOf(t, imported))
		if err != nil {
			t.Fatal(err)
		}
		return descriptor
	}
	annotated := file("same.proto", `package b.v1; message M {} `+rule)
	for name, files := range map[string]policy.Files{
		"another file of the path":             {file("same.proto", `package a.v1;`), annotated},
		"another file of the path behind it":   {annotated, file("same.proto", `package a.v1;`)},
		"another file of the path is imported": {importing(file("same.proto", `package a.v1;`)), annotated},
		"both are imported":                    {importing(file("same.proto", `package a.v1;`)), importing(annotated)},
		"a message declared again":             {file("other.proto", `package b.v1; message M {}`), annotated},
		"a message declared again, imported":   {file("other.proto", `package b.v1; message M {}`), importing(annotated)},
		"the service as a message":             {file("other.proto", `package b.v1; message Admin {}`), annotated},
		"the service without annotations":      {file("other.proto", `package b.v1; message M {} `+bare), importing(annotated)},
		"annotations of one of two paths": {
			compileSources(t, map[string]string{"same.proto": `syntax = "proto3"; package a.v1;`}, "same.proto")[0], file("same.proto", `package c.v1;`),
			apart(file("apart.proto", `package b.v1; message M {} `+rule)),
		},
	} {
		const want = "WithPublic: service b.v1.Admin carries annotations of its own, which would be ignored: do not name the service here, or remove the annotations (OPTION)"
		if table, err := policy.Compile(files, policy.WithPublic("b.v1.Admin")); err == nil || err.Error() != want {
			t.Errorf("%s: got %v and\n%v, want %s", name, err, table, want)
		}
	}
	// Two services of the same path and name, in two packages, are sound.
	table, err := policy.Compile(policy.Files{file("same.proto", `package a.v1; message M {} `+rule), file("same.proto", `package b.v1; message M {} `+bare)},
		policy.WithPublic("b.v1.Admin"))
	if err != nil || table.String() != "/a.v1.Admin/Wipe  public\n/b.v1.Admin/Wipe  public\n" {
		t.Errorf("got %v and\n%v", err, table)
	}
}

// An import that a descriptor holds is that file, and not another given file of the same path.
func testHeldImport(t *testing.T) {
	t.Parallel()
	files := compileSources(t, map[string]string{
		"same.proto": `syntax = "proto2"; package foreign; import "google/protobuf/descriptor.proto";
			message Internal { optional bool skip_audit = 1; }
			extend google.protobuf.MethodOptions { optional Internal internal = 404209324; }`,
		"served.proto": `syntax = "proto3"; package served; import "same.proto"; message M {}
			service Service { rpc Call(M) returns (M) { option (foreign.internal).skip_audit = true; } }`,
	}, "served.proto")
	ours := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
	ours.Name = proto.String("same.proto")
	other, err := protodesc.NewFile(ours, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	const want = "served.Service.Call: no rule: add option (protoauthz.v1.method) (RULE_MISSING)"
	if _, err := policy.Compile(append(policy.Files(files), other)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A linked file that stands in for an import is a reason for a missing rule only if it declares our options.
func testLinkedImport(t *testing.T) {
	t.Parallel()
	described := protodesc.ToFileDescriptorProto(fileWith(t, nil, nil))
	described.Dependency = []string{structpb.File_google_protobuf_struct_proto.Path()}
	file, err := protodesc.FileOptions{AllowUnresolvable: true}.New(described, new(protoregistry.Files))
	if err != nil {
		t.Fatal(err)
	}
	const want = "wire.v1.Service.Call: no rule: add option (protoauthz.v1.method) (RULE_MISSING)"
	if _, err := policy.Compile(policy.Files{file}); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// No rule counts if another rule is given for the same procedure.
func testGivenTwice(t *testing.T) {
	t.Parallel()
	method := func(rule string) string {
		return `rpc Wipe(M) returns (M) { option (protoauthz.v1.method) = {` + rule + `}; } `
	}
	file := func(path, methods string) protoreflect.FileDescriptor {
		return compileSources(t, map[string]string{path: `syntax = "proto3"; package b.v1; import "protoauthz/v1/authz.proto"; message M {}
service Admin { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"}; ` + methods + `}`}, path)[0]
	}
	scoped := file("same.proto", method(`scopes: "wipe"`))
	twice := protodesc.ToFileDescriptorProto(scoped)
	again := proto.CloneOf(twice.GetService()[0].GetMethod()[0])
	proto.SetExtension(again.Options, authzv1.E_Method, &authzv1.MethodRule{Public: true})
	twice.Service[0].Method = append(twice.Service[0].Method, again)
	ours := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
	const service, ofMethod = "Compile: service b.v1.Admin is given twice (OPTION)", "Compile: method b.v1.Admin.Wipe is given twice (OPTION)"
	for name, test := range map[string]struct {
		files policy.Files
		want  string
	}{
		"the file itself":            {policy.Files{scoped, scoped}, service},
		"a file of the path":         {policy.Files{file("same.proto", method("public: true")), scoped}, service},
		"a file of another path":     {policy.Files{scoped, file("other.proto", method("public: true"))}, service},
		"methods of a file together": {policy.Files{build(t, "linked", []*descriptorpb.FileDescriptorProto{ours, twice})["same.proto"]}, ofMethod},
	} {
		for _, options := range [][]policy.Option{nil, {policy.WithPublic("b.v1.Admin")}} {
			if _, err := policy.Compile(test.files, options...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want %s", name, err, test.want)
			}
		}
	}
}

func registryOf(t *testing.T, file protoreflect.FileDescriptor) *protoregistry.Files {
	t.Helper()
	files := new(protoregistry.Files)
	if err := files.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	return files
}
