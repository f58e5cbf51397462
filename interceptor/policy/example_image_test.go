package policy_test

import (
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// nextRules compiles the next version of the annotations, from an image of buf.
func nextRules(image []byte) (*policy.Table, error) {
	set := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(image, set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, err
	}
	var next policy.Files
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool { next = append(next, file); return true })
	return policy.Compile(next, policy.WithAudience("https://api.example.com"))
}

// A program compiles annotations that its generated code does not hold, such as their next version. The program
// embeds the image that "buf build -o next.binpb" has written.
func ExampleFiles() {
	image, err := proto.Marshal(protos.Set(orderFiles(`
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc ListOrders(Request) returns (Response) { option (protoauthz.v1.method) = {scopes: "read:orders"}; }
}`)...))
	if err != nil {
		log.Fatal(err)
	}
	table, err := nextRules(image)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(table)
	// Output: /order.v1.OrderService/ListOrders  global_resource  audience=https://api.example.com  all of read:orders  caller=any  organization=-
}
