package main

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
)

const (
	audience  = "https://api.example.com"
	protosDir = "../../../proto"
)

// compileSet compiles sources, and files of proto/, as buf build does: with their imports and
// positions.
func compileSet(t testing.TB, sources map[string]string, names ...string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	files, err := protos.Compile(t.Context(), protosDir, sources, names...)
	if err != nil {
		t.Fatal(err)
	}
	return protos.Set(files...)
}

func encode(t testing.TB, set *descriptorpb.FileDescriptorSet) []byte {
	t.Helper()
	image, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// sampleImage returns the image of the sample.
func sampleImage(t testing.TB) []byte {
	t.Helper()
	return encode(t, compileSet(t, nil, "sample/v1/catalog.proto", "sample/v1/document.proto", "sample/v1/member.proto"))
}

// service returns the image of one global service in order.proto.
func service(t testing.TB, methods ...string) []byte {
	t.Helper()
	return encode(t, serviceSet(t, methods...))
}

func serviceSet(t testing.TB, methods ...string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	var source strings.Builder
	source.WriteString(`syntax = "proto3"; package order.v1; import "protoauthz/v1/authz.proto";
message Request { string organization_id = 1; string name = 2; }
service OrderService {
option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
`)
	for _, method := range methods {
		name, rule, annotated := strings.Cut(method, " ")
		if !annotated {
			_, _ = fmt.Fprintf(&source, "rpc %s(Request) returns (Request);\n", name)
			continue
		}
		_, _ = fmt.Fprintf(&source, "rpc %s(Request) returns (Request) { option (protoauthz.v1.method) = {%s}; }\n", name, rule)
	}
	source.WriteString("}\n")
	return compileSet(t, map[string]string{"order.proto": source.String()}, "order.proto")
}

// bigImage returns an image of many methods, each with a rule, in services of a hundred methods.
func bigImage(t testing.TB, methods int) []byte {
	t.Helper()
	set := compileSet(t, nil, "protoauthz/v1/authz.proto")
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("big.proto"), Package: proto.String("big"), Syntax: proto.String("proto3"),
		Dependency:     []string{"protoauthz/v1/authz.proto"},
		MessageType:    []*descriptorpb.DescriptorProto{{Name: proto.String("Message")}},
		SourceCodeInfo: new(descriptorpb.SourceCodeInfo),
	}
	for i := range methods {
		if i%100 == 0 {
			options := new(descriptorpb.ServiceOptions)
			proto.SetExtension(options, authzv1.E_Service, &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience})
			file.Service = append(file.Service, &descriptorpb.ServiceDescriptorProto{Name: proto.String(fmt.Sprintf("Service%d", i/100)), Options: options})
		}
		options := new(descriptorpb.MethodOptions)
		proto.SetExtension(options, authzv1.E_Method, &authzv1.MethodRule{Scopes: []string{fmt.Sprintf("scope:%d", i%700)}})
		last := file.Service[len(file.Service)-1]
		at := []int32{6, int32(len(file.Service) - 1), 2, int32(len(last.Method))}
		// As compilers do: the method, its name and types, its option and the field of the option.
		for _, below := range [][]int32{nil, {1}, {2}, {3}, {4}, {4, 404209324}, {4, 404209324, 3}} {
			file.SourceCodeInfo.Location = append(file.SourceCodeInfo.Location, &descriptorpb.SourceCodeInfo_Location{
				Path: append(append([]int32{}, at...), below...), Span: []int32{int32(i), 2, 30},
			})
		}
		last.Method = append(last.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(fmt.Sprintf("Method%d", i)), InputType: proto.String(".big.Message"), OutputType: proto.String(".big.Message"), Options: options,
		})
	}
	set.File = append(set.File, file)
	return encode(t, set)
}
