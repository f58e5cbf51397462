package unguarded_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	_ "github.com/protoauthz/protoauthz/gen/sample/v1" // the messages of catalogue
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestMain makes sure that no goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers as a guard with the table does, but for the procedures with an answer of their own.
func server(t *testing.T, table *policy.Table, answers map[string]unguarded.Answer) unguarded.Server {
	t.Helper()
	return unguarded.Server{
		Package: "test", What: "server", Given: t, Absent: "the server lacks", Instead: "give another", NoProcedures: "nothing is guarded",
		Remedy: func(unguarded.Procedure) string { return "guard it" },
		Call: func(_ context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
			if answer, ok := answers[strings.Join(authorization, ", ")+procedure.Name]; ok && authorization != nil {
				return answer
			}
			if authorization != nil {
				return unguarded.Answer{Reason: interceptor.ReasonTokenMalformed}
			}
			if answer, ok := answers[procedure.Name]; ok {
				return answer
			}
			if answer, ok := answers["/"]; ok {
				return answer
			}
			if rule, ok := table.Lookup(procedure.Name); ok {
				if rule.Public || !rule.Enforced() {
					t.Errorf("%s is called", procedure.Name)
				}
				if rule.Unannotated {
					return unguarded.Answer{Reason: interceptor.ReasonRuleMissing}
				}
				return unguarded.Answer{Reason: interceptor.ReasonTokenMissing}
			}
			return unguarded.Answer{Kind: unguarded.Absent, Text: procedure.Name}
		},
	}
}

