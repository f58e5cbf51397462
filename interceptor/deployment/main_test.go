package deployment_test

import (
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// TestMain links a service without annotations, and makes sure that no goroutine outlives its test. grpc-go has such a
// service, but an import here would add lines to the go.sum of modules that import package deployment.
func TestMain(m *testing.M) {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:        proto.String("grpc/health/v1/health.proto"),
		Package:     proto.String("grpc.health.v1"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Message")}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("Health"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("Check"), InputType: proto.String(".grpc.health.v1.Message"), OutputType: proto.String(".grpc.health.v1.Message")}},
		}},
	}, nil)
	if err == nil {
		err = protoregistry.GlobalFiles.RegisterFile(file)
	}
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
