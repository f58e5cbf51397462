package unguarded_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	_ "github.com/protoauthz/protoauthz/gen/sample/v1" // the messages of rpctest
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A report is a test that fails without failing.
type report struct {
	testing.TB
	faults []string
}

func (r *report) Helper() {}
func (r *report) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// assert asserts that a server guards the table but for the answers that are given.
func assert(t *testing.T, table *policy.Table, answers map[string]unguarded.Answer) []string {
	t.Helper()
	r := &report{TB: t}
	unguarded.Server{
		Package: "test", Absent: "the server lacks", Give: "give another", Nothing: "nothing is guarded",
		Remedy: func(unguarded.Procedure) string { return "guard it" },
		Call: func(_ context.Context, procedure unguarded.Procedure) unguarded.Answer {
			if answer, ok := answers[procedure.Name]; ok {
				return answer
			}
			if answer, ok := answers["/"]; ok {
				return answer
			}
			if rule, ok := table.Lookup(procedure.Name); ok {
				if rule.Public {
					t.Errorf("%s is called", procedure.Name)
				}
				return unguarded.Answer{Reason: interceptor.ReasonTokenMissing}
			}
			return unguarded.Answer{Kind: unguarded.Absent, Text: procedure.Name}
		},
	}.Assert(r, table)
	return r.faults
}

func TestAssert(t *testing.T) {
	t.Parallel()
	table := calltest.Rules(t)
	const (
		ruled, health, linked = "/test.v1.Read/Unary", "/grpc.health.v1.Health/Check", "/sample.v1.CatalogService/GetInfo"
		openly                = ` is open: it answered a call without a token with 200 and reason "", not with `
	)
	nowhere := unguarded.Nowhere.Name
	open := unguarded.Answer{Text: "200"}
	reason := func(reason interceptor.Reason) unguarded.Answer { return unguarded.Answer{Reason: reason} }
	for name, test := range map[string]struct {
		answers map[string]unguarded.Answer
		want    []string
	}{
		"guarded":      {nil, nil},
		"open":         {map[string]unguarded.Answer{ruled: open}, []string{ruled + openly + `"TOKEN_MISSING": guard it`}},
		"without rule": {map[string]unguarded.Answer{linked: open}, []string{linked + openly + `"RULE_MISSING": guard it, and compile its file into the table, or name sample.v1.CatalogService in policy.WithPublic`}},
		"well-known": {map[string]unguarded.Answer{health: open}, []string{
			health + openly + `"RULE_MISSING": guard it, and name grpc.health.v1.Health in policy.WithPublic if everybody may call it, or do not serve it`,
		}},
		"refused to everybody": {map[string]unguarded.Answer{linked: reason(interceptor.ReasonRuleMissing)}, []string{
			linked + " is refused to everybody: compile its file into the table, or name sample.v1.CatalogService in policy.WithPublic",
		}},
		"well-known, refused to everybody": {map[string]unguarded.Answer{health: reason(interceptor.ReasonRuleMissing)}, []string{
			health + " is refused to everybody: name grpc.health.v1.Health in policy.WithPublic if everybody may call it, or do not serve it",
		}},
		"another table": {map[string]unguarded.Answer{linked: reason(interceptor.ReasonTokenMissing)}, []string{linked + " is guarded by another table than the given one"}},
		"a token": {map[string]unguarded.Answer{ruled: reason(interceptor.ReasonTokenInvalid)}, []string{
			ruled + ` was refused with reason "TOKEN_INVALID", for a token that came along: call it without one`,
		}},
		"hanging":                   {map[string]unguarded.Answer{ruled: {Kind: unguarded.Hanging}}, []string{ruled + " is open: it has not refused a call without a token within 5s: guard it"}},
		"panicking":                 {map[string]unguarded.Answer{ruled: {Kind: unguarded.Panicked, Text: "no"}}, []string{ruled + " panicked when called without a token: no"}},
		"unreachable for once":      {map[string]unguarded.Answer{ruled: {Kind: unguarded.Unreachable, Text: "no"}}, []string{ruled + " cannot be called: no"}},
		"unreachable":               {map[string]unguarded.Answer{"/": {Kind: unguarded.Unreachable, Text: "no"}}, []string{"the server cannot be called: no"}},
		"absent":                    {map[string]unguarded.Answer{ruled: {Kind: unguarded.Absent, Text: "it"}}, []string{"the server lacks it: give another"}},
		"uncallable":                {map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}}, []string{"nothing is guarded"}},
		"pages for the rest":        {map[string]unguarded.Answer{nowhere: {Kind: unguarded.NoRPC}, linked: {Kind: unguarded.NoRPC}}, nil},
		"a page":                    {map[string]unguarded.Answer{linked: {Kind: unguarded.NoRPC, Text: "200"}}, []string{linked + openly + `"RULE_MISSING": guard it, and compile`}},
		"a guard for the rest":      {map[string]unguarded.Answer{nowhere: reason(interceptor.ReasonRuleMissing), linked: reason(interceptor.ReasonRuleMissing)}, nil},
		"the rest is open":          {map[string]unguarded.Answer{nowhere: open, linked: open}, []string{`every procedure that the server does not know` + openly + `"RULE_MISSING": guard it`}},
		"the rest hangs":            {map[string]unguarded.Answer{nowhere: {Kind: unguarded.Hanging}, linked: open}, []string{`every procedure that the server does not know is open: it has not`}},
		"open, and all of the rest": {map[string]unguarded.Answer{nowhere: reason(interceptor.ReasonRuleMissing), linked: open}, []string{linked + openly}},
	} {
		got := assert(t, table, test.answers)
		if !slices.EqualFunc(got, test.want, func(got, want string) bool { return strings.HasPrefix(got, "test: "+want) }) {
			t.Errorf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
		}
	}
	if got := assert(t, new(policy.Table), nil); !slices.Equal(got, []string{"test: nothing is guarded"}) {
		t.Errorf("an empty table: %q", got)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()
	pack := func(message proto.Message) *anypb.Any {
		packed, err := anypb.New(message)
		if err != nil {
			t.Fatal(err)
		}
		return packed
	}
	own := pack(&errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "protoauthz"})
	other := pack(&errdetails.ErrorInfo{Reason: "TOKEN_MISSING", Domain: "example.test"})
	garbled := &anypb.Any{TypeUrl: own.GetTypeUrl(), Value: []byte("garbled")}
	for name, test := range map[string]struct {
		details []*anypb.Any
		want    interceptor.Reason
	}{
		"none":    {nil, ""},
		"own":     {[]*anypb.Any{pack(&errdetails.RetryInfo{}), garbled, other, own}, interceptor.ReasonTokenMissing},
		"another": {[]*anypb.Any{other}, ""},
		"garbled": {[]*anypb.Any{garbled}, ""},
	} {
		if got := unguarded.Reason(test.details); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
