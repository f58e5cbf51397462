package policy_test

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestRulesAreCopies makes sure that a table does not change with the rules that it returns, or with
// the options that it was compiled from.
func TestRulesAreCopies(t *testing.T) {
	t.Parallel()
	const audience = "https://api.example.com"
	file := unlinked(t, samplev1.File_sample_v1_document_proto)
	table := compileTable(t, policy.Files{file, samplev1.File_sample_v1_member_proto}, policy.WithAudience(audience), policy.WithPublic("grpc.health.v1.Health"))
	want, procedures := table.String(), []string{"/grpc.health.v1.Health/Check"}
	for range 2 {
		for _, rule := range table.Rules() {
			procedures = append(procedures, rule.Procedure)
			spoil(reflect.ValueOf(rule).Elem())
		}
		for _, procedure := range procedures {
			rule, ok := table.Lookup(procedure)
			if !ok {
				t.Fatalf("no rule for %s", procedure)
			}
			if organization := rule.Organization; organization != nil {
				clear(organization.Path())
			}
			spoil(reflect.ValueOf(rule).Elem())
		}
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				if rule, ok := proto.GetExtension(methods.Get(j).Options(), authzv1.E_Method).(*authzv1.MethodRule); ok {
					spoil(reflect.ValueOf(rule).Elem())
				}
			}
		}
		if got := table.String(); got != want {
			t.Fatalf("the table became\n%s\nwant\n%s", got, want)
		}
		rule, _ := table.Lookup("/sample.v1.DocumentService/ListDocuments")
		if rule.Organization.Check(&samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme") != nil {
			t.Error("a copy does not find the organization")
		}
	}
	// The rules of an error are copies too.
	_, err := policy.Compile(policy.Files{samplev1.File_sample_v1_member_proto, samplev1.File_sample_v1_catalog_proto})
	faults, ok := errors.AsType[*policy.Error](err)
	if !ok || len(faults.Rules) == 0 {
		t.Fatal(err)
	}
	for _, rule := range faults.Rules {
		spoil(reflect.ValueOf(rule).Elem())
	}
	if got := table.String(); got != want {
		t.Errorf("the table became\n%s", got)
	}
}

// unlinked returns a copy of a file with its own options.
func unlinked(t testing.TB, file protoreflect.FileDescriptor) protoreflect.FileDescriptor {
	t.Helper()
	own, err := protodesc.NewFile(protodesc.ToFileDescriptorProto(file), protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return own
}

// spoil overwrites everything that a value reaches.
func spoil(value reflect.Value) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			spoil(value.Elem())
		}
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				spoil(value.Field(i))
			}
		}
	case reflect.Slice:
		for i := range value.Len() {
			spoil(value.Index(i))
		}
	case reflect.String:
		value.SetString("spoilt")
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int32:
		value.SetInt(1)
	default: // a descriptor, which is immutable
	}
}