func TestAssert(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	const (
		ruled, health, linked = "/test.v1.Read/Unary", "/grpc.health.v1.Health/Check", "/sample.v1.CatalogService/GetInfo"
		orca                  = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"

		answered  = ": it answered a call without a token with "
		openly    = " is open" + answered + `200 and reason "", not with `
		sameTable = ": give this test the table that interceptor.New got"
		everybody = " in policy.WithPublic if everybody may call it, or do not serve it"
		ruleless  = `"RULE_MISSING": guard it; then compile its file into the table, or name sample.v1.CatalogService in policy.WithPublic`
		badly     = ": it answered a call with two tokens with "
		noGuard   = "something else than a guard refuses calls without a token: guard it"
		malformed = ` and reason "", not with "TOKEN_MALFORMED": ` + noGuard
		theRest   = "every procedure that the server does not know"
	)
	unknown := unguarded.UnknownProcedure.Name
	two := strings.Join(unguarded.TwoTokens, ", ")
	open := unguarded.Answer{OK: true, Text: "200"}
	failed := unguarded.Answer{Text: "500"}
	reason := func(reason interceptor.Reason) unguarded.Answer { return unguarded.Answer{Reason: reason} }
	for name, test := range map[string]struct {
		answers map[string]unguarded.Answer
		want    []string
	}{
		"guarded":      {nil, nil},
		"open":         {map[string]unguarded.Answer{ruled: open}, []string{ruled + openly + `"TOKEN_MISSING": guard it`}},
		"failed":       {map[string]unguarded.Answer{ruled: failed}, []string{ruled + " is not behind the guard" + answered + `500 and reason "", not with "TOKEN_MISSING": guard it`}},
		"without rule": {map[string]unguarded.Answer{linked: open}, []string{linked + openly + ruleless}},
		"well-known": {map[string]unguarded.Answer{health: open}, []string{
			health + openly + `"RULE_MISSING": guard it; then name grpc.health.v1.Health` + everybody,
		}},
		"refused to everybody": {map[string]unguarded.Answer{linked: reason(interceptor.ReasonRuleMissing)}, []string{
			linked + " is refused to everybody: compile its file into the table, or name sample.v1.CatalogService in policy.WithPublic",
		}},
		"well-known, refused to everybody": {map[string]unguarded.Answer{health: reason(interceptor.ReasonRuleMissing)}, []string{
			health + " is refused to everybody: name grpc.health.v1.Health" + everybody,
		}},
		"the guard has a larger table": {map[string]unguarded.Answer{linked: reason(interceptor.ReasonTokenMissing)}, []string{
			linked + " is guarded by another table than the given one" + sameTable,
		}},
		"the guard has a smaller table": {map[string]unguarded.Answer{ruled: reason(interceptor.ReasonRuleMissing)}, []string{
			ruled + " is refused to everybody: the server's guard has another table" + sameTable + ", or compile the method's file into the server's table",
		}},
		"a token, which opens the next": {map[string]unguarded.Answer{ruled: reason(interceptor.ReasonOrganizationMismatch), "/test.v1.Read/Bidi": open}, []string{
			"the calls carry a token: " + ruled + ` was refused with reason "ORGANIZATION_MISMATCH": give a server that adds no token`,
		}},
		"hanging":                   {map[string]unguarded.Answer{ruled: {Kind: unguarded.Hanging}}, []string{ruled + " is open: it has not refused a call without a token within 5s: guard it"}},
		"faulty":                    {map[string]unguarded.Answer{ruled: {Kind: unguarded.Faulty, Text: "panicked"}}, []string{ruled + " panicked"}},
		"unreachable for once":      {map[string]unguarded.Answer{ruled: {Kind: unguarded.Unreachable, Text: "no"}}, []string{ruled + " cannot be called: no"}},
		"unreachable":               {map[string]unguarded.Answer{"/": {Kind: unguarded.Unreachable, Text: "no"}}, []string{"the server cannot be called: no"}},
		"absent":                    {map[string]unguarded.Answer{ruled: {Kind: unguarded.Absent, Text: "it"}}, []string{"the server lacks it: give another"}},
		"a guard for tokens alone":  {map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}, health: {Kind: unguarded.Absent}, two + health: reason(interceptor.ReasonTokenMalformed)}, []string{"nothing is guarded"}},
		"open for tokens alone":     {map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}, health: {Kind: unguarded.Absent}, two + health: open}, []string{health + " is open" + badly + `200 and reason "", not with "RULE_MISSING": ` + noGuard + "; then name grpc.health.v1.Health" + everybody, "nothing is guarded"}},
		"the last, for tokens":      {map[string]unguarded.Answer{orca: {Kind: unguarded.Absent}, two + orca: open}, []string{orca + " is open" + badly + `200 and reason "", not with "RULE_MISSING": ` + noGuard + "; then name xds.service.orca.v3.OpenRcaService" + everybody}},
		"uncallable":                {map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}}, []string{"nothing is guarded"}},
		"open to two tokens":        {map[string]unguarded.Answer{two + ruled: open}, []string{ruled + " is open" + badly + "200" + malformed}},
		"failing with two tokens":   {map[string]unguarded.Answer{two + ruled: failed}, []string{ruled + " is not behind the guard" + badly + "500" + malformed}},
		"without rule, to tokens":   {map[string]unguarded.Answer{two + linked: open}, []string{linked + " is open" + badly + `200 and reason "", not with "RULE_MISSING": ` + noGuard + "; then compile its file into the table, or name sample.v1.CatalogService in policy.WithPublic"}},
		"joined tokens":             {map[string]unguarded.Answer{two + ruled: reason(interceptor.ReasonTokenInvalid)}, nil},
		"hanging with two tokens":   {map[string]unguarded.Answer{two + ruled: {Kind: unguarded.Hanging}}, []string{ruled + " is open: it has not refused a call with two tokens within 5s: " + noGuard}},
		"absent with two tokens":    {map[string]unguarded.Answer{two + ruled: {Kind: unguarded.Absent}}, []string{ruled + " is not behind the guard: it refuses a call without a token, and does not serve a call with two tokens: " + noGuard}},
		"a guard for the rest":      {map[string]unguarded.Answer{unknown: reason(interceptor.ReasonRuleMissing), linked: reason(interceptor.ReasonRuleMissing)}, nil},
		"the rest is open":          {map[string]unguarded.Answer{unknown: open, linked: open}, []string{theRest + openly + `"RULE_MISSING": guard it`}},
		"the rest hangs":            {map[string]unguarded.Answer{unknown: {Kind: unguarded.Hanging}, linked: open}, []string{theRest + " is open: it has not refused a call without a token within 5s: guard it"}},
		"open, and all of the rest": {map[string]unguarded.Answer{unknown: reason(interceptor.ReasonRuleMissing), linked: open}, []string{linked + openly + ruleless}},
	} {
		r := &harness.Report{TB: t}
		server(t, table, test.answers).Assert(r, table)
		for i, want := range test.want {
			test.want[i] = "test: " + want
		}
		r.Expect(t, name, test.want)
	}
}

// TestAssertHanging makes sure that the calls to a server that never answers end after three procedures.
func TestAssertHanging(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	r := &harness.Report{TB: t}
	server := server(t, table, nil)
	calls := 0
	server.Call = func(context.Context, unguarded.Procedure, []string) unguarded.Answer {
		calls++
		return unguarded.Answer{Kind: unguarded.Hanging}
	}
	const openly = " is open: it has not refused a call without a token within 5s: guard it"
	server.Assert(r, table)
	r.Expect(t, "hanging", []string{
		"test: every procedure that the server does not know" + openly, "test: /test.v1.Any/Bidi" + openly, "test: /test.v1.Any/Client" + openly,
		"test: /test.v1.Any/Server" + openly, "test: 3 procedures do not answer: the procedures after /test.v1.Any/Server are not called",
	})
	if calls != 4 {
		t.Errorf("%d calls", calls)
	}
}

