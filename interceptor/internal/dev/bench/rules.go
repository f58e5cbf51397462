package main

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// tableOf compiles a table of procedures that all have the same rule.
func tableOf(size int, rule *authzv1.MethodRule) (*policy.Table, []string, error) {
	const perService = 20
	options := new(descriptorpb.MethodOptions)
	proto.SetExtension(options, authzv1.E_Method, rule)
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("bench/v1/bench.proto"), Package: proto.String("bench.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"sample/v1/catalog.proto", "protoauthz/v1/authz.proto"},
	}
	var procedures []string
	for n := range size {
		if n%perService == 0 {
			file.Service = append(file.Service, &descriptorpb.ServiceDescriptorProto{Name: proto.String(fmt.Sprintf("Service%d", n/perService))})
		}
		service := file.GetService()[n/perService]
		method := fmt.Sprintf("Method%d", n%perService)
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(method), Options: options,
			InputType: proto.String(".sample.v1.ListProductsRequest"), OutputType: proto.String(".sample.v1.ListProductsResponse"),
		})
		procedures = append(procedures, "/bench.v1."+service.GetName()+"/"+method)
	}
	descriptor, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return nil, nil, err
	}
	table, err := policy.Compile(policy.Files{descriptor}, policy.WithAudience(api))
	return table, procedures, err
}
