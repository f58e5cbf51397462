package protos

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

// A file is the descriptor of a file, to be built.
type file = descriptorpb.FileDescriptorProto

// A DeclarationCase is a set of files that declare options or use them. A file comes behind its imports, apart from
// the cases "given beside". One file has a service with the method Call.
type DeclarationCase struct {
	Name  string
	Files []*file
	// Fault is the kind of the only fault. Without a fault, Call is public.
	Fault string
	// Says are parts of the fault's text.
	Says []string
	// Opens is true if the service has no annotations, so that policy.WithPublic can name it.
	Opens bool
}

// Editions are the editions of the cases' files.
func Editions() []descriptorpb.Edition {
	return []descriptorpb.Edition{
		descriptorpb.Edition_EDITION_PROTO2, descriptorpb.Edition_EDITION_PROTO3, descriptorpb.Edition_EDITION_2023, descriptorpb.Edition_EDITION_2024,
	}
}

// DeclarationCases returns the cases, with their files in an edition. The project's own file keeps its edition.
func DeclarationCases(edition descriptorpb.Edition) []DeclarationCase {
	const none = protowire.Number(0)
	const missing, unreadable = "RULE_MISSING", "RULE_UNREADABLE"
	const again, image, number = "vendor it again", "give the image with its imports", "another number"
	const copied, generated = "the file was compiled with an old copy", "the code was generated with an old copy"
	own := func() *file { // declares the options that it uses
		f := ours("own.proto")
		f.Service, f.MessageType = serving(optionNumber).GetService(), append(f.GetMessageType(), serving(0).GetMessageType()...)
		f.Service[0].Method[0].InputType, f.Service[0].Method[0].OutputType = proto.String(".protoauthz.v1.M"), proto.String(".protoauthz.v1.M")
		return f
	}()
	rename := func(f *file) { // of a message
		f.MessageType[0].Field[0].Name, f.MessageType[0].Field[0].JsonName = proto.String("skip_audit"), nil
	}
	cases := []DeclarationCase{
		{Name: "ours", Files: []*file{ours("a.proto"), serving(optionNumber, "a.proto")}},
		{Name: "ours in the file itself", Files: []*file{own}},
		{Name: "ours for options only", Files: []*file{ours("a.proto"), serving(optionNumber, "option a.proto")}},
		{Name: "ours by a public import", Files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), serving(optionNumber, "b.proto")}},
		{Name: "ours by two public imports", Files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), importing("c.proto", "c", "public b.proto"), serving(optionNumber, "public c.proto")}},
		{Name: "ours by a public import for options only", Files: []*file{ours("a.proto"), importing("b.proto", "b", "public a.proto"), serving(optionNumber, "option b.proto")}},
		{Name: "ours linked", Files: []*file{serving(optionNumber, annotations)}},
		{Name: "ours linked, for options only", Files: []*file{serving(optionNumber, "option "+annotations)}},
		{Name: "ours given beside", Files: []*file{serving(optionNumber, "option a.proto"), ours("a.proto")}},
		{Name: "ours linked, no rule", Files: []*file{serving(none, annotations)}, Fault: missing, Says: []string{copied}, Opens: true},
		{Name: "ours linked, before another import, no rule", Files: []*file{ours("a.proto"), serving(none, annotations, "a.proto")}, Fault: missing, Says: []string{copied}, Opens: true},
		{Name: "ours beside a missing file", Files: []*file{ours("a.proto"), serving(optionNumber, "a.proto", "option gone.proto")}},
		{Name: "no rule", Files: []*file{ours("a.proto"), serving(none, "a.proto")}, Fault: missing, Opens: true},

		{Name: "foreign", Files: []*file{foreign("f.proto", optionNumber), serving(optionNumber, "f.proto")}, Fault: missing, Opens: true},
		{Name: "foreign in a message, beside ours", Files: []*file{ours("a.proto"), nested(foreign("f.proto", optionNumber)), serving(optionNumber, "a.proto", "f.proto")}, Fault: unreadable, Says: []string{number, "f.proto"}},
		{Name: "foreign for options only", Files: []*file{foreign("f.proto", optionNumber), serving(optionNumber, "option f.proto")}, Fault: missing, Opens: true},
		{Name: "foreign, old number", Files: []*file{foreign("f.proto", oldNumber), serving(oldNumber, "f.proto")}, Fault: missing, Opens: true},
		{Name: "foreign, old number, for options only", Files: []*file{foreign("f.proto", oldNumber), serving(oldNumber, "option f.proto")}, Fault: missing, Opens: true},
		{Name: "foreign, old number, beside ours", Files: []*file{ours("a.proto"), foreign("f.proto", oldNumber), serving(oldNumber, "a.proto", "f.proto")}, Fault: missing, Opens: true},
		{Name: "nothing declares it", Files: []*file{serving(optionNumber)}, Fault: missing, Opens: true},
		{Name: "what an import imports", Files: []*file{ours("a.proto"), importing("b.proto", "b", "a.proto"), serving(optionNumber, "b.proto")}, Fault: missing, Opens: true},
		{Name: "what a public import imports", Files: []*file{ours("a.proto"), importing("b.proto", "b", "a.proto"), importing("c.proto", "c", "public b.proto"), serving(optionNumber, "c.proto")}, Fault: missing, Opens: true},
		{Name: "what an import imports for its options", Files: []*file{ours("a.proto"), importing("b.proto", "b", "option a.proto"), serving(optionNumber, "b.proto")}, Fault: missing, Opens: true},
		{Name: "foreign beside ours", Files: []*file{ours("a.proto"), foreign("f.proto", optionNumber), serving(optionNumber, "a.proto", "f.proto")}, Fault: unreadable, Says: []string{number, "f.proto"}},
		{Name: "foreign beside ours, no option", Files: []*file{ours("a.proto"), foreign("f.proto", optionNumber), serving(none, "a.proto", "f.proto")}, Fault: missing, Opens: true},

		{Name: "old copy", Files: []*file{old("a.proto"), serving(oldNumber, "a.proto")}, Fault: unreadable, Says: []string{again, `"a.proto"`}},
		{Name: "old number, beside ours", Files: []*file{ours("a.proto"), serving(oldNumber, "a.proto")}, Fault: missing, Says: []string{generated}, Opens: true},
		{Name: "old copy, new number", Files: []*file{old("a.proto"), serving(optionNumber, "a.proto")}, Fault: unreadable, Says: []string{again, `"a.proto"`}},
		{Name: "old copy, no option", Files: []*file{old("a.proto"), serving(none, "a.proto")}, Fault: unreadable, Says: []string{again, `"a.proto"`}},
		{Name: "old copy for options only", Files: []*file{old("a.proto"), serving(oldNumber, "option a.proto")}, Fault: unreadable, Says: []string{again, `"a.proto"`}},
		{Name: "old copy by a public import", Files: []*file{old("a.proto"), importing("b.proto", "b", "public a.proto"), serving(oldNumber, "b.proto")}, Fault: unreadable, Says: []string{again, `"a.proto"`}},
		{Name: "old copy given beside", Files: []*file{serving(oldNumber, "option "+annotations), old(annotations)}, Fault: unreadable, Says: []string{again, annotations}},
		{Name: "old copy that is missing", Files: []*file{serving(oldNumber, "option "+annotations)}, Fault: missing, Opens: true, Says: []string{again, image, annotations}},

		{Name: "code of an old copy", Files: []*file{serving(oldNumber, annotations)}, Fault: missing, Opens: true, Says: []string{again, annotations}},

		{Name: "our name, another message", Files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, f *file) {
			other := proto.CloneOf(f.GetMessageType()[0])
			other.Name = proto.String("Other")
			f.MessageType, method.TypeName = append(f.MessageType, other), proto.String(".protoauthz.v1.Other")
		}), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again, `"posing.proto"`}},
		{Name: "our name, a number", Files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Type, method.TypeName = descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum(), nil
		}), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again}},
		{Name: "our name, a list", Files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again}},
		{Name: "our name, of another message", Files: []*file{posing(func(method *descriptorpb.FieldDescriptorProto, _ *file) {
			method.Extendee = proto.String(".google.protobuf.FieldOptions")
		}), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again}},
		{Name: "our name, another field", Files: []*file{posing(func(_ *descriptorpb.FieldDescriptorProto, f *file) { rename(f) }), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again}},

		differing("MethodRule", "subject", "a string", func(field *descriptorpb.FieldDescriptorProto) {
			field.Type, field.TypeName = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), nil
		}),
		differing("MethodRule", "client", "another message", func(field *descriptorpb.FieldDescriptorProto) {
			field.TypeName = proto.String(".protoauthz.v1.Organization")
		}),
		differing("MethodRule", "alternatives", "one", func(field *descriptorpb.FieldDescriptorProto) {
			field.Label = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
		}),
		differing("MethodRule", "alternatives", "another name", func(field *descriptorpb.FieldDescriptorProto) { field.Name = proto.String("denied") }),
		differing("Alternative", "scopes", "another name", func(field *descriptorpb.FieldDescriptorProto) { field.Name = proto.String("hints") }),
		differing("Identifier", "pattern", "another name", func(field *descriptorpb.FieldDescriptorProto) { field.Name = proto.String("comment") }),
		differing("Organization", "token", "another name", func(field *descriptorpb.FieldDescriptorProto) { field.Name = proto.String("cookie") }),
		{Name: "our name, another value of Caller", Files: []*file{posing(func(_ *descriptorpb.FieldDescriptorProto, f *file) {
			for _, enum := range f.GetEnumType() {
				if values := enum.GetValue(); enum.GetName() == "Caller" {
					values[1].Number, values[2].Number = values[2].Number, values[1].Number
				}
			}
		}), serving(optionNumber, "posing.proto")}, Fault: unreadable, Says: []string{again, "with the value CALLER_CLIENT in place of CALLER_USER"}},

		{Name: "missing", Files: []*file{serving(optionNumber, "gone.proto")}, Fault: unreadable, Says: []string{image, `"gone.proto"`}},
		{Name: "missing for options only", Files: []*file{serving(optionNumber, "option gone.proto")}, Fault: unreadable, Says: []string{image, `"gone.proto"`}},
		{Name: "missing by a public import", Files: []*file{importing("b.proto", "b", "public gone.proto"), serving(optionNumber, "b.proto")}, Fault: unreadable, Says: []string{image, `"gone.proto"`}},
		{Name: "missing by two imports", Files: []*file{importing("b.proto", "b", "public gone.proto"), serving(optionNumber, "b.proto", "gone.proto")}, Fault: unreadable, Says: []string{image, `imports ["gone.proto"],`}},
		{Name: "missing, not readable as ours", Files: []*file{garbled("option gone.proto")}, Fault: unreadable, Says: []string{image, `"gone.proto"`}},
		{Name: "foreign, not readable as ours", Files: []*file{foreign("f.proto", optionNumber), garbled("option f.proto")}, Fault: missing, Opens: true},
		{Name: "missing, another option", Files: []*file{serving(oldNumber, "gone.proto")}, Fault: missing, Opens: true},
		{Name: "missing, no option", Files: []*file{serving(none, "option gone.proto")}, Fault: missing, Opens: true},
	}
	for _, c := range cases {
		for i, f := range c.Files {
			c.Files[i] = inEdition(f, edition)
		}
	}
	return cases
}

