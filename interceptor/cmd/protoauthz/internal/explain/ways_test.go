package explain_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// waysProto has a method for each mixture of ways.
const waysProto = `syntax = "proto3"; package way.v1; import "protoauthz/v1/authz.proto";
message Request { string user = 1; string name = 2; string client = 3; string organization = 4; repeated string users = 5; }
service WayService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc Self(stream Request) returns (Request) { option (protoauthz.v1.method) = {authenticated: true, subject: {field: "user"}}; }
  rpc Each(Request) returns (Request) { option (protoauthz.v1.method) = {authenticated: true, subject: {field: "users"}}; }
  rpc Named(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["own"], subject: {field: "name", pattern: "users/{subject}/a"}, client: {field: "client"}}; }
  rpc Machine(Request) returns (Request) { option (protoauthz.v1.method) = {authenticated: true, client: {field: "client"}}; }
  rpc Staff(stream Request) returns (Request) { option (protoauthz.v1.method) = {
    authenticated: true, subject: {field: "user"}, alternatives: [{scopes: ["staff"], caller: CALLER_USER}, {scopes: ["sync"], caller: CALLER_CLIENT, client: {field: "client"}}] }; }
  rpc Across(stream Request) returns (Request) { option (protoauthz.v1.method) = {
    scopes: ["read"], model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization"}, subject: {field: "user"},
    alternatives: [{scopes: ["support"]}, {scopes: ["read"], model: MODEL_ORGANIZATION_RESOURCE, organization: {header: "x-organization"}}] }; }
}`

