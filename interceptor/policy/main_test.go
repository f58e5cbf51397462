package policy_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// linkedNumber is the number of the linked option (linked.v1.note).
const linkedNumber = 99999

// TestMain links a service without annotations, as a server links the health
// service of its RPC library, and an option of methods. No goroutine may outlive
// its test.
func TestMain(m *testing.M) {
	linked, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:        proto.String("linked/v1/linked.proto"),
		Package:     proto.String("linked.v1"),
		Syntax:      proto.String("proto3"),
		Dependency:  []string{"google/protobuf/descriptor.proto"},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Message")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("LinkedService"),
			Method: []*descriptorpb.MethodDescriptorProto{
				{Name: proto.String("Check"), InputType: proto.String(".linked.v1.Message"), OutputType: proto.String(".linked.v1.Message")},
				{Name: proto.String("Watch"), InputType: proto.String(".linked.v1.Message"), OutputType: proto.String(".linked.v1.Message")},
			},
		}},
		Extension: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("note"), Number: proto.Int32(linkedNumber), Extendee: proto.String(".google.protobuf.MethodOptions"),
			Type: descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), TypeName: proto.String(".linked.v1.Message"),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}},
	}, protoregistry.GlobalFiles)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(linked)
	}
	if err == nil {
		err = protoregistry.GlobalTypes.RegisterExtension(dynamicpb.NewExtensionType(linked.Extensions().Get(0)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