// optionNumber is the number of both options.
const optionNumber protowire.Number = 404209324

// annotations is the path of the project's file, which is linked.
const annotations = "protoauthz/v1/authz.proto"

// oldNumber is an earlier number of the options, which old copies of the file have.
const oldNumber = 91731

// ours is the project's file, under a path.
func ours(path string) *file {
	f := protodesc.ToFileDescriptorProto(authzv1.File_protoauthz_v1_authz_proto)
	f.Name = &path
	return f
}

// old returns an old copy of the annotations, whose options have the old number.
func old(path string) *file {
	f := ours(path)
	for _, extension := range f.GetExtension() {
		extension.Number = proto.Int32(oldNumber)
	}
	return f
}

// foreign declares two options of another package, whose content reads like the content of ours.
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

// nested moves the options of a file into its message.
func nested(f *file) *file {
	f.MessageType[0].Extension, f.Extension = f.GetExtension(), nil
	return f
}

// posing is the project's file with an edited declaration of the same name.
func posing(edit func(method *descriptorpb.FieldDescriptorProto, f *file)) *file {
	f := ours("posing.proto")
	edit(f.GetExtension()[0], f)
	return f
}

// differing is a case of the project's file with an edited field of a message.
func differing(message, field, what string, edit func(*descriptorpb.FieldDescriptorProto)) DeclarationCase {
	file := posing(func(_ *descriptorpb.FieldDescriptorProto, f *file) {
		for _, m := range f.GetMessageType() {
			for _, d := range m.GetField() {
				if m.GetName() == message && d.GetName() == field {
					d.JsonName = nil
					edit(d)
				}
			}
		}
	})
	return DeclarationCase{
		Name:  "our name, " + what + " as " + message + "." + field,
		Files: []*descriptorpb.FileDescriptorProto{file, serving(optionNumber, "posing.proto")},
		Fault: "RULE_UNREADABLE", Says: []string{"vendor it again", "protoauthz.v1." + message},
	}
}

// importing is a file with imports. An import may have "public " or "option " before it.
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

// serving is a file with the method /served.Service/Call. The method and the service have an option of a number whose
// content is "public: true" in ours, or no option if the number is 0.
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

// garbled is serving with options that are valid for another message, and not for ours: linked descriptors panic on
// them.
func garbled(imports ...string) *file {
	f := serving(optionNumber, imports...)
	content := protowire.AppendBytes(protowire.AppendTag(nil, optionNumber, protowire.BytesType), []byte{3<<3 | 2, 1, 0xff})
	f.Service[0].Options.ProtoReflect().SetUnknown(content)
	f.Service[0].Method[0].Options.ProtoReflect().SetUnknown(content)
	return f
}

// inEdition returns a copy of a file in an edition, unless the file has one.
func inEdition(f *file, edition descriptorpb.Edition) *file {
	f = proto.CloneOf(f)
	switch {
	case f.Syntax != nil || edition == descriptorpb.Edition_EDITION_PROTO2:
	case edition == descriptorpb.Edition_EDITION_PROTO3:
		f.Syntax = proto.String("proto3")
	default:
		f.Syntax, f.Edition = proto.String("editions"), edition.Enum()
	}
	return f
}