// waysTable compiles waysProto for users and clients of an issuer.
func waysTable(t *testing.T, issuer string) *policy.Table {
	t.Helper()
	files, err := protos.Compile(t.Context(), "../../../../../proto", map[string]string{"way.proto": waysProto}, "way.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, policy.WithAudience(tokens.API), policy.WithSubjectIssuer(issuer))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// way asks about a call of a method of waysProto, with messages in the text format unless there is none.
func way(t *testing.T, table *policy.Table, method, raw string, messages ...string) explain.Question {
	t.Helper()
	q := explain.Question{Table: table, Inspect: explain.Inspector(issuer("any")), Procedure: "/way.v1.WayService/" + method, Authorization: []string{"Bearer " + raw}}
	rule, _ := table.Lookup(q.Procedure)
	for _, text := range messages {
		message := dynamicpb.NewMessage(rule.Method.Input())
		if err := prototext.Unmarshal([]byte(text), message); err != nil {
			t.Fatal(err)
		}
		q.Messages = append(q.Messages, message)
	}
	return q
}

// explanation returns the refusing step and the outcomes of the ways in short.
func explanation(e *explain.Explanation) (step explain.Step, ways []string) {
	if n := slices.IndexFunc(e.Steps, func(step explain.Step) bool { return step.Status == explain.StatusRefused }); n >= 0 {
		step = e.Steps[n]
	}
	for _, way := range e.Ways {
		text := string(way.Status)
		if way.Check != "" {
			text += " " + string(way.Check)
		}
		if way.Message > 0 {
			text += fmt.Sprintf(" %d", way.Message)
		}
		ways = append(ways, text)
	}
	return step, ways
}

// TestWays compares which way came furthest, and what must change.
func TestWays(t *testing.T) {
	t.Parallel()
	table := waysTable(t, tokens.I1.URL)
	elsewhere := waysTable(t, "https://other.test")
	user, client := []any{"sub", "alice", "client_id", "app_1"}, []any{"sub", "app_1", "client_id", "app_1"}
	with := func(claims []any, more ...any) []any { return slices.Concat(claims, more) }
	const none = "none"
	for _, test := range []struct {
		name, method string
		table        *policy.Table
		claims       []any
		messages     string // separated by ;
		way          int
		check        explain.Check
		change       string // or the text for a call that is let in
		ways         string
	}{
		{"self", "Self", table, user, `user: "alice"`, 0, "", "let in", ""},
		{"another", "Self", table, user, `user: "alice"; user: "bob"`, 0, "subject", "name the user alice in the field user of every message, or use a token of the user that is meant", ""},
		{"not known", "Self", table, user, "", 0, "", "let in once its message names the user alice", ""},
		{"no message", "Self", table, user, none, 0, "subject", "name the user alice", ""},
		{"a client", "Self", table, client, `user: "app_1"`, 0, "subject", "use the token of a user who has signed in", ""},
		{"of another issuer", "Self", elsewhere, user, `user: "alice"`, 0, "subject", "use a token of the issuer https://other.test, whose users the request names", ""},
		{"each", "Each", table, user, `users: "alice" users: "bob"`, 0, "subject", "name the user alice in each users of the message", ""},
		{"the client of another issuer", "Named", elsewhere, with(user, "scope", "own"), `client: "app_1"`, 0, "subject", "whose users the request names", ""},
		{"both", "Named", table, with(user, "scope", "own"), `name: "users/bob/a" client: "app_1"`, 0, "subject", "name the user alice in the field name of the message, as users/alice/a, and the client app_1 in the field client of the message, or use a token of the user and of the client that are meant", ""},
		{"both, not known", "Named", table, with(user, "scope", "own"), "", 0, "", "let in once its message names the user alice and the client app_1", ""},
		{"of unknown kind", "Self", table, []any{"sub", "alice", "client_id", tokens.Absent{}}, `user: "alice"`, 0, "subject", "set ClientTokens or UserTokens of the issuer", ""},
		{"no client", "Machine", table, []any{"sub", "alice", "client_id", tokens.Absent{}}, `client: ""`, 0, "subject", "use a token that names its client", ""},
		{"a client elsewhere", "Machine", elsewhere, client, `client: "app_1"`, 0, "subject", "use a token of the issuer https://other.test, whose clients the request names", ""},
		{"a client of a user", "Machine", table, user, `client: "app_1"`, 0, "", "let in", ""},
		{"by the message", "Staff", table, user, `user: "alice"`, 0, "", "let in", "passed; refused scopes; refused caller"},
		{"by the scope", "Staff", table, with(user, "scope", "staff"), `user: "bob"`, 1, "", "let in", "refused subject 1; passed; refused caller"},
		{"by the scope, not known", "Staff", table, with(user, "scope", "staff"), "", 1, "", "let in\n", "not_made; passed; refused caller"},
		{"by the message, not known", "Staff", table, user, "", 0, "", "let in once its message names the user alice", "not_made; refused scopes; refused caller"},
		{"by the client", "Staff", table, with(client, "scope", "sync"), `client: "app_1"`, 2, "", "let in", "refused subject; refused caller; passed"},
		{"another client", "Staff", table, with(client, "scope", "sync"), `client: "app_1"; client: "app_2"`, 2, "subject", "name the client app_1 in the field client of every message, or use a token of the client that is meant", "refused subject; refused caller; refused subject 2"},
		{"a client, furthest", "Staff", table, client, "", 0, "subject", "use the token of a user who has signed in", "refused subject; refused caller; refused scopes"},
		{"another audience", "Staff", table, with(user, "aud", "https://other.test"), "", 0, "model", "resource (audience) " + tokens.API, "refused model; refused model; refused model"},
		{"no organization", "Across", table, with(user, "scope", "read"), "", 1, "scopes", "the scope support", "refused model; refused scopes; refused model"},
		{"another organization", "Across", table, with(user, "scope", "read", "organization_id", "acme"), `organization: "globex" user: "alice"`, 0, "organization", "name the organization acme in the field organization of every message", "refused organization 1; refused model; refused organization"},
		{"another user", "Across", table, with(user, "scope", "read", "organization_id", "acme"), `organization: "acme" user: "bob"`, 0, "subject", "name the user alice in the field user of every message", "refused subject 1; refused model; refused organization"},
		{"a client in an organization", "Across", table, with(client, "scope", "read", "organization_id", "acme"), `organization: "acme" user: "bob"`, 0, "subject", "use the token of a user who has signed in", "refused subject; refused model; refused organization"},
		{"two, not known, in one text", "Across", table, with(user, "scope", "read", "organization_id", "acme"), "", 0, "", "  ?        subject        not known: see organization\n", "not_made; refused model; refused organization"},
		{"two, not known", "Across", table, with(user, "scope", "read", "organization_id", "acme"), "", 0, "", "let in once its message names the organization acme and the user alice", "not_made; refused model; refused organization"},
		{"malformed", "Across", table, with(user, "exp", 1), "", 0, "time", "ask the issuer for a new token", "not_reached; not_reached; not_reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q := way(t, test.table, test.method, scene.Token(tokens.I1.ES256, test.claims...), strings.FieldsFunc(strings.TrimPrefix(test.messages, none), func(r rune) bool { return r == ';' })...)
				if test.messages == none {
					q.Messages = []proto.Message{}
				}
				e := explain.Explain(t.Context(), q)
				step, ways := explanation(e)
				var text strings.Builder
				if err := e.WriteText(&text, false); err != nil {
					t.Error(err)
				}
				if step.Check != test.check || !strings.Contains(step.Change, test.change) && (test.check != "" || !strings.Contains(text.String(), test.change)) || e.Way != test.way || strings.Join(ways, "; ") != test.ways {
					t.Errorf("way %d, refused by %q, to change: %s\nways %s\n%s", e.Way, step.Check, step.Change, strings.Join(ways, "; "), &text)
				}
				for _, step := range e.Steps {
					want, known := map[string]explain.Status{"a client in an organization": explain.StatusNotReached, "another user": explain.StatusPassed}[test.name]
					if known && step.Check == explain.CheckOrganization && step.Status != want {
						t.Errorf("the organization is %s, want %s", step.Status, want)
					}
				}
			})
		})
	}
}

