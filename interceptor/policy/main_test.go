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
)

// TestMain links a service without annotations, as a server links the health
// service of its RPC library. No goroutine may outlive its test.
func TestMain(m *testing.M) {
	linked, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:        proto.String("linked/v1/linked.proto"),
		Package:     proto.String("linked.v1"),
		Syntax:      proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Message")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("LinkedService"),
			Method: []*descriptorpb.MethodDescriptorProto{
				{Name: proto.String("Check"), InputType: proto.String(".linked.v1.Message"), OutputType: proto.String(".linked.v1.Message")},
				{Name: proto.String("Watch"), InputType: proto.String(".linked.v1.Message"), OutputType: proto.String(".linked.v1.Message")},
			},
		}},
	}, nil)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(linked)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
