package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/runtime/protoimpl"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// oldNumber is one that the options had before, in copies that somebody may have kept.
const oldNumber = 91731

// A file is one to build descriptors from.
type file = descriptorpb.FileDescriptorProto

// ours is the file of the annotations, under a path.
func ours(path string) *file {
	f := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
	f.Name = &path
	return f
}

// old is a copy of the annotations whose options have another number.
func old(path string) *file {
	f := ours(path)
	for _, extension := range f.GetExtension() {
		extension.Number = proto.Int32(oldNumber)
	}
	return f
}

// foreign declares two options of another package, whose content could be taken for ours.
func foreign(path string, number protowire.Number) *file {
	f := importing(path, "foreign", "google/protobuf/descriptor.proto")
	f.MessageType = []*descriptorpb.DescriptorProto{{Name: proto.String("Internal"), Field: []*descriptorpb.FieldDescriptorProto{{
		Name: proto.String("skip_audit"), Number: proto.Int32(1),
		Type: descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}}}}
	for name, extendee := range map[string]string{"internal": "MethodOptions", "internals": "ServiceOptions"} {
		f.Extension = append(f.Extension, &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: proto.Int32(int32(number)), Extendee: proto.String(".google.protobuf." + extendee), TypeName: proto.String(".foreign.Internal"),
			Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	return f
}

// posing edits our declaration, which keeps its name.
func posing(edit func(method *descriptorpb.FieldDescriptorProto, f *file)) *file {
	f := ours("posing.proto")
	edit(f.GetExtension()[0], f)
	return f
}

// importing is a file with imports, each of which may have "public " or "option " before it.
func importing(path, pkg string, imports ...string) *file {
	f := &file{Name: &path, Package: &pkg}
	for _, imported := range imports {
		if path, ok := strings.CutPrefix(imported, "option "); ok {
			f.OptionDependency = append(f.OptionDependency, path)
			continue
		}
		path, public := strings.CutPrefix(imported, "public ")
		if public {
			f.PublicDependency = append(f.PublicDependency, int32(len(f.Dependency))) //nolint:gosec // a few
		}
		f.Dependency = append(f.Dependency, path)
	}
	return f
}

// serving has a service with a method, /served.Service/Call. Their options have a number, or are
// none; "public: true" of ours is what the method's says.
func serving(number protowire.Number, imports ...string) *file {
	f := importing("served.proto", "served", imports...)
	f.MessageType = []*descriptorpb.DescriptorProto{{Name: proto.String("M")}}
	method := &descriptorpb.MethodDescriptorProto{Name: proto.String("Call"), InputType: proto.String(".served.M"), OutputType: proto.String(".served.M")}
	f.Service = []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Service"), Method: []*descriptorpb.MethodDescriptorProto{method}}}
	if number != 0 {
		method.Options, f.Service[0].Options = new(descriptorpb.MethodOptions), new(descriptorpb.ServiceOptions)
		content := protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte{1 << 3, 1})
		method.Options.ProtoReflect().SetUnknown(content)
		f.Service[0].Options.ProtoReflect().SetUnknown(content)
	}
	return f
}

// garbled is serving, with options that another package's messages can hold, and ours cannot: linked
// descriptors panic on them.
func garbled(imports ...string) *file {
	f := serving(optionNumber, imports...)
	content := protowire.AppendBytes(protowire.AppendTag(nil, optionNumber, protowire.BytesType), []byte{3<<3 | 2, 1, 0xff})
	f.Service[0].Options.ProtoReflect().SetUnknown(content)
	f.Service[0].Method[0].Options.ProtoReflect().SetUnknown(content)
	return f
}

// builders build descriptors, as they reach programs, with what is registered before.
func builders() map[string]func(testing.TB, *file, *protoregistry.Files) protoreflect.FileDescriptor {
	dynamic := func(t testing.TB, f *file, known *protoregistry.Files) protoreflect.FileDescriptor {
		t.Helper()
		descriptor, err := protodesc.FileOptions{AllowUnresolvable: true}.New(f, known)
		if err != nil {
			t.Fatal(err)
		}
		return descriptor
	}
	return map[string]func(testing.TB, *file, *protoregistry.Files) protoreflect.FileDescriptor{
		"unlinked": dynamic,
		"dynamic": func(t testing.TB, f *file, known *protoregistry.Files) protoreflect.FileDescriptor {
			t.Helper()
			again := new(file)
			if err := (proto.UnmarshalOptions{Resolver: dynamicpb.NewTypes(known)}).Unmarshal(encode(t, f), again); err != nil {
				t.Fatal(err)
			}
			return dynamic(t, again, known)
		},
		// As generated code does, which has our type for the number.
		"linked": func(t testing.TB, f *file, known *protoregistry.Files) protoreflect.FileDescriptor {
			t.Helper()
			return protoimpl.DescBuilder{RawDescriptor: encode(t, f), FileRegistry: known}.Build().File
		},
	}
}

// build builds files, of which each knows those before it.
func build(t testing.TB, form string, files []*file) map[string]protoreflect.FileDescriptor {
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

// declarationCases are files, with the faults of those who name them all.
func declarationCases() []declarationCase {
	const none = protowire.Number(0)
	missing, unreadable := []policy.FaultKind{policy.FaultRuleMissing}, []policy.FaultKind{policy.FaultRuleUnreadable}
	const again, image, number = "vendor it again", "give the image with its imports", "give the latter another number"
	own := func() *file { // declares the options that it uses
		f := ours("own.proto")
		f.Service, f.MessageType = serving(optionNumber).GetService(), append(f.GetMessageType(), serving(0).GetMessageType()...)
		f.Service[0].Method[0].InputType, f.Service[0].Method[0].OutputType = proto.String(".protoauthz.v1.M"), proto.String(".protoauthz.v1.M")
		return f
	}()
	rename := func(f *file) { // of a message
		f.MessageType[0].Field[0].Name, f.MessageType[0].Field[0].JsonName = proto.String("skip_audit"), nil
	}
	return []declarationCase{
		{name: "ours", files: []*file{ours("a.proto"), serving(optionNumber, "a.proto")}},
		{name: "ours in the file itself", files: []*file{own}},
		{name: "ours for options only", files: []*file{ours("a.proto"), serving(optionNumber, "option a.proto")}},
		{name: "ours by a public import", files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), serving(optionNumber, "b.proto")}},
		{name: "ours by two public imports", files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), importing("c.proto", "c", "public b.proto"), serving(optionNumber, "public c.proto")}},
		{name: "ours by a public import for options only", files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), serving(optionNumber, "option b.proto")}},
		{name: "ours linked", files: []*file{serving(optionNumber, annotations)}},
		{name: "ours linked, for options only", files: []*file{serving(optionNumber, "option "+annotations)}},
		{name: "ours given beside", files: []*file{serving(optionNumber, "option a.proto"), ours("a.proto")}},
		{name: "ours beside a missing file", files: []*file{ours("a.proto"), serving(optionNumber, "a.proto", "option gone.proto")}},
		{name: "no rule", files: []*file{ours("a.proto"), serving(none, "a.proto")}, want: missing, opens: true},

		{name: "foreign", files: []*file{foreign("f.proto", optionNumber), serving(optionNumber, "f.proto")}, want: missing, opens: true},
		{name: "foreign for options only", files: []*file{foreign("f.proto", optionNumber), serving(optionNumber, "option f.proto")}, want: missing, opens: true},
		{name: "foreign, old number", files: []*file{foreign("f.proto", oldNumber), serving(oldNumber, "f.proto")}, want: missing, opens: true},
		{name: "foreign, old number, for options only", files: []*file{foreign("f.proto", oldNumber), serving(oldNumber, "option f.proto")}, want: missing, opens: true},
		{name: "foreign, old number, beside ours", files: []*file{ours("a.proto"), foreign("f.proto", oldNumber), serving(oldNumber, "a.proto", "f.proto")}, want: missing, opens: true},
		{name: "nothing declares it", files: []*file{serving(optionNumber)}, want: missing, opens: true},
		{name: "what an import imports", files: []*file{ours("a.proto"), importing("b.proto", "b", "a.proto"), serving(optionNumber, "b.proto")}, want: missing, opens: true},
		{name: "what a public import imports", files: []*file{ours("a.proto"), importing("b.proto", "b", "a.proto"), importing("c.proto", "c", "public b.proto"), serving(optionNumber, "c.proto")}, want: missing, opens: true},
		{name: "what an import imports for its options", files: []*file{ours("a.proto"), importing("b.proto", "b", "option a.proto"), serving(optionNumber, "b.proto")}, want: missing, opens: true},
		{name: "foreign beside ours", files: []*file{ours("a.proto"), foreign("f.proto", optionNumber), serving(optionNumber, "a.proto", "f.proto")}, want: unreadable, says: []string{number, "f.proto"}},
		{name: "foreign beside ours, no option", files: []*file{ours("a.proto"), foreign("f.proto", optionNumber), serving(none, "a.proto", "f.proto")}, want: missing, opens: true},

		{name: "old copy", files: []*file{old("a.proto"), serving(oldNumber, "a.proto")}, want: unreadable, says: []string{again, `"a.proto"`}},
		{name: "old copy, new number", files: []*file{old("a.proto"), serving(optionNumber, "a.proto")}, want: unreadable, says: []string{again, `"a.proto"`}},
		{name: "old copy, no option", files: []*file{old("a.proto"), serving(none, "a.proto")}, want: unreadable, says: []string{again, `"a.proto"`}},
		{name: "old copy for options only", files: []*file{old("a.proto"), serving(oldNumber, "option a.proto")}, want: unreadable, says: []string{again, `"a.proto"`}},
		{name: "old copy by a public import", files: []*file{old("a.proto"), importing("b.proto", "b", "public a.proto"), serving(oldNumber, "b.proto")}, want: unreadable, says: []string{again, `"a.proto"`}},
		{name: "old copy given beside", files: []*file{serving(oldNumber, "option "+annotations), old(annotations)}, want: unreadable, says: []string{again, annotations}},
		{name: "old copy that is missing", files: []*file{serving(oldNumber, "option "+annotations)}, want: missing, opens: true, says: []string{again, image, annotations}},

		{name: "our name, another message", files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, f *file) {
			other := proto.CloneOf(f.GetMessageType()[0])
			other.Name = proto.String("Other")
			f.MessageType, method.TypeName = append(f.MessageType, other), proto.String(".protoauthz.v1.Other")
		}), serving(optionNumber, "posing.proto")}, want: unreadable, says: []string{again, `"posing.proto"`}},
		{name: "our name, a number", files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Type, method.TypeName = descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum(), nil
		}), serving(optionNumber, "posing.proto")}, want: unreadable, says: []string{again}},
		{name: "our name, a list", files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}), serving(optionNumber, "posing.proto")}, want: unreadable, says: []string{again}},
		{name: "our name, of another message", files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Extendee = proto.String(".google.protobuf.FieldOptions")
		}), serving(optionNumber, "posing.proto")}, want: unreadable, says: []string{again}},
		{name: "our name, another field", files: []*file{posing(func(_ *descriptorpb.FieldDescriptorProto, f *file) { rename(f) }), serving(optionNumber, "posing.proto")}, want: unreadable, says: []string{again}},

		{name: "missing", files: []*file{serving(optionNumber, "gone.proto")}, want: unreadable, says: []string{image, `"gone.proto"`}},
		{name: "missing for options only", files: []*file{serving(optionNumber, "option gone.proto")}, want: unreadable, says: []string{image, `"gone.proto"`}},
		{name: "missing by a public import", files: []*file{importing("b.proto", "b", "public gone.proto"), serving(optionNumber, "b.proto")}, want: unreadable, says: []string{image, `"gone.proto"`}},
		{name: "missing, not readable as ours", files: []*file{garbled("option gone.proto")}, want: unreadable, says: []string{image, `"gone.proto"`}},
		{name: "foreign, not readable as ours", files: []*file{foreign("f.proto", optionNumber), garbled("option f.proto")}, want: missing, opens: true},
		{name: "missing, another option", files: []*file{serving(oldNumber, "gone.proto")}, want: missing, opens: true},
		{name: "missing, no option", files: []*file{serving(none, "option gone.proto")}, want: missing, opens: true},
	}
}

