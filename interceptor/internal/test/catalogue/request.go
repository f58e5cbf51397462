package catalogue

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A Request is a message of the methods of the services that are [Rich]. It has a field of each kind that a path of a
// rule may lead through. The zero Request is an empty message, so that a framework can make one.
type Request struct{ made *dynamicpb.Message }

// ProtoReflect implements [proto.Message].
func (r *Request) ProtoReflect() protoreflect.Message {
	if r.made == nil {
		r.made = dynamicpb.NewMessage(requests().FindMessage())
	}
	return r.made
}

// Proto returns the message as a message of the methods of a service. Nobody may change it.
func (m Message) Proto(service string) proto.Message {
	if !Rich(service) {
		made := &samplev1.SyncDocumentsRequest{OrganizationId: m.Organization}
		if m.Document != nil {
			made.Document = &samplev1.Document{Name: *m.Document}
		}
		return made
	}
	if known, ok := parsed.Load(m); ok {
		return tokens.As[*Request](known)
	}
	made := new(Request)
	if m.JSON != "" {
		if err := protojson.Unmarshal([]byte(m.JSON), made); err != nil {
			panic(fmt.Sprintf("%v: %s", err, m.JSON)) // a mistake in the table
		}
	}
	into := made.ProtoReflect()
	for name, value := range map[protoreflect.Name]string{"organization_id": m.Organization, "note": m.String()} {
		if value != "" {
			into.Set(into.Descriptor().Fields().ByName(name), protoreflect.ValueOfString(value))
		}
	}
	parsed.Store(m, made)
	return made
}

// parsed are the requests that Proto has made, by message: a list of 10,000 elements takes long to parse.
var parsed sync.Map

// NewRequest returns an empty message of the methods of a service.
func NewRequest(service string) proto.Message {
	if Rich(service) {
		return new(Request)
	}
	return new(samplev1.SyncDocumentsRequest)
}

// Said returns the text of a message that Proto has made: see [Message.String].
func Said(message proto.Message) string {
	if rich, ok := message.(*Request); ok {
		m := rich.ProtoReflect()
		return m.Get(m.Descriptor().Fields().ByName("note")).String()
	}
	plain, _ := message.(*samplev1.SyncDocumentsRequest)
	return plain.GetOrganizationId() + plain.GetDocument().GetName()
}

// body is a message with fields of a [Request].
func body(format string, values ...any) Message { return Message{JSON: fmt.Sprintf(format, values...)} }

func bodies(format string, values ...any) []Message { return []Message{body(format, values...)} }

// quoted is a text in JSON.
func quoted(text string) string { return string(tokens.Must(json.Marshal(text))) }

// note stands for the content of a message.
func note(json string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(json))) }

// requestFiles are the files of Request. They resolve their imports, and the imports of the services' file.
type requestFiles struct{ own *protoregistry.Files }

// FindFileByPath implements [protodesc.Resolver].
func (f requestFiles) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if file, err := f.own.FindFileByPath(path); err == nil {
		return file, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName implements [protodesc.Resolver].
func (f requestFiles) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if descriptor, err := f.own.FindDescriptorByName(name); err == nil {
		return descriptor, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

// FindMessage returns the type of Request.
func (f requestFiles) FindMessage() protoreflect.MessageDescriptor {
	found, err := f.own.FindDescriptorByName(pkg + ".Request")
	message, ok := found.(protoreflect.MessageDescriptor)
	if err != nil || !ok {
		panic(err) // a mistake below
	}
	return message
}

// requests builds the files of Request: a file of an edition, which imports proto2 and proto3.
var requests = sync.OnceValue(func() requestFiles {
	files := requestFiles{new(protoregistry.Files)}
	for _, file := range []*descriptorpb.FileDescriptorProto{old, three, edition} {
		built, err := protodesc.NewFile(file, files)
		if err == nil {
			err = files.own.RegisterFile(built)
		}
		if err != nil {
			panic(err) // a mistake below
		}
	}
	return files
})

type field = descriptorpb.FieldDescriptorProto

const wrapper = "google.protobuf.StringValue"

// old is a file of proto2, with a default and two groups.
var old = &descriptorpb.FileDescriptorProto{
	Name: proto.String("test/v1/old.proto"), Package: proto.String(pkg),
	MessageType: []*descriptorpb.DescriptorProto{{
		Name: proto.String("Old"),
		Field: []*field{
			{Name: proto.String("user_id"), Number: proto.Int32(1), Label: single, Type: text, DefaultValue: proto.String(userID)},
			{Name: proto.String("result"), Number: proto.Int32(2), Label: single, Type: group, TypeName: proto.String(".test.v1.Old.Result")},
			{Name: proto.String("entry"), Number: proto.Int32(3), Label: many, Type: group, TypeName: proto.String(".test.v1.Old.Entry")},
		},
		NestedType: []*descriptorpb.DescriptorProto{person("Result"), person("Entry")},
	}},
}

// three is a file of proto3, with presence.
var three = &descriptorpb.FileDescriptorProto{
	Name: proto.String("test/v1/three.proto"), Package: proto.String(pkg), Syntax: proto.String("proto3"),
	MessageType: []*descriptorpb.DescriptorProto{{
		Name: proto.String("Three"),
		Field: []*field{
			{Name: proto.String("maybe"), Number: proto.Int32(1), Label: single, Type: text, Proto3Optional: proto.Bool(true), OneofIndex: proto.Int32(0)},
			{Name: proto.String("plain"), Number: proto.Int32(2), Label: single, Type: text},
		},
		OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("_maybe")}},
	}},
}

