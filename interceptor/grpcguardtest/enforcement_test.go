package grpcguardtest_test

import (
	"testing"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestNotEnforced makes sure that rules in shadow fail a test that does not name their service.
func TestNotEnforced(t *testing.T) {
	t.Parallel()
	const service = "sample.v1.MemberService"
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_member_proto}, policy.WithShadow(service))
	if err != nil {
		t.Fatal(err)
	}
	conn := inProcess(t, newServer(table, all, answering, grpcguard.ServerOptions(harness.NoTokens(table))...))
	r := &harness.Report{TB: t}
	grpcguardtest.AssertGuarded(r, conn, table)
	r.Expect(t, "not told", []string{"grpcguardtest: " + service + " has rules that are not enforced, for /sample.v1.MemberService/InviteMember, " +
		"/sample.v1.MemberService/ListMembers, /sample.v1.MemberService/UpdateBilling: remove the service from policy.WithShadow; " +
		`if the server does this on purpose, give grpcguardtest.NotEnforced("sample.v1.MemberService")`})
	r = &harness.Report{TB: t}
	grpcguardtest.AssertGuarded(r, conn, table, grpcguardtest.NotEnforced(service))
	r.Expect(t, "told", nil)
	r = &harness.Report{TB: t}
	grpcguardtest.AssertGuarded(r, conn, table, grpcguardtest.NotEnforced(service, "sample.v1.CatalogService"))
	r.Expect(t, "told in vain", []string{"grpcguardtest: " + `NotEnforced names "sample.v1.CatalogService", but the table enforces all rules of the service, or has none: remove the name`})
}
