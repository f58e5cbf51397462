package catalogue

import (
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// Services are the tests' services by name. All methods of a service have its rule. Each service has all
// [Methods].
var Services = together(plainServices, streamServices, richServices)

func together(all ...map[string]*authzv1.MethodRule) map[string]*authzv1.MethodRule {
	services := map[string]*authzv1.MethodRule{}
	for _, some := range all {
		maps.Copy(services, some)
	}
	return services
}

var plainServices = map[string]*authzv1.MethodRule{
	"Public":        {Public: true},
	"Authenticated": {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true},
	"Read":          {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: []string{"read:a"}},
	"Global":        {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: []string{"read:a", "write:b"}},
	"Any": {
		Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Scopes: []string{"read:a"}, AnyScopes: []string{"sell", "buy"},
	},
	"User":   {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true, Caller: authzv1.Caller_CALLER_USER},
	"Client": {Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Authenticated: true, Caller: authzv1.Caller_CALLER_CLIENT},
	"Member": {
		Model: authzv1.Model_MODEL_ORGANIZATION, AnyScopes: []string{"invite:member", "manage:members"},
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "organization_id"}},
	},
	"Field": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "organization_id"}},
	},
	"Nested": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "document.name"}},
	},
	"Header": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Header{Header: "X-Organization-Id"}},
	},
	"Token": {
		Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Scopes: []string{"read:data"},
		Organization: &authzv1.Organization{Location: &authzv1.Organization_Token{Token: true}},
	},
}

// More services.
const (
	// Unruled has no rules.
	Unruled = "Unruled"
	// Opened is public as a whole, by policy.WithPublic. Its file is not compiled.
	Opened = "Opened"
)

// A Method is a method of every service.
type Method struct {
	Name                         string
	ClientStreams, ServerStreams bool
}

// The methods, one for each stream type.
var (
	Unary  = Method{Name: "Unary"}
	Server = Method{Name: "Server", ServerStreams: true}
	Client = Method{Name: "Client", ClientStreams: true}
	Bidi   = Method{Name: "Bidi", ClientStreams: true, ServerStreams: true}

	Methods = []Method{Unary, Server, Client, Bidi}
)

const (
	pkg      = "test.v1"
	request  = "sample.v1.SyncDocumentsRequest"
	response = "sample.v1.SyncDocumentsResponse"
)

// Procedure returns the path of a method.
func Procedure(service string, method Method) string {
	return "/" + pkg + "." + service + "/" + method.Name
}

// ServiceOf returns the service of the path of a method.
func ServiceOf(procedure string) string {
	service, _, _ := strings.Cut(strings.TrimPrefix(procedure, "/"+pkg+"."), "/")
	return service
}

// Compile compiles the rules of [Services]. All methods have the messages of the sample's SyncDocuments, apart from the
// requests of services that are [Rich].
func Compile() (*policy.Table, error) { return compile(Services, told()) }

// CompilePlain compiles the rules of [Services] that name neither a user nor a client, and that have one way in. A
// verifier of any issuer goes with them.
func CompilePlain() (*policy.Table, error) { return compile(plainServices) }

// CompileShadow compiles the rules of [Services], and none of them is enforced.
func CompileShadow() (*policy.Table, error) {
	var names []string
	for name, rule := range Services {
		if !rule.GetPublic() {
			names = append(names, pkg+"."+name)
		}
	}
	return compile(Services, told(), policy.WithShadow(names...))
}

// CompilePublic compiles rules that make all services of [Services] public.
func CompilePublic() (*policy.Table, error) {
	public := map[string]*authzv1.MethodRule{}
	for name := range Services {
		public[name] = &authzv1.MethodRule{Public: true}
	}
	return compile(public)
}

func told() policy.Option { return policy.WithSubjectIssuer(SubjectIssuer) }

func compile(services map[string]*authzv1.MethodRule, options ...policy.Option) (*policy.Table, error) {
	file := &descriptorpb.FileDescriptorProto{
		Name:       proto.String("test/v1/test.proto"),
		Package:    proto.String(pkg),
		Syntax:     proto.String("proto3"),
		Dependency: []string{samplev1.File_sample_v1_document_proto.Path(), edition.GetName(), authzv1.File_protoauthz_v1_authz_proto.Path()},
	}
	for name, rule := range services {
		service := &descriptorpb.ServiceDescriptorProto{Name: proto.String(name)}
		input := request
		if Rich(name) {
			input = pkg + ".Request"
		}
		for _, method := range Methods {
			options := new(descriptorpb.MethodOptions)
			proto.SetExtension(options, authzv1.E_Method, rule)
			service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
				Name:            proto.String(method.Name),
				InputType:       proto.String("." + input),
				OutputType:      proto.String("." + response),
				ClientStreaming: proto.Bool(method.ClientStreams),
				ServerStreaming: proto.Bool(method.ServerStreams),
				Options:         options,
			})
		}
		file.Service = append(file.Service, service)
	}
	descriptor, err := protodesc.NewFile(file, requests())
	if err != nil {
		return nil, err
	}
	options = append(options, policy.WithAudience(tokens.API), policy.WithPublic(pkg+"."+Opened))
	return policy.Compile(policy.Files{descriptor}, options...)
}
