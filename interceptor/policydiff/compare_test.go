package policydiff_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

func compile(t testing.TB, source string) policy.Files {
	t.Helper()
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func rulesOf(t testing.TB, source string) []*policy.Rule {
	t.Helper()
	table, err := policy.Compile(compile(t, source), policy.WithAudience("https://api.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	return table.Rules()
}

const (
	global   = `option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`
	resource = `option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "a"}};`
	member   = `option (protoauthz.v1.service) = {model: MODEL_ORGANIZATION, organization: {field: "a"}};`
)

// TestCompare compares the kind and place of each change of a rule. A test of package interceptor
// compares which changes are looser with the decisions of the guard.
func TestCompare(t *testing.T) {
	t.Parallel()
	method := func(rule string) string {
		return protos.OrderService(global, "option (protoauthz.v1.method) = {"+rule+"};")
	}
	inOrganization := func(rule string) string {
		return protos.OrderService(resource, "option (protoauthz.v1.method) = {"+rule+"};")
	}
	request := func(fields string) string {
		return strings.Replace(inOrganization(`scopes: ["a"]`), "string a = 1; string b = 2;", fields, 1)
	}
	nested := func(encoding string) string {
		return strings.NewReplacer(`syntax = "proto3"`, `edition = "2023"`, `field: "a"`, `field: "a.a"`, "string a = 1; string b = 2;", "Nested a = 1 "+encoding+";").
			Replace(inOrganization(`scopes: ["a"]`)) + " message Nested { string a = 1; }"
	}
	idle := func(audience string) string { // a service of MODEL_ORGANIZATION, whose audience does not count
		return protos.OrderService(strings.Replace(member, "model", `audience: "`+audience+`" model`, 1), `option (protoauthz.v1.method) = {scopes: ["a"]};`)
	}
	fields := func(rule string) string { return protos.OrderService(resource, rule) }
	for _, test := range []struct {
		name, before, after string
		want                []string // kind, and the first word at the place
	}{
		{"nothing", method(`scopes: ["a"]`), method(`scopes: ["a"]`), nil},
		{"another order", method(`scopes: ["a", "b"]`), method(`scopes: ["b", "a"]`), nil},
		{"another list", method(`scopes: ["a"]`), method(`any_scopes: ["a"]`), nil},
		{"still public", method(`public: true`), method(`public: true`), nil},
		{"still authenticated", method(`authenticated: true`), method(`authenticated: true`), nil},
		{"made public", method(`scopes: ["a"]`), method(`public: true`), []string{"MADE_PUBLIC at public"}},
		{"not public", method(`public: true`), method(`scopes: ["a"]`), []string{"PUBLIC_DROPPED at option"}},
		{"made authenticated", method(`scopes: ["a"] any_scopes: ["b"]`), method(`authenticated: true`), []string{"MADE_AUTHENTICATED at authenticated"}},
		{"not authenticated", method(`authenticated: true`), method(`scopes: ["a"]`), []string{`SCOPE_ADDED at "a`}},
		{"scope removed", method(`scopes: ["a", "b"]`), method(`scopes: ["a"]`), []string{`SCOPE_REMOVED at "a`}},
		{"scope added", method(`scopes: ["a"]`), method(`scopes: ["a", "b"]`), []string{`SCOPE_ADDED at "b`}},
		{"scope replaced", method(`scopes: ["a"]`), method(`scopes: ["b"]`), []string{`SCOPE_REMOVED at "b`, `SCOPE_ADDED at "b`}},
		{"scope made an alternative", method(`scopes: ["a", "b"]`), method(`scopes: ["a"] any_scopes: ["b", "c"]`), []string{`SCOPE_REMOVED at "b`}},
		{"alternative added", method(`any_scopes: ["a"]`), method(`any_scopes: ["a", "b"]`), []string{`ANY_SCOPE_ADDED at "b`}},
		{"another alternative added", method(`any_scopes: ["a", "b"]`), method(`any_scopes: ["a", "b", "c"]`), []string{`ANY_SCOPE_ADDED at "c`}},
		{"alternative removed", method(`any_scopes: ["a", "b", "c"]`), method(`any_scopes: ["a", "b"]`), []string{`ANY_SCOPE_REMOVED at "a`}},
		{"choice removed", method(`scopes: ["c"] any_scopes: ["a", "b"]`), method(`scopes: ["c"]`), []string{"SCOPE_REMOVED at option"}},
		{"choice added", method(`scopes: ["c"]`), method(`scopes: ["c"] any_scopes: ["a", "b"]`), []string{`SCOPE_ADDED at "a`}},
		{"choice made", method(`any_scopes: ["a", "b"]`), method(`scopes: ["a"]`), []string{`SCOPE_ADDED at "a`}},
		{"caller dropped", method(`scopes: ["a"] caller: CALLER_CLIENT`), method(`scopes: ["a"]`), []string{"CALLER_LOOSENED at option"}},
		{"caller changed", method(`scopes: ["a"] caller: CALLER_CLIENT`), method(`scopes: ["a"] caller: CALLER_USER`), []string{"CALLER_LOOSENED at caller"}},
		{"caller given", method(`scopes: ["a"]`), method(`scopes: ["a"] caller: CALLER_USER`), []string{"CALLER_TIGHTENED at caller"}},
		{"audience given", method(`scopes: ["a"]`), method(`scopes: ["a"] audience: "https://b.example.com"`), []string{"AUDIENCE_CHANGED at audience"}},
		{"audience dropped", method(`scopes: ["a"] audience: "https://b.example.com"`), method(`scopes: ["a"]`), []string{"AUDIENCE_CHANGED at option"}},
		{"the same audience, said elsewhere", method(`scopes: ["a"] audience: "https://api.example.com"`), method(`scopes: ["a"]`), nil},
		{"model of the service", method(`scopes: ["a"]`), inOrganization(`scopes: ["a"]`), []string{"MODEL_CHANGED at model"}},
		{"model of the method", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] model: MODEL_GLOBAL_RESOURCE`), []string{"MODEL_CHANGED at model"}},
		{"model and audience", inOrganization(`scopes: ["a"]`), method(`scopes: ["a"] audience: "https://b.example.com"`), []string{"MODEL_CHANGED at model", "AUDIENCE_CHANGED at audience"}},
		{
			"between organization models", protos.OrderService(member, `option (protoauthz.v1.method) = {scopes: ["a"]};`), fields(`option (protoauthz.v1.method) = {scopes: ["a"] organization: {token: true}};`),
			[]string{"MODEL_CHANGED at model", "ORGANIZATION_LOOSENED at organization"},
		},
		{"audience of an organization", protos.OrderService(member, `option (protoauthz.v1.method) = {scopes: ["a"]};`), idle("https://b.example.com"), nil},
		{"from a model without audience", idle("https://b.example.com"), inOrganization(`scopes: ["a"]`), []string{"MODEL_CHANGED at model"}},
		{"to a model without audience", inOrganization(`scopes: ["a"]`), idle("https://b.example.com"), []string{"MODEL_CHANGED at model"}},
		{"field to token", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] organization: {token: true}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"token to field", inOrganization(`scopes: ["a"] organization: {token: true}`), inOrganization(`scopes: ["a"]`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"token to header", inOrganization(`scopes: ["a"] organization: {token: true}`), inOrganization(`scopes: ["a"] organization: {header: "x-a"}`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"field to header", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] organization: {header: "a"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"header to field", inOrganization(`scopes: ["a"] organization: {header: "a"}`), inOrganization(`scopes: ["a"]`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"header to another", inOrganization(`scopes: ["a"] organization: {header: "x-a"}`), inOrganization(`scopes: ["a"] organization: {header: "x-b"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field to another", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] organization: {field: "b"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"header in another case", inOrganization(`scopes: ["a"] organization: {header: "x-a"}`), inOrganization(`scopes: ["a"] organization: {header: "X-A"}`), nil},
		{"the same field, said elsewhere", inOrganization(`scopes: ["a"] organization: {field: "a"}`), inOrganization(`scopes: ["a"]`), nil},
		{"pattern given", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "o/{organization}"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"pattern of one segment given", inOrganization(`scopes: ["a"]`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "{organization}"}`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"pattern dropped", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "o/{organization}"}`), inOrganization(`scopes: ["a"]`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"pattern narrowed", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "*/{organization}"}`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "o/{organization}"}`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"pattern widened", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "o/{organization}"}`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "*/{organization}"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"pattern turned around", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "{organization}/*"}`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "*/{organization}"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"pattern cut", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "{organization}/*"}`), inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "{organization}"}`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field of another number", inOrganization(`scopes: ["a"]`), request(`string b = 1; string a = 2;`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field made a list", inOrganization(`scopes: ["a"]`), request(`repeated string a = 1;`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"field no longer a list", request(`repeated string a = 1;`), inOrganization(`scopes: ["a"]`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field made a list, and its pattern dropped", inOrganization(`scopes: ["a"] organization: {field: "a" pattern: "o/{organization}"}`), request(`repeated string a = 1;`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field out of its oneof", request(`oneof c { string a = 1; string b = 2; }`), request(`string a = 1; string b = 2;`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"a field out of the oneof beside", request(`oneof c { string a = 1; string b = 2; }`), request(`oneof c { string a = 1; } string b = 2;`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"field into a oneof", request(`string a = 1; string b = 2;`), request(`oneof c { string a = 1; string b = 2; }`), []string{"ORGANIZATION_TIGHTENED at organization"}},
		{"oneof as it was", request(`oneof c { string a = 1; string b = 2; }`), request(`oneof c { string a = 1; string b = 2; }`), nil},
		{"oneof of one field", request(`oneof c { string a = 1; }`), request(`string a = 1;`), nil},
		{"still a list", request(`repeated string a = 1;`), request(`repeated string a = 1;`), nil},
		{"message encoded otherwise", nested(``), nested(`[features.message_encoding = DELIMITED]`), []string{"ORGANIZATION_LOOSENED at organization"}},
		{"message encoded as it was", nested(``), nested(``), nil},
		{"field and the message around it", inOrganization(`scopes: ["a"]`), request(`optional string a = 1; oneof c { string b = 2; }`), nil},
		{
			"methods come and go", protos.OrderService(global, `option (protoauthz.v1.method) = {public: true};`, ``, `option (protoauthz.v1.method) = {public: true};`),
			protos.OrderService(global, `option (protoauthz.v1.method) = {public: true};`, `option (protoauthz.v1.method) = {public: true};`),
			[]string{"METHOD_ADDED at rpc", "METHOD_REMOVED at rpc"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, change := range policydiff.Compare(rulesOf(t, test.before), rulesOf(t, test.after)) {
				source := test.after
				if change.New == nil {
					source = test.before
				}
				got = append(got, fmt.Sprintf("%s at %s", change.Kind, standsAt(t, change.Place, source)))
				if change.Detail == "" || !strings.HasPrefix(change.Procedure(), "/order.v1.OrderService/Call") {
					t.Errorf("%s of %q: %q", change.Kind, change.Procedure(), change.Detail)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestDetails compares the texts of changes.
func TestDetails(t *testing.T) {
	t.Parallel()
	method := func(rule string) []*policy.Rule {
		return rulesOf(t, protos.OrderService(global, "option (protoauthz.v1.method) = {"+rule+"};"))
	}
	from := func(organization, field string) []*policy.Rule {
		source := protos.OrderService(resource, `option (protoauthz.v1.method) = {scopes: ["a"] organization: {`+organization+`}};`)
		return rulesOf(t, strings.Replace(source, "string a = 1;", field+" = 1;", 1))
	}
	made := func(location policy.Location) []*policy.Rule { // of a field and of a header with the same name
		return []*policy.Rule{{Procedure: "/order.v1.OrderService/Call0", Way: policy.Way{Organization: &policy.Organization{Location: location, Name: "a"}}}}
	}
	const one, many = "string a", "repeated string a"
	for _, test := range []struct {
		before, after []*policy.Rule
		want          string
	}{
		{from(`field: "a"`, one), from(`token: true`, one), "the organization is taken from token, and field:a is not checked any more"},
		{from(`token: true`, one), from(`field: "a"`, one), "the organization is taken from field:a, and was taken from token"},
		{from(`field: "a"`, one), from(`field: "a"`, many), "field:a is a list, or in a oneof, and the client must name the organization in all of the field"},
		{from(`field: "a"`, many), from(`field: "a"`, one), "field:a is another field than it was, or no list or not in its oneof any more"},
		{made(policy.LocationField), made(policy.LocationHeader), "the organization is taken from header:a, and field:a is not checked any more"},
		{method(`authenticated: true`), method(`public: true`), "anybody may call; it took any token of the model"},
		{method(`scopes: ["a"] any_scopes: ["b", "c"]`), method(`public: true`), "anybody may call; it took all of a, any of b c"},
		{method(`scopes: ["a"]`), method(`scopes: ["a"] caller: CALLER_USER`), "only a user may call; any caller could"},
		{nil, method(`public: true`), "takes no token"},
		{method(`scopes: ["a"]`), nil, "took all of a"},
	} {
		changes := policydiff.Compare(test.before, test.after)
		if len(changes) != 1 || changes[0].Detail != test.want {
			t.Errorf("got %d changes, %v, want %q", len(changes), changes, test.want)
		}
	}
}

// standsAt returns the first word at a place.
func standsAt(t testing.TB, place policy.Place, source string) string {
	t.Helper()
	location, ok := place.Position()
	if !ok {
		t.Fatalf("no location of %v", place)
	}
	line := strings.Split(source, "\n")[location.StartLine]
	return regexp.MustCompile(`^\W?\w*`).FindString(line[location.StartColumn:])
}

// TestCompareByName compares rules of services that are known by their names alone.
func TestCompareByName(t *testing.T) {
	t.Parallel()
	byName := []*policy.Rule{{Procedure: "/order.v1.OrderService/*", Public: true}}
	scoped := rulesOf(t, protos.OrderService(global, `option (protoauthz.v1.method) = {scopes: ["a"]};`))
	open := rulesOf(t, protos.OrderService(global, `option (protoauthz.v1.method) = {public: true};`))
	refused := []*policy.Rule{{Procedure: "/order.v1.OrderService/Call0", Method: scoped[0].Method, Unannotated: true}}
	for _, test := range []struct {
		name          string
		before, after []*policy.Rule
		want          []string
	}{
		{"new", nil, byName, []string{"METHOD_ADDED /order.v1.OrderService/*"}},
		{"gone", byName, nil, []string{"METHOD_REMOVED /order.v1.OrderService/*"}},
		{"still there", byName, byName, nil},
		{"opened by name", scoped, byName, []string{"METHOD_ADDED /order.v1.OrderService/*", "MADE_PUBLIC /order.v1.OrderService/Call0"}},
		{"refused before", refused, byName, []string{"METHOD_ADDED /order.v1.OrderService/*", "MADE_PUBLIC /order.v1.OrderService/Call0"}},
		{"open before", open, byName, []string{"METHOD_ADDED /order.v1.OrderService/*"}},
		{"given rules", byName, scoped, []string{"METHOD_REMOVED /order.v1.OrderService/*", "PUBLIC_DROPPED /order.v1.OrderService/Call0"}},
		{"another service", scoped, []*policy.Rule{{Procedure: "/order.v1.Order/*", Public: true}}, []string{"METHOD_ADDED /order.v1.Order/*", "METHOD_REMOVED /order.v1.OrderService/Call0"}},
	} {
		var got []string
		for _, change := range policydiff.Compare(test.before, test.after) {
			got = append(got, string(change.Kind)+" "+change.Procedure())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestChangeKinds makes sure that each kind is looser or not on purpose.
func TestChangeKinds(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("change.go")
	if err != nil {
		t.Fatal(err)
	}
	var looser []string
	for _, match := range regexp.MustCompile(`ChangeKind = "(.+)"`).FindAllStringSubmatch(string(source), -1) {
		if policydiff.ChangeKind(match[1]).Looser() {
			looser = append(looser, match[1])
		}
	}
	want := []string{
		"MADE_PUBLIC", "ENFORCEMENT_DROPPED", "MADE_AUTHENTICATED", "SCOPE_REMOVED", "ANY_SCOPE_ADDED", "MODEL_CHANGED", "AUDIENCE_CHANGED",
		"ORGANIZATION_LOOSENED", "CALLER_LOOSENED", "SUBJECT_LOOSENED", "CLIENT_LOOSENED", "ALTERNATIVE_ADDED",
	}
	if !slices.Equal(looser, want) {
		t.Errorf("looser kinds are %q, want %q", looser, want)
	}
}

// TestAudienceUnknown makes sure that rules without an audience, which perhaps only the server has,
// can be compared, and that a lost audience is a change.
func TestAudienceUnknown(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(global, `option (protoauthz.v1.method) = {scopes: ["a"]};`, `option (protoauthz.v1.method) = {scopes: ["a", "a"]};`)
	_, err := policy.Compile(compile(t, source))
	var compileErr *policy.Error
	if !errors.As(err, &compileErr) {
		t.Fatalf("the error is %T", err)
	}
	unknown := compileErr.Rules
	if len(unknown) != 1 || unknown[0].Audience != "" || len(compileErr.Faults) != 3 {
		t.Fatalf("%d rules, faults %v", len(unknown), err)
	}
	known := rulesOf(t, protos.OrderService(global, `option (protoauthz.v1.method) = {authenticated: true};`))
	for _, test := range []struct {
		before, after []*policy.Rule
		want          []policydiff.ChangeKind
	}{
		{unknown, unknown, nil},
		{unknown, known, []policydiff.ChangeKind{policydiff.ChangeMadeAuthenticated}},
		{known, unknown, []policydiff.ChangeKind{policydiff.ChangeAudience, policydiff.ChangeScopeAdded}},
	} {
		var got []policydiff.ChangeKind
		for _, change := range policydiff.Compare(test.before, test.after) {
			got = append(got, change.Kind)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("from %v to %v: got %v, want %v", test.before, test.after, got, test.want)
		}
	}
}

// TestAudienceUnknownWays makes sure that an audience that is not known before is one audience, and not each.
func TestAudienceUnknownWays(t *testing.T) {
	t.Parallel()
	rules := func(service, rule string) []*policy.Rule {
		table, err := policy.Compile(compile(t, protos.OrderService(service, "option (protoauthz.v1.method) = {"+rule+"};")))
		if found, ok := errors.AsType[*policy.Error](err); ok {
			return found.Rules
		}
		return table.Rules()
	}
	const own, x, y = `scopes: ["a"]`, `scopes: ["a"], audience: "https://x.example.com"`, `scopes: ["a"], audience: "https://y.example.com"`
	const xb, yc, organization = `scopes: ["b"], audience: "https://x.example.com"`, `scopes: ["c"], audience: "https://y.example.com"`, `scopes: ["a"], model: MODEL_ORGANIZATION, organization: {field: "a"}`
	const anybody = `authenticated: true, audience: "https://x.example.com"`
	ways := func(first, second string) string { return first + ", alternatives: [{" + second + "}]" }
	for _, test := range []struct {
		before, after, service string // service is the option after, if another
		want                   []string
	}{
		{own, x, "", nil},
		{own, ways(own, x), "", []string{"ALTERNATIVE_ADDED: way 1 is one more way in, and takes all of a"}},
		{own, ways(x, own), "", []string{"ALTERNATIVE_ADDED: way 0 is one more way in, and takes all of a"}},
		{own, ways(x, y), "", []string{"ALTERNATIVE_ADDED: way 1 is one more way in, and takes all of a"}},
		{ways(own, x), ways(x, y), "", nil},
		{ways(own, x), ways(y, x), "", nil},
		{ways(own, x), ways(own, y), "", []string{`AUDIENCE_CHANGED: way 1: the audience is "https://y.example.com", and was "https://x.example.com"`}},
		{ways(own, x), own, "", []string{"ALTERNATIVE_REMOVED: way 1 is gone; it took all of a"}},
		{ways(own, x), x, "", nil},
		{ways(own, xb), x, "", []string{"ALTERNATIVE_REMOVED: way 1 is gone; it took all of b"}},
		{own + ", alternatives: [{" + xb + "}, {" + yc + "}]", ways(x, y), "", []string{
			`SCOPE_REMOVED: way 1: scope "c" is not required any more`, `SCOPE_ADDED: way 1: scope "a" is required now`, "ALTERNATIVE_REMOVED: way 1 is gone; it took all of b",
		}},
		{ways(organization, own), ways(organization, x), "", nil},
		{ways(organization, own), ways(organization, anybody), "", []string{"MADE_AUTHENTICATED: way 1: any token of the model will do; it took all of a"}},
		{ways(organization, x), ways(organization, own), "", []string{`AUDIENCE_CHANGED: way 1: the audience is "", and was "https://x.example.com"`}},
		{
			ways(organization, own), ways(organization, x),
			`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://y.example.com"};`, nil,
		},
	} {
		var got []string
		for _, change := range policydiff.Compare(rules(global, test.before), rules(cmp.Or(test.service, global), test.after)) {
			got = append(got, fmt.Sprintf("%s: %s", change.Kind, change.Detail))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("from %s to %s: got %q, want %q", test.before, test.after, got, test.want)
		}
	}
}