type declarationCase struct {
	name  string
	files []*file // all of them are given
	want  []policy.FaultKind
	says  []string // what the fault does
	opens bool     // whether the service can be opened by name
}

func (c declarationCase) check(t *testing.T, form string) {
	t.Helper()
	var files policy.Files
	var service string
	for _, descriptor := range build(t, form, c.files) {
		files = append(files, descriptor)
		if descriptor.Services().Len() > 0 {
			service = string(descriptor.Services().Get(0).FullName())
		}
	}
	table, err := policy.Compile(files)
	var got []policy.FaultKind
	if err != nil {
		for _, fault := range faultsOf(t, err) {
			got = append(got, fault.Kind)
		}
	} else if rule, ok := table.Lookup("/" + service + "/Call"); !ok || !rule.Public {
		t.Errorf("got %v, want a public rule", rule)
	}
	if !slices.Equal(got, c.want) {
		t.Errorf("got %v, want %v", err, c.want)
	}
	for _, says := range c.says {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q in it", err, says)
		}
	}
	if _, err := policy.Compile(files, policy.WithPublic(service)); (err == nil) != c.opens {
		t.Errorf("opened by name: got %v, want it: %t", err, c.opens)
	}
}

// TestOutside holds what was found from outside against what is right.
func TestOutside(t *testing.T) {
	t.Parallel()
	for _, c := range declarationCases() {
		for form := range builders() {
			for _, edition := range []descriptorpb.Edition{descriptorpb.Edition_EDITION_PROTO2, descriptorpb.Edition_EDITION_PROTO3, descriptorpb.Edition_EDITION_2023, descriptorpb.Edition_EDITION_2024} {
				t.Run(strings.Join([]string{"A1", c.name, form, edition.String()}, "/"), func(t *testing.T) {
					t.Parallel()
					c.files = inEdition(c.files, edition)
					c.check(t, form)
				})
			}
		}
	}
	t.Run("A2", testDots)
	t.Run("A10", testLogtoAudience)
}