// edition is a file of an edition, whose fields have presence unless they say that they have none.
var edition = &descriptorpb.FileDescriptorProto{
	Name: proto.String("test/v1/request.proto"), Package: proto.String(pkg),
	Syntax: proto.String("editions"), Edition: descriptorpb.Edition_EDITION_2023.Enum(),
	Dependency: []string{"test/v1/old.proto", "test/v1/three.proto", wrapperspb.File_google_protobuf_wrappers_proto.Path()},
	MessageType: []*descriptorpb.DescriptorProto{{
		Name: proto.String("Request"),
		Field: []*field{
			implicit("note", 1), implicit("organization_id", 2), implicit("user_id", 3), implicit("client_id", 4), implicit("name", 5),
			{Name: proto.String("explicit"), Number: proto.Int32(6), Label: single, Type: text},
			{Name: proto.String("user_ids"), Number: proto.Int32(7), Label: many, Type: text},
			message("owner", 8, "Person"),
			repeated(message("items", 9, "Person")),
			{Name: proto.String("choice"), Number: proto.Int32(10), Label: single, Type: text, OneofIndex: proto.Int32(0)},
			oneof(message("chosen", 11, "Person")),
			oneof(message("other", 12, "Person")),
			delimited(message("delimited", 13, "Person")),
			message("wrapped", 14, wrapper), repeated(message("wraps", 15, wrapper)),
			message("old", 16, "Old"), message("three", 17, "Three"), message("inner", 18, "Request"),
		},
		OneofDecl: []*descriptorpb.OneofDescriptorProto{{Name: proto.String("by")}},
	}, person("Person")},
}

var (
	single = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()
	many   = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	text   = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	group  = descriptorpb.FieldDescriptorProto_TYPE_GROUP.Enum()
)

// person is a message with a user and users.
func person(name string) *descriptorpb.DescriptorProto {
	return &descriptorpb.DescriptorProto{Name: &name, Field: []*field{
		{Name: proto.String("user_id"), Number: proto.Int32(1), Label: single, Type: text},
		{Name: proto.String("user_ids"), Number: proto.Int32(2), Label: many, Type: text},
	}}
}

func implicit(name string, number int32) *field {
	return &field{Name: &name, Number: &number, Label: single, Type: text, Options: &descriptorpb.FieldOptions{
		Features: &descriptorpb.FeatureSet{FieldPresence: descriptorpb.FeatureSet_IMPLICIT.Enum()},
	}}
}

func message(name string, number int32, of string) *field {
	if of != wrapper {
		of = pkg + "." + of
	}
	return &field{Name: &name, Number: &number, Label: single, Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: proto.String("." + of)}
}

func repeated(f *field) *field {
	f.Label = many
	return f
}

func oneof(f *field) *field {
	f.OneofIndex = proto.Int32(0)
	return f
}

func delimited(f *field) *field {
	f.Options = &descriptorpb.FieldOptions{Features: &descriptorpb.FeatureSet{MessageEncoding: descriptorpb.FeatureSet_DELIMITED.Enum()}}
	return f
}
