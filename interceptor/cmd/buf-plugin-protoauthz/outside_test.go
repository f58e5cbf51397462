package main_test

import (
	"slices"
	"strings"
	"testing"

	descriptorv1 "buf.build/gen/go/bufbuild/bufplugin/protocolbuffers/go/buf/plugin/descriptor/v1"
	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checktest"
	"buf.build/go/bufplugin/descriptor"
	"buf.build/go/bufplugin/option"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	plugin "github.com/protoauthz/protoauthz/interceptor/cmd/buf-plugin-protoauthz"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
)

// TestOutside tries descriptors that no compiler writes.
func TestOutside(t *testing.T) {
	t.Parallel()
	for _, edition := range protos.Editions() {
		for _, c := range protos.DeclarationCases(edition) {
			if !complete(c) || strings.Contains(c.Name, "not readable as ours") {
				continue // bufplugin itself refuses these
			}
			t.Run("A1/"+c.Name+"/"+edition.String(), func(t *testing.T) {
				t.Parallel()
				testDeclaration(t, c)
			})
		}
	}
	for _, audience := range []string{"urn:logto:organization:x", "URN:logto:resource:organizations"} {
		t.Run("A10/"+audience, func(t *testing.T) {
			t.Parallel()
			_, err := run(t, &checktest.RequestSpec{Files: scoped(t, "read:x"), Options: map[string]any{"audience": audience}})
			if err == nil || !strings.Contains(err.Error(), "option audience") || !strings.Contains(err.Error(), "give the API's resource indicator") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// complete reports whether all imports, apart from imports for options only, are there.
func complete(c protos.DeclarationCase) bool {
	names := []string{"google/protobuf/descriptor.proto"}
	for _, file := range c.Files {
		names = append(names, file.GetName())
	}
	return !slices.ContainsFunc(c.Files, func(file *descriptorpb.FileDescriptorProto) bool {
		return slices.ContainsFunc(file.GetDependency(), func(path string) bool { return !slices.Contains(names, path) })
	})
}

func testDeclaration(t *testing.T, c protos.DeclarationCase) {
	t.Helper()
	annotations, err := lint(t, c.Files, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PROTOAUTHZ_PUBLIC_COMMENT"} // it compiles
	if c.Fault != "" {
		want = []string{"PROTOAUTHZ_" + c.Fault}
	}
	var got []string
	for _, a := range annotations {
		got = append(got, a.RuleID())
		for _, says := range c.Says {
			if !strings.Contains(a.Message(), says) {
				t.Errorf("%s, want %q in it", a.Message(), says)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	annotations, err = lint(t, c.Files, map[string]any{"public": []string{"served.Service", "protoauthz.v1.Service"}})
	if opens := err == nil && len(annotations) == 0; opens != c.Opens {
		t.Errorf("opened by name: %d findings, %v", len(annotations), err)
	}
}

// lint lints files as buf lint does. The files need not come from a compiler.
func lint(t *testing.T, files []*descriptorpb.FileDescriptorProto, options map[string]any) ([]check.Annotation, error) {
	t.Helper()
	described := []*descriptorv1.FileDescriptor{descriptorv1.FileDescriptor_builder{
		FileDescriptorProto: protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto), IsImport: true,
	}.Build()}
	for _, file := range files {
		described = append(described, descriptorv1.FileDescriptor_builder{FileDescriptorProto: file}.Build())
	}
	descriptors, err := descriptor.FileDescriptorsForProtoFileDescriptors(described)
	if err != nil {
		t.Fatal(err)
	}
	given, err := option.NewOptions(options)
	if err != nil {
		t.Fatal(err)
	}
	request, err := check.NewRequest(descriptors, check.WithOptions(given), check.WithRuleIDs(ids("PROTOAUTHZ")...))
	if err != nil {
		t.Fatal(err)
	}
	client, err := check.NewClientForSpec(plugin.Spec())
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Check(t.Context(), request)
	if err != nil {
		return nil, err
	}
	return response.Annotations(), nil
}
