package policydiff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// TestWays compares the kind, the place and the text of each change of a subject, of a client and of ways.
func TestWays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, before, after string
		want                []string // kind, the first word at the place, and the text
	}{
		{"nothing", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a"}`, nil},
		{"subject given", `authenticated: true`, `authenticated: true; subject: {field: "a"}`, []string{`SUBJECT_TIGHTENED at subject: the subject is taken from field:a, and was not checked`}},
		{"subject dropped", `authenticated: true; subject: {field: "a"}`, `authenticated: true`, []string{`SUBJECT_LOOSENED at option: the subject is not checked any more, and was taken from field:a`}},
		{"subject elsewhere", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "b"}`, []string{`SUBJECT_LOOSENED at subject: the subject is taken from field:b, and field:a is not checked any more`}},
		{"subject's pattern given", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a" pattern: "{subject}"}`, []string{`SUBJECT_TIGHTENED at subject: the subject is taken from field:a={subject}, and was taken from field:a`}},
		{"subject's pattern dropped", `authenticated: true; subject: {field: "a" pattern: "u/{subject}"}`, `authenticated: true; subject: {field: "a"}`, []string{`SUBJECT_LOOSENED at subject: the subject is taken from field:a, and field:a=u/{subject} is not checked any more`}},
		{"subject's field made a list", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a"}|repeated string a = 1;`, []string{`SUBJECT_TIGHTENED at subject: field:a is a list, or in a oneof, and the client must name the subject in all of the field`}},
		{"subject's field no longer a list", `authenticated: true; subject: {field: "a"}|repeated string a = 1;`, `authenticated: true; subject: {field: "a"}`, []string{`SUBJECT_LOOSENED at subject: field:a is another field than it was, or no list or not in its oneof any more`}},
		{"user said twice", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a"}; caller: CALLER_USER`, nil},
		{"user and subject for a client", `authenticated: true; caller: CALLER_CLIENT`, `authenticated: true; subject: {field: "a"}`, []string{`CALLER_LOOSENED at option: only a user may call; only a client could`, `SUBJECT_TIGHTENED at subject: the subject is taken from field:a, and was not checked`}},
		{"subject for users alone", `authenticated: true; caller: CALLER_USER`, `authenticated: true; subject: {field: "a"}`, []string{`SUBJECT_TIGHTENED at subject: the subject is taken from field:a, and was not checked`}},
		{"subject dropped for any user", `authenticated: true; subject: {field: "a"}`, `authenticated: true; caller: CALLER_USER`, []string{`SUBJECT_LOOSENED at option: the subject is not checked any more, and was taken from field:a`}},
		{"subject dropped for a user said twice", `authenticated: true; subject: {field: "a"}; caller: CALLER_USER`, `authenticated: true`, []string{`CALLER_LOOSENED at option: any caller may call; only a user could`, `SUBJECT_LOOSENED at option: the subject is not checked any more, and was taken from field:a`}},
		{"subject made a client", `authenticated: true; subject: {field: "a"}`, `authenticated: true; client: {field: "a"}`, []string{`SUBJECT_LOOSENED at option: the subject is not checked any more, and was taken from field:a`, `CLIENT_TIGHTENED at client: the client is taken from field:a, and was not checked`}},
		{"client given", `authenticated: true`, `authenticated: true; client: {field: "a"}`, []string{`CLIENT_TIGHTENED at client: the client is taken from field:a, and was not checked`}},
		{"client dropped", `authenticated: true; client: {field: "a"}`, `authenticated: true`, []string{`CLIENT_LOOSENED at option: the client is not checked any more, and was taken from field:a`}},
		{"client's pattern widened", `authenticated: true; client: {field: "a" pattern: "c/{client}"}`, `authenticated: true; client: {field: "a" pattern: "*/{client}"}`, []string{`CLIENT_LOOSENED at client: the client is taken from field:a=*/{client}, and field:a=c/{client} is not checked any more`}},
		{"client's pattern narrowed", `authenticated: true; client: {field: "a" pattern: "*/{client}"}`, `authenticated: true; client: {field: "a" pattern: "c/{client}"}`, []string{`CLIENT_TIGHTENED at client: the client is taken from field:a=c/{client}, and was taken from field:a=*/{client}`}},
		{"two patterns that say what one said", `authenticated: true; subject: {field: "a" pattern: "u/{subject}/*"}; client: {field: "a" pattern: "u/*/{client}"}`, `authenticated: true; subject: {field: "a" pattern: "*/{subject}/*"}; client: {field: "a" pattern: "u/*/{client}"}`, nil},
		{"the pattern of the other dropped", `authenticated: true; subject: {field: "a" pattern: "*/{subject}/*"}; client: {field: "a" pattern: "u/*/{client}"}`, `authenticated: true; subject: {field: "a" pattern: "*/{subject}/*"}`, []string{`CLIENT_LOOSENED at option: the client is not checked any more, and was taken from field:a=u/*/{client}`}},
		{"fields of two oneofs", `authenticated: true; subject: {field: "a"}; client: {field: "b"}`, `authenticated: true; subject: {field: "a"}; client: {field: "b"}|oneof c { string a = 1; } oneof d { string b = 2; }`, nil},
		{"alternative added", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, []string{`ALTERNATIVE_ADDED at "staff: way 1 is one more way in, and takes all of staff`}},
		{"authenticated alternative added", `scopes: ["staff"]`, `scopes: ["staff"]; alternatives: [{authenticated: true; subject: {field: "a"}}]`, []string{`ALTERNATIVE_ADDED at authenticated: way 1 is one more way in, and takes any token of the model, with the subject in field:a`}},
		{"alternative of any scopes added", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "a"}; alternatives: [{any_scopes: ["staff", "admin"]}]`, []string{`ALTERNATIVE_ADDED at "staff: way 1 is one more way in, and takes any of staff admin`}},
		{"alternative removed", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}`, []string{`ALTERNATIVE_REMOVED at option: way 1 is gone; it took all of staff`}},
		{"own way removed", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `scopes: ["staff"]`, []string{`ALTERNATIVE_REMOVED at option: way 0 is gone; it took any token of the model, with the subject in field:a`}},
		{"own way added", `scopes: ["staff"]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, []string{`ALTERNATIVE_ADDED at authenticated: way 0 is one more way in, and takes any token of the model, with the subject in field:a`}},
		{"another order", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}; {scopes: ["admin"]}]`, `scopes: ["admin"]; alternatives: [{authenticated: true; subject: {field: "a"}}; {scopes: ["staff"]}]`, nil},
		{"alternative that adds nobody", `scopes: ["staff"]`, `scopes: ["staff"]; alternatives: [{scopes: ["staff", "admin"]}]`, nil},
		{"alternative that added nobody", `scopes: ["staff"]; alternatives: [{scopes: ["staff", "admin"]}]`, `scopes: ["staff"]`, nil},
		{"any scope made an alternative", `any_scopes: ["staff", "admin"]`, `scopes: ["staff"]; alternatives: [{scopes: ["admin"]}]`, nil},
		{"alternatives made any scopes", `scopes: ["staff"]; alternatives: [{scopes: ["admin"]}]`, `any_scopes: ["admin", "staff"]`, nil},
		{"alternative narrowed", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, []string{`CALLER_TIGHTENED at caller: way 1: only a user may call; any caller could`}},
		{"alternative widened", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, []string{`CALLER_LOOSENED at {scopes: way 1: any caller may call; only a user could`}},
		{"alternative moved and widened", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["other"]}; {scopes: ["staff"]}]`, []string{`ALTERNATIVE_ADDED at "other: way 1 is one more way in, and takes all of other`, `CALLER_LOOSENED at {scopes: way 2: any caller may call; only a user could`}},
		{"alternative in another model", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; model: MODEL_ORGANIZATION_RESOURCE; organization: {field: "b"}}]`, []string{`MODEL_CHANGED at model: way 1: the model is organization_resource, and was global_resource`}},
		{"alternative of another audience", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; audience: "https://b.example.com"}]`, []string{`AUDIENCE_CHANGED at audience: way 1: the audience is "https://b.example.com", and was "https://api.example.com"`}},
		{"alternative replaced", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["admin"]}]`, []string{`SCOPE_REMOVED at "admin: way 1: scope "staff" is not required any more`, `SCOPE_ADDED at "admin: way 1: scope "admin" is required now`}},
		{"way narrowed to a part of another", `scopes: ["a"]; alternatives: [{scopes: ["b"]}]`, `scopes: ["a"]; alternatives: [{scopes: ["a", "c"]}]`, []string{`ALTERNATIVE_REMOVED at {scopes: way 1 is gone; it took all of b`}},
		{"same number before a lower one", `scopes: ["a"]; alternatives: [{scopes: ["b"]}]`, `scopes: ["c"]; alternatives: [{scopes: ["d"]}]`, []string{`SCOPE_REMOVED at "c: scope "a" is not required any more`, `SCOPE_ADDED at "c: scope "c" is required now`, `SCOPE_REMOVED at "d: way 1: scope "b" is not required any more`, `SCOPE_ADDED at "d: way 1: scope "d" is required now`}},
		{"nearest by what is looser", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{authenticated: true}; {scopes: ["other"]; caller: CALLER_USER}]`, []string{`ALTERNATIVE_ADDED at authenticated: way 1 is one more way in, and takes any token of the model`, `SCOPE_REMOVED at "other: way 2: scope "staff" is not required any more`}},
		{"nearest by what is tighter", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}]`, `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff", "admin"]; caller: CALLER_USER}; {scopes: ["other"]}]`, []string{`SCOPE_REMOVED at "other: way 2: scope "staff" is not required any more`, `SCOPE_ADDED at "other: way 2: scope "other" is required now`}},
		{"alternative of another audience removed", `scopes: ["staff"]; alternatives: [{scopes: ["staff"]; audience: "https://b.example.com"}]`, `scopes: ["staff"]`, []string{`ALTERNATIVE_REMOVED at option: way 1 is gone; it took all of staff`}},
		{"alternative for users that added nobody", `scopes: ["staff"]; caller: CALLER_USER; alternatives: [{scopes: ["staff", "admin"]; caller: CALLER_USER}]`, `scopes: ["staff"]; caller: CALLER_USER`, nil},
		{"alternative for users beside all", `scopes: ["staff"]; alternatives: [{scopes: ["staff"]; caller: CALLER_USER}]`, `scopes: ["staff"]`, nil},
		{"header of another model", `scopes: ["staff"]; model: MODEL_ORGANIZATION_RESOURCE; organization: {header: "x-a"}`, `scopes: ["staff"]; model: MODEL_ORGANIZATION_RESOURCE; organization: {header: "x-a"}; alternatives: [{scopes: ["admin"]}]`, []string{`ALTERNATIVE_ADDED at "admin: way 1 is one more way in, and takes all of admin`}},
		{"field of another name", `authenticated: true; subject: {field: "a"}`, `authenticated: true; subject: {field: "c"}|string c = 1;`, []string{`SUBJECT_LOOSENED at subject: the subject is taken from field:c, and field:a is not checked any more`}},
		{"alternative that others made up for", `scopes: ["a"]; alternatives: [{scopes: ["a"]; caller: CALLER_USER}]`, `scopes: ["a"]; alternatives: [{scopes: ["b"]}]`, []string{`CALLER_LOOSENED at {scopes: way 1: any caller may call; only a user could`, `SCOPE_REMOVED at "b: way 1: scope "a" is not required any more`}},
		{"two ways made one", `scopes: ["a"]; alternatives: [{scopes: ["b"]}]`, `scopes: ["c"]`, []string{`SCOPE_REMOVED at "c: scope "a" is not required any more`, `SCOPE_ADDED at "c: scope "c" is required now`, `ALTERNATIVE_REMOVED at option: way 1 is gone; it took all of b`}},
		{"alternative of another model removed", `authenticated: true; alternatives: [{authenticated: true; model: MODEL_ORGANIZATION_RESOURCE; organization: {header: "x-a"}}]`, `authenticated: true`, []string{`ALTERNATIVE_REMOVED at option: way 1 is gone; it took any token of the model`}},
		{"all named", `authenticated: true; model: MODEL_ORGANIZATION_RESOURCE; organization: {token: true}`, `authenticated: true; model: MODEL_ORGANIZATION_RESOURCE; organization: {field: "a"}; subject: {field: "b"}; client: {field: "c"}|string a = 1; string b = 2; string c = 3;`, []string{`ORGANIZATION_TIGHTENED at organization: the organization is taken from field:a, and was taken from token`, `SUBJECT_TIGHTENED at subject: the subject is taken from field:b, and was not checked`, `CLIENT_TIGHTENED at client: the client is taken from field:c, and was not checked`}},
		{"opened", `authenticated: true; subject: {field: "a"}; alternatives: [{scopes: ["staff"]}; {scopes: ["admin"]; client: {field: "b"}}]`, `public: true`, []string{`MADE_PUBLIC at public: anybody may call; it took any token of the model, with the subject in field:a; or all of staff; or all of admin, with the client in field:b`}},
		{"alternative alike", `scopes: ["staff"]; alternatives: [{scopes: ["staff"]; audience: "https://b.example.com"}]`, `public: true`, []string{`MADE_PUBLIC at public: anybody may call; it took all of staff`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before, after := waysIn(test.before), waysIn(test.after)
			var got []string
			for _, change := range policydiff.Compare(rulesOf(t, before), rulesOf(t, after)) {
				got = append(got, fmt.Sprintf("%s at %s: %s", change.Kind, standsAt(t, change.Place, after), change.Detail))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

// waysIn returns a file whose method has a rule. The text behind "|" is the fields of the request.
func waysIn(rule string) string {
	rule, fields, found := strings.Cut(rule, "|")
	source := protos.OrderService(global, "option (protoauthz.v1.method) = {\n"+strings.ReplaceAll(rule, "; ", ",\n")+"};")
	if found {
		source = strings.Replace(source, "string a = 1; string b = 2;", fields, 1)
	}
	return source
}

// TestAudienceOfWaysUnknown makes sure that a way is not missed whose calls another way lets in, if the audience
// was not known.
func TestAudienceOfWaysUnknown(t *testing.T) {
	t.Parallel()
	const procedure = "/order.v1.OrderService/Call0"
	before := &policy.Rule{Procedure: procedure, Way: policy.Way{Scopes: []string{"a"}}, Alternatives: []policy.Way{{Scopes: []string{"a", "b"}}}}
	after := &policy.Rule{Procedure: procedure, Way: policy.Way{Scopes: []string{"a"}, Audience: "https://api.example.com"}}
	for _, change := range policydiff.Compare([]*policy.Rule{before}, []*policy.Rule{after}) {
		t.Errorf("%s: %s", change.Kind, change.Detail)
	}
}

// TestSubjectIssuer compares rules whose subjects are of two issuers.
func TestSubjectIssuer(t *testing.T) {
	t.Parallel()
	of := func(issuer, rule string) []*policy.Rule {
		options := []policy.Option{policy.WithAudience("https://api.example.com")}
		if issuer != "" {
			options = append(options, policy.WithSubjectIssuer(issuer))
		}
		table, err := policy.Compile(compile(t, waysIn(rule)), options...)
		if err != nil {
			t.Fatal(err)
		}
		return table.Rules()
	}
	const one, two = "https://one.example.com", "https://two.example.com"
	const subject, client, both = `authenticated: true; subject: {field: "a"}`, `authenticated: true; client: {field: "a"}`, `authenticated: true; subject: {field: "a"}; client: {field: "b"}`
	for _, test := range []struct {
		before, after []*policy.Rule
		want          []string
	}{
		{of("", subject), of(one, subject), []string{"SUBJECT_TIGHTENED: the subject is taken from field:a for tokens of https://one.example.com, and was taken from field:a"}},
		{of(one, subject), of("", subject), []string{"SUBJECT_LOOSENED: the subject is taken from field:a, and field:a for tokens of https://one.example.com is not checked any more"}},
		{of(one, subject), of(one, subject), nil},
		{of(one, subject), of(two, subject), []string{"SUBJECT_LOOSENED: the subject is taken from field:a for tokens of https://two.example.com, and field:a for tokens of https://one.example.com is not checked any more"}},
		{of(one, client), of(two, client), []string{"CLIENT_LOOSENED: the client is taken from field:a for tokens of https://two.example.com, and field:a for tokens of https://one.example.com is not checked any more"}},
		{of(one, client), of(one, client), nil},
		{of(one, both), of(two, both), []string{"SUBJECT_LOOSENED: the subject is taken from field:a for tokens of https://two.example.com, and field:a for tokens of https://one.example.com is not checked any more", "CLIENT_LOOSENED: the client is taken from field:b for tokens of https://two.example.com, and field:b for tokens of https://one.example.com is not checked any more"}},
		{of(one, both), of(one, subject), []string{"CLIENT_LOOSENED: the client is not checked any more, and was taken from field:b for tokens of https://one.example.com"}},
		{of(one, subject), of(one, both), []string{"CLIENT_TIGHTENED: the client is taken from field:b for tokens of https://one.example.com, and was not checked"}},
	} {
		var got []string
		for _, change := range policydiff.Compare(test.before, test.after) {
			got = append(got, string(change.Kind)+": "+change.Detail)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}
