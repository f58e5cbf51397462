package policy_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const (
	annotations = "protoauthz/v1/authz.proto"
	global      = `option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`
)

// compileSources compiles .proto sources. They can import the annotations,
// which sources may hold in a version of their own.
func compileSources(t testing.TB, sources map[string]string, names ...string) []protoreflect.FileDescriptor {
	t.Helper()
	files, err := protos.Compile(t.Context(), "../../proto", sources, names...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A form is a way in which descriptors reach a program.
type form struct {
	name    string
	convert func(testing.TB, []protoreflect.FileDescriptor) []protoreflect.FileDescriptor
}

// forms hold the same rules in three kinds of option value.
func forms() []form {
	return []form{
		// As the compiler leaves them: the rule is a dynamic message.
		{"dynamic", func(_ testing.TB, files []protoreflect.FileDescriptor) []protoreflect.FileDescriptor { return files }},
		// Decoded by a program that does not link the annotations: the rule
		// stands among the unknown fields.
		{"unlinked", func(t testing.TB, files []protoreflect.FileDescriptor) []protoreflect.FileDescriptor {
			return decoded(t, files, new(protoregistry.Types))
		}},
		// Decoded by a program that links them: the rule is a generated message.
		{"linked", func(t testing.TB, files []protoreflect.FileDescriptor) []protoreflect.FileDescriptor {
			return decoded(t, files, protoregistry.GlobalTypes)
		}},
	}
}

// decoded sends files over the wire.
func decoded(t testing.TB, files []protoreflect.FileDescriptor, types *protoregistry.Types) []protoreflect.FileDescriptor {
	t.Helper()
	set := protos.Set(files...)
	wire, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	set.Reset()
	if err := (proto.UnmarshalOptions{Resolver: types}).Unmarshal(wire, set); err != nil {
		t.Fatal(err)
	}
	registry, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	result := make([]protoreflect.FileDescriptor, len(files))
	for i, file := range files {
		if result[i], err = registry.FindFileByPath(file.Path()); err != nil {
			t.Fatal(err)
		}
	}
	return result
}

// faultsOf takes a joined error apart. All parts must be faults.
func faultsOf(t testing.TB, err error) []*policy.Fault {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T is not a joined error", err)
	}
	var faults []*policy.Fault
	for _, err := range joined.Unwrap() {
		var fault *policy.Fault
		if !errors.As(err, &fault) {
			t.Fatalf("%T is not a fault: %v", err, err)
		}
		faults = append(faults, fault)
	}
	return faults
}

// TestForms makes sure that each form holds the rule as its name promises.
func TestForms(t *testing.T) {
	t.Parallel()
	source := map[string]string{"a.proto": `
		syntax = "proto3";
		import "protoauthz/v1/authz.proto";
		message Request {}
		service Service {
			rpc Call(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; }
		}`}
	const dynamic, unlinked, linked = "*dynamicpb.Message", "unknown fields", "*authzv1.MethodRule"
	want := map[string]string{"dynamic": dynamic, "unlinked": unlinked, "linked": linked}
	for _, form := range forms() {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			file := form.convert(t, compileSources(t, source, "a.proto"))[0]
			options := file.Services().Get(0).Methods().Get(0).Options().ProtoReflect()
			got := "none"
			if len(options.GetUnknown()) > 0 {
				got = unlinked
			}
			options.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
				if field.Number() == authzv1.E_Method.TypeDescriptor().Number() {
					got = fmt.Sprintf("%T", value.Message().Interface())
				}
				return true
			})
			if got != want[form.name] {
				t.Errorf("the rule is held as %s, want %s", got, want[form.name])
			}
		})
	}
}