// TestFurthest makes sure that the way that came furthest is the first of those that fell last and passed most checks, and
// that a call is let in exactly if one way alone lets it in.
func TestFurthest(t *testing.T) {
	t.Parallel()
	table := waysTable(t, tokens.I1.URL)
	order := []explain.Check{explain.CheckModel, explain.CheckCaller, explain.CheckScopes, explain.CheckOrganization, explain.CheckSubject}
	choices := [][]any{
		{"sub", "alice", "sub", "app_1"}, {"scope", "", "scope", "read", "scope", "staff sync", "scope", "support read"},
		{"organization_id", tokens.Absent{}, "organization_id", "acme"}, {"aud", tokens.API, "aud", "https://other.test"},
	}
	claims := [][]any{nil}
	for _, choice := range choices {
		var next [][]any
		for _, before := range claims {
			for pair := range slices.Chunk(choice, 2) {
				next = append(next, slices.Concat(before, pair))
			}
		}
		claims = next
	}
	texts := []string{"", `user: "alice" client: "app_1" organization: "acme"`, `user: "bob" client: "app_1" organization: "acme"`, `user: "alice" client: "app_2" organization: "acme"`, `user: "alice" organization: "globex"`}
	synctest.Test(t, func(t *testing.T) {
		judged := 0
		for _, changes := range claims {
			raw := scene.Token(tokens.I1.ES256, changes...)
			for _, method := range []string{"Staff", "Across"} {
				for _, first := range texts {
					for _, second := range texts[:3] {
						e := explain.Explain(t.Context(), way(t, table, method, raw, first, second))
						furthest, in := 0, e.Ways[0].Status == explain.StatusPassed
						for n, way := range e.Ways[1:] {
							best := e.Ways[furthest]
							if in = in || way.Status == explain.StatusPassed; way.Message > best.Message || way.Message == best.Message && slices.Index(order, way.Check) > slices.Index(order, best.Check) {
								furthest = n + 1
							}
						}
						step, ways := explanation(e)
						if in != (e.Decision == explain.Allowed) || !in && (e.Way != furthest || e.Ways[furthest].Check != step.Check || e.Ways[furthest].Change != step.Change || e.Ways[furthest].Message != e.Message) {
							t.Fatalf("%s by %v, %s, %s: %s, way %d, refused by %s at message %d; ways %q", method, changes, first, second, e.Decision, e.Way, step.Check, e.Message, ways)
						}
						judged++
					}
				}
			}
		}
		if judged != 32*2*15 {
			t.Errorf("%d calls are explained", judged)
		}
	})
}