// A handler may read names as paths.
func testDots(t *testing.T) {
	t.Parallel()
	compile := func(pattern string) (*policy.Table, error) {
		return policy.Compile(policy.Files{fileWith(t, option(encode(t, &authzv1.MethodRule{
			Authenticated: true,
			Model:         authzv1.Model_MODEL_ORGANIZATION,
			Organization:  &authzv1.Organization{Source: &authzv1.Organization_Field{Field: "organization_id"}, Pattern: pattern},
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
		if got := organization.Match(request, c.id); got != c.want {
			t.Errorf("pattern %q, value %q, organization %q: got %t", c.pattern, c.value, c.id, got)
		}
	}
}

// Logto's own audiences are those of tokens with all scopes of an organization.
func testLogtoAudience(t *testing.T) {
	t.Parallel()
	invalid := []policy.FaultKind{policy.FaultAudienceInvalid}
	for audience, good := range map[string]bool{
		"urn:logto:organization:x":          false,
		"urn:logto:organization:":           false,
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

// inEdition copies files into another edition, apart from those that are ours.
func inEdition(files []*file, edition descriptorpb.Edition) []*file {
	var all []*file
	for _, f := range files {
		f = proto.CloneOf(f)
		if f.Syntax == nil {
			switch edition {
			case descriptorpb.Edition_EDITION_PROTO2:
			case descriptorpb.Edition_EDITION_PROTO3:
				f.Syntax = proto.String("proto3")
			default:
				f.Syntax, f.Edition = proto.String("editions"), edition.Enum()
			}
		}
		all = append(all, f)
	}
	return all
}