// TestAssertHangingLater makes sure that the calls end also if a server hangs only for calls with tokens.
func TestAssertHangingLater(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	r := &harness.Report{TB: t}
	server := server(t, table, nil)
	hanging := 0
	server.Call = func(_ context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
		_, ok := table.Lookup(procedure.Name)
		switch {
		case ok && authorization == nil:
			return unguarded.Answer{Reason: interceptor.ReasonTokenMissing}
		case ok:
			return unguarded.Answer{Reason: interceptor.ReasonTokenMalformed}
		case authorization == nil:
			return unguarded.Answer{Kind: unguarded.Absent}
		}
		hanging++
		return unguarded.Answer{Kind: unguarded.Hanging}
	}
	server.Assert(r, table)
	if hanging != 3 {
		t.Errorf("%d calls have hung", hanging)
	}
}

// TestWellKnown makes sure that the procedures of frameworks are called, in order, and as streams if they are.
func TestWellKnown(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	server := server(t, table, nil)
	guarded, got := server.Call, []string{}
	server.Call = func(ctx context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
		if procedure.Method == nil && authorization == nil {
			got = append(got, fmt.Sprintf("%s %t", procedure.Name, procedure.Stream))
		}
		return guarded(ctx, procedure, authorization)
	}
	server.Assert(t, table)
	want := []string{
		"/protoauthz.guardtest.Nowhere/Nothing true",
		"/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus false",
		"/envoy.service.status.v3.ClientStatusDiscoveryService/StreamClientStatus true",
		"/grpc.channelz.v1.Channelz/GetChannel false",
		"/grpc.channelz.v1.Channelz/GetServer false",
		"/grpc.channelz.v1.Channelz/GetServerSockets false",
		"/grpc.channelz.v1.Channelz/GetServers false",
		"/grpc.channelz.v1.Channelz/GetSocket false",
		"/grpc.channelz.v1.Channelz/GetSubchannel false",
		"/grpc.channelz.v1.Channelz/GetTopChannels false",
		"/grpc.health.v1.Health/Check false",
		"/grpc.health.v1.Health/List false",
		"/grpc.health.v1.Health/Watch true",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo true",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo true",
		"/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("called are\n     %q\nwant %q", got, want)
	}
}

// A lateTest is a test in its cleanup.
type lateTest struct{ *harness.Report }

func (lateTest) Context() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestAssertNothing makes sure that a test which gives nothing to check fails, with one fault.
func TestAssertNothing(t *testing.T) {
	t.Parallel()
	table := harness.Rules(t)
	for name, test := range map[string]struct {
		given any
		table *policy.Table
		late  bool
		want  string
	}{
		"nil":          {nil, table, false, "the server is nil: give the server that is tested"},
		"nil pointer":  {(*http.ServeMux)(nil), table, false, "the server is nil: give the server that is tested"},
		"nil function": {http.HandlerFunc(nil), table, false, "the server is nil: give the server that is tested"},
		"nil table":    {t, nil, false, "the table is nil: give the table that policy.Compile returned"},
		"both nil":     {nil, nil, false, "the server is nil: give the server that is tested"},
		"empty table":  {t, new(policy.Table), false, "nothing is guarded"},
		"a cleanup":    {t, table, true, "the test is over: call the assertion before the test ends, not in a cleanup"},
	} {
		r := &harness.Report{TB: t}
		var user testing.TB = r
		if test.late {
			user = lateTest{r}
		}
		server := server(t, test.table, nil)
		server.Given = test.given
		server.Assert(user, test.table)
		r.Expect(t, name, []string{"test: " + test.want})
	}
}

// TestMessage makes sure that required fields are set, and that a message which requires itself ends, however
// often.
func TestMessage(t *testing.T) {
	t.Parallel()
	files, err := protos.Compile(t.Context(), "../../../proto", map[string]string{"loop.proto": `syntax = "proto2";
package loop;
message Loop { required Loop next = 1; required Loop other = 4; required string name = 2; optional string more = 3; }
`}, "loop.proto")
	if err != nil {
		t.Fatal(err)
	}
	message, depth := unguarded.Message(files[0].Messages().Get(0)).ProtoReflect(), 0
	for fields := message.Descriptor().Fields(); message.Has(fields.ByName("next")); message = message.Get(fields.ByName("next")).Message() {
		if depth++; !message.Has(fields.ByName("name")) || message.Has(fields.ByName("more")) {
			t.Errorf("at depth %d: %v", depth, message)
		}
	}
	if depth != 1000 {
		t.Errorf("it has depth %d", depth)
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
