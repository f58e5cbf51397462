package guardtest_test

import (
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestRefusedWithoutAnnotation makes sure that a method without annotation which is refused is behind the guard, and is
// found if it is not.
func TestRefusedWithoutAnnotation(t *testing.T) {
	t.Parallel()
	files := policy.Files{samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_catalog_proto}
	described := protodesc.ToFileDescriptorProto(samplev1.File_sample_v1_member_proto)
	for _, method := range described.GetService()[0].GetMethod() {
		if method.GetName() == "ListMembers" {
			proto.ClearExtension(method.GetOptions(), authzv1.E_Method)
		}
	}
	partly, err := protodesc.NewFile(described, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(append(files, partly), policy.WithAudience("https://api.example.test"), policy.WithUnannotatedRefused("sample.v1.MemberService"))
	if err != nil {
		t.Fatal(err)
	}
	guardtest.AssertGuarded(t, sample(harness.NoTokens(table), nil), table)

	const procedure = samplev1connect.MemberServiceListMembersProcedure
	r := &harness.Report{TB: t}
	guardtest.AssertGuarded(r, sample(harness.NoTokens(table), map[string]http.Handler{
		procedure: connect.NewUnaryHandler(procedure, samplev1connect.UnimplementedMemberServiceHandler{}.ListMembers),
	}), table)
	r.Expect(t, "open", prefixed([]string{procedure + strings.Replace(answered("12"), "TOKEN_MISSING", "RULE_MISSING", 1)}))
}

// TestNotEnforced makes sure that rules in shadow fail a test that does not name their services, whichever assertion the
// test calls.
func TestNotEnforced(t *testing.T) {
	t.Parallel()
	const (
		catalog, member = "sample.v1.CatalogService", "sample.v1.MemberService"
		shadow          = member + " has rules that are not enforced, for /sample.v1.MemberService/InviteMember, /sample.v1.MemberService/ListMembers, /sample.v1.MemberService/UpdateBilling: " +
			`remove the service from policy.WithShadow; if the server does this on purpose, give guardtest.NotEnforced("sample.v1.MemberService")`
		stale = `NotEnforced names "sample.v1.CatalogService", but the table enforces all rules of the service, or has none: remove the name`
	)
	compile := func(options ...policy.Option) *policy.Table {
		table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_member_proto, samplev1.File_sample_v1_document_proto, samplev1.File_sample_v1_catalog_proto},
			append(options, policy.WithAudience("https://api.example.test"))...)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	enforced, one := compile(), compile(policy.WithShadow(member))
	all := compile(policy.WithShadow(member, catalog, "sample.v1.DocumentService"))
	open := http.NewServeMux() // the handlers of the service in shadow have no guard
	open.Handle("/", sample(harness.NoTokens(enforced), nil))
	open.Handle(samplev1connect.NewMemberServiceHandler(samplev1connect.UnimplementedMemberServiceHandler{}))
	for _, test := range []struct {
		name    string
		handler http.Handler
		table   *policy.Table
		options []guardtest.Option
		want    []string
	}{
		{"not told", sample(harness.NoTokens(enforced), nil), one, nil, []string{shadow}},
		{"told, and not called", open, one, []guardtest.Option{guardtest.NotEnforced(member)}, nil},
		{"told in vain", sample(harness.NoTokens(enforced), nil), enforced, []guardtest.Option{guardtest.NotEnforced(catalog)}, []string{stale}},
		{"told twice", sample(harness.NoTokens(enforced), nil), one, []guardtest.Option{guardtest.NotEnforced(catalog), guardtest.NotEnforced(member)}, []string{stale}},
		{"all told", open, all, []guardtest.Option{guardtest.NotEnforced(member, catalog, "sample.v1.DocumentService")}, nil},
	} {
		r := &harness.Report{TB: t}
		guardtest.AssertGuarded(r, test.handler, test.table, test.options...)
		r.Expect(t, test.name, prefixed(test.want))
	}
	r := &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, http.NewServeMux(), all, guardtest.NotEnforced(catalog, "sample.v1.DocumentService"))
	r.Expect(t, "over REST", prefixed([]string{shadow}))
	r = &harness.Report{TB: t}
	guardtest.AssertRESTGuarded(r, http.NewServeMux(), all, guardtest.NotEnforced(catalog, member, "sample.v1.DocumentService"))
	r.Expect(t, "over REST, told", nil)
}
