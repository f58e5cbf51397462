package interceptor_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// measured are rules of one message, whose only field names what the rule asks for.
var measured = map[string]string{
	"Organization": `model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "organization_id"}`,
	"Subject":      `model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {token: true} subject {field: "organization_id"}`,
	"ThreeWays": `model: MODEL_ORGANIZATION_RESOURCE scopes: "staff" organization {token: true}
		alternatives {model: MODEL_GLOBAL_RESOURCE scopes: "staff"}
		alternatives {model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "organization_id"}}
		organization_optional: true`,
	"StaffWay": `model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {token: true} subject {field: "organization_id"}
		alternatives {model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {token: true} client {field: "organization_id"}}
		alternatives {model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "organization_id"}}`,
	"LastWay": `model: MODEL_ORGANIZATION_RESOURCE scopes: "read" caller: CALLER_CLIENT organization {token: true}
		alternatives {model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "organization_id"}}`,
	"FirstWay": `model: MODEL_ORGANIZATION_RESOURCE scopes: "read" organization {field: "organization_id"}
		alternatives {model: MODEL_GLOBAL_RESOURCE scopes: "staff"}
		alternatives {model: MODEL_ORGANIZATION_RESOURCE scopes: "staff" organization {field: "organization_id"}}`,
}

// measuredCall returns a call of a rule in measured, by a token that the rule lets in.
func measuredCall(tb testing.TB, name string) func() {
	tb.Helper()
	admit := measuredAdmission(tb, name, []string{"read"})
	return func() {
		if denial := admit(); denial != nil {
			tb.Fatal(denial.Unwrap())
		}
	}
}

// measuredAdmission returns a call of a rule in measured, by a token with these scopes.
func measuredAdmission(tb testing.TB, name string, scopes []string, opts ...interceptor.Option) func() *interceptor.Denial {
	tb.Helper()
	rule, input := new(authzv1.MethodRule), new(samplev1.ListDocumentsRequest).ProtoReflect().Descriptor()
	if err := prototext.Unmarshal([]byte(measured[name]), rule); err != nil {
		tb.Fatal(err)
	}
	options, request := new(descriptorpb.MethodOptions), proto.String("."+string(input.FullName()))
	proto.SetExtension(options, authzv1.E_Method, rule)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("measured/v1/measured.proto"), Package: proto.String("measured.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{authzv1.File_protoauthz_v1_authz_proto.Path(), input.ParentFile().Path()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Service"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: &name, InputType: request, OutputType: request, Options: options},
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		tb.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{file}, policy.WithAudience(api), policy.WithSubjectIssuer(issuerEndpoint), policy.WithSharedScopes("staff"))
	if err != nil {
		tb.Fatal(err)
	}
	claims, err := token.NewClaims(token.ClaimValues{
		Issuer: issuerEndpoint, Subject: acme, OrganizationID: acme, Caller: token.CallerUser, Audience: []string{api}, Scopes: scopes,
		Expiry: time.Unix(4102444800, 0),
	})
	if err != nil {
		tb.Fatal(err)
	}
	guard := interceptor.New(verifierFunc(func(context.Context, string) (*token.Claims, error) { return claims, nil }), table, opts...)
	header, message := http.Header{"Authorization": {"Bearer any"}}, &samplev1.ListDocumentsRequest{OrganizationId: acme}
	return func() *interceptor.Denial {
		call, denial := guard.Admit(tb.Context(), "/measured.v1.Service/"+name, header)
		if denial != nil {
			return denial
		}
		return call.Judge(message)
	}
}

// TestAllocationsOfWays makes sure that a subject costs what an organization costs, and bounds what each way costs that
// the call does not take.
func TestAllocationsOfWays(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	organization, _ := perCall(measuredCall(t, "Organization"))
	for name, more := range map[string]uint64{"Subject": 0, "ThreeWays": 0, "FirstWay": 0, "LastWay": 0, "StaffWay": 4} {
		if allocations, size := perCall(measuredCall(t, name)); allocations > organization+more {
			t.Errorf("%s: %d allocations of %d bytes in all, and %d with an organization alone", name, allocations, size, organization)
		}
	}
}

// BenchmarkWays makes a call by rules of one and of three ways.
func BenchmarkWays(b *testing.B) {
	for name := range measured {
		b.Run(name, func(b *testing.B) {
			call := measuredCall(b, name)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
