package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
)

const (
	pkg         = "connectrpc.conformance.v1"
	serviceName = "ConformanceService"
)

// What tokens grant, and methods require.
const (
	audience     = "https://conformance.example.com"
	unaryScope   = "call:unary"
	streamScope  = "call:stream"
	missingScope = "call:nothing"
	organization = "conformance"
	user         = "alice"
)

// The fields that requests get.
const (
	organizationField = "organization_id"
	userField         = "user_id"
	clientField       = "client_id"
)

var addedFields = []protoreflect.Name{organizationField, userField, clientField}

// The rules for services: a token grants the whole service, or the service in one organization.
var (
	globalRule       = &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE}
	organizationRule = &authzv1.ServiceRule{
		Model:        authzv1.Model_MODEL_ORGANIZATION_RESOURCE,
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: organizationField}},
	}
)

// loadSchema compiles the suite's .proto files in a directory, gives the methods rules, and registers
// the types: codecs look up the types of messages in an Any.
func loadSchema(ctx context.Context, dir string, m mode) (protoreflect.ServiceDescriptor, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}}),
	}
	const prefix = "connectrpc/conformance/v1/"
	files, err := compiler.Compile(ctx, prefix+"config.proto", prefix+"service.proto", prefix+"server_compat.proto")
	if err != nil {
		return nil, fmt.Errorf("the suite's .proto files: %w", err)
	}
	var service protoreflect.ServiceDescriptor
	for _, file := range files {
		file, err := withRules(file, m)
		if err != nil {
			return nil, err
		}
		if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
			return nil, err
		}
		if err := registerTypes(file.Messages()); err != nil {
			return nil, err
		}
		if found := file.Services().ByName(serviceName); found != nil {
			service = found
		}
	}
	if service == nil {
		return nil, fmt.Errorf("the suite's .proto files have no %s", serviceName)
	}
	return service, nil
}

func registerTypes(messages protoreflect.MessageDescriptors) error {
	for n := range messages.Len() {
		if err := protoregistry.GlobalTypes.RegisterMessage(dynamicpb.NewMessageType(messages.Get(n))); err != nil {
			return err
		}
		if err := registerTypes(messages.Get(n).Messages()); err != nil {
			return err
		}
	}
	return nil
}

// withRules copies a file, gives its services a rule and the methods rules of every kind except public,
// and gives requests fields for their organization, their user and their client.
func withRules(file protoreflect.FileDescriptor, m mode) (protoreflect.FileDescriptor, error) {
	described := protodesc.ToFileDescriptorProto(file)
	described.Dependency = append(described.Dependency, authzv1.File_protoauthz_v1_authz_proto.Path())
	for _, message := range described.GetMessageType() {
		if strings.HasSuffix(message.GetName(), "Request") {
			for number, name := range addedFields {
				message.Field = append(message.Field, &descriptorpb.FieldDescriptorProto{
					Name: proto.String(string(name)), Number: proto.Int32(int32(1000 + number)),
					Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
				})
			}
		}
	}
	for _, service := range described.GetService() {
		service.Options = new(descriptorpb.ServiceOptions)
		proto.SetExtension(service.Options, authzv1.E_Service, m.rule())
		for _, method := range service.GetMethod() {
			rule := new(authzv1.MethodRule)
			switch {
			case method.GetClientStreaming():
				rule.Scopes = []string{streamScope}
			case method.GetServerStreaming():
				rule.AnyScopes = []string{streamScope, missingScope}
			case method.GetOptions().GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
				rule.Authenticated = true
			default:
				rule.Scopes, rule.Caller = []string{unaryScope}, authzv1.Caller_CALLER_CLIENT
			}
			if method.Options == nil {
				method.Options = new(descriptorpb.MethodOptions)
			}
			proto.SetExtension(method.Options, authzv1.E_Method, m.ways(rule))
		}
	}
	return protodesc.NewFile(described, protoregistry.GlobalFiles)
}
