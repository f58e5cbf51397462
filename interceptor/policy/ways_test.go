package policy_test

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const waysAudience = "https://api.example.com"

// waysTable compiles one method of a global service, order.v1.OrderService/Call0.
func waysTable(t testing.TB, rule string, options ...policy.Option) *policy.Table {
	t.Helper()
	files := compileSources(t, map[string]string{"order.proto": protos.OrderService(global, "option (protoauthz.v1.method) = {"+rule+"};")}, "order.proto")
	return compileTable(t, files, append(options, policy.WithAudience(waysAudience))...)
}

// TestWays compares the ways of a rule, and what the rule and the ways are called.
func TestWays(t *testing.T) {
	t.Parallel()
	const issuer = "https://login.example.com"
	table := waysTable(t, `authenticated: true subject: {field: "a"}
		alternatives: {scopes: ["x", "y"] any_scopes: "z" client: {field: "b" pattern: "clients/{client}"}}
		alternatives: {scopes: ["x", "y"] any_scopes: "z" caller: CALLER_USER}`, policy.WithSubjectIssuer(issuer), policy.WithSubjectIssuer(issuer))
	if got := table.SubjectIssuer(); got != issuer {
		t.Errorf("the issuer is %q", got)
	}
	if got := new(policy.Table).SubjectIssuer(); got != "" {
		t.Errorf("a table without an issuer has %q", got)
	}
	rule := ruleOf(t, table, "/order.v1.OrderService/Call0")
	ways := rule.Ways()
	if len(ways) != 3 || ways[0] != &rule.Way || ways[1] != &rule.Alternatives[0] || ways[2] != &rule.Alternatives[1] {
		t.Fatalf("the ways are %v", ways)
	}
	if rule.Subject.Issuer != issuer || ways[1].Client.Issuer != issuer {
		t.Errorf("the identifiers name %+v and %+v", rule.Subject, ways[1].Client)
	}
	const own, first, second = "global_resource audience=" + waysAudience + " authenticated caller=any organization=- subject=field:a",
		"global_resource audience=" + waysAudience + " all of x y, any of z caller=any organization=- client=field:b=clients/{client}",
		"global_resource audience=" + waysAudience + " all of x y, any of z caller=user organization=-"
	for i, want := range []string{own, first, second} {
		if got := ways[i].String(); got != want {
			t.Errorf("way %d: got %q, want %q", i, got, want)
		}
	}
	if got, want := rule.String(), rule.Procedure+" "+own+" or "+first+" or "+second; got != want {
		t.Errorf("the rule is %q, want %q", got, want)
	}
	if got, want := rule.Needs(), "authenticated or all of x y, any of z"; got != want {
		t.Errorf("the rule needs %q, want %q", got, want)
	}
	if got, want := ways[2].Needs(), "all of x y, any of z"; got != want {
		t.Errorf("the way needs %q, want %q", got, want)
	}
	for _, rule := range []*policy.Rule{{Public: true}, {Unannotated: true}, {Unannotated: true, Public: true}} {
		if rule.Alternatives = make([]policy.Way, 1); rule.Ways() != nil {
			t.Errorf("%+v has ways", rule)
		}
	}
	if ways := new(policy.Rule).Ways(); len(ways) != 1 {
		t.Errorf("the zero rule, which nobody can meet, has %d ways", len(ways))
	}
}

// TestShadowWays makes sure that a shadow has ways, and one mark.
func TestShadowWays(t *testing.T) {
	t.Parallel()
	table := waysTable(t, `scopes: "a" alternatives: {scopes: "b"}`, policy.WithShadow("order.v1.OrderService"))
	rule := ruleOf(t, table, "/order.v1.OrderService/Call0")
	if !rule.Shadow || rule.Enforced() || len(rule.Ways()) != 2 || strings.Count(rule.String(), "shadow (not enforced) or ") != 1 {
		t.Errorf("the rule is %v", rule)
	}
}

// TestWaysAreCopies makes sure that a table does not change with the ways that it returns.
func TestWaysAreCopies(t *testing.T) {
	t.Parallel()
	table := waysTable(t, `authenticated: true subject: {field: "a"} client: {field: "b"}
		alternatives: {scopes: ["x", "y"] any_scopes: "z" subject: {field: "a"} client: {field: "b"}}
		alternatives: {scopes: "x" model: MODEL_ORGANIZATION organization: {field: "b"}}`)
	want := table.String()
	for range 2 {
		for _, rule := range append(table.Rules(), ruleOf(t, table, "/order.v1.OrderService/Call0")) {
			for _, way := range rule.Ways() {
				for _, named := range []checker{way.Organization, way.Subject, way.Client} {
					if !reflect.ValueOf(named).IsNil() {
						clear(named.Path())
					}
				}
			}
			spoil(reflect.ValueOf(rule).Elem())
			if rule.Ways() != nil || !strings.Contains(fmt.Sprint(rule.Alternatives), "spoilt") {
				t.Fatal("the rule is not spoilt")
			}
		}
		if got := table.String(); got != want {
			t.Fatalf("the table became\n%s\nwant\n%s", got, want)
		}
	}
	rule := ruleOf(t, table, "/order.v1.OrderService/Call0")
	request := dynamicpb.NewMessage(rule.Method.Input())
	for _, name := range []protoreflect.Name{"a", "b"} {
		request.Set(request.Descriptor().Fields().ByName(name), protoreflect.ValueOfString("me"))
	}
	if rule.Subject.Check(request, "me") != nil || rule.Alternatives[0].Client.Check(request, "me") != nil {
		t.Error("a copy does not find the caller")
	}
}

// TestMany checks lists of no element, of one and of many. Each element must name the id.
func TestMany(t *testing.T) {
	t.Parallel()
	for _, noun := range nouns {
		file := compileMatch(t, matchSources(t, noun))
		table := compileTable(t, policy.Files{file})
		for method, one := range map[string]string{
			"Repeated": "acme", "PatternRepeated": "acme/1", "ThroughRepeated": "acme", "WrapperInList": "acme",
		} {
			named := checkerOf(t, table, "/match.v1.MatchService/"+method, noun)
			request := func(n, other int) proto.Message { // with another value at an index
				message := dynamicpb.NewMessage(file.Messages().ByName("Request"))
				list := message.Mutable(message.Descriptor().Fields().ByName(named.Path()[0].Name())).List()
				for i := range n {
					value := protoreflect.ValueOfString(one)
					if i == other {
						value = protoreflect.ValueOfString("x" + one)
					}
					if last := named.Path()[len(named.Path())-1]; len(named.Path()) > 1 {
						list.AppendMutable().Message().Set(last, value)
					} else {
						list.Append(value)
					}
				}
				return message
			}
			for _, n := range []int{1, 10_000} {
				if err := named.Check(request(n, -1), "acme"); err != nil {
					t.Errorf("%s of %s: %d elements: %v", noun, method, n, err)
				}
				for _, other := range []int{0, n / 2, n - 1} {
					want := fmt.Sprintf("[%d]", other)
					if err := named.Check(request(n, other), "acme"); err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%s of %s: another element %d of %d: got %v", noun, method, other, n, err)
					}
				}
			}
			if named.Check(request(0, -1), "acme") == nil {
				t.Errorf("%s of %s: an empty list names it", noun, method)
			}
		}
	}
}

// TestSubjectIssuers compares what is kept of several issuers.
func TestSubjectIssuers(t *testing.T) {
	t.Parallel()
	files := compileSources(t, map[string]string{"order.proto": protos.OrderService(global, `option (protoauthz.v1.method) = {public: true};`)}, "order.proto")
	for _, test := range []struct {
		issuers []string
		want    []string // the arguments with a fault
	}{
		{nil, nil},
		{[]string{"https://a", "https://a"}, nil},
		{[]string{"käse"}, nil},
		{[]string{"", ""}, []string{""}},
		{[]string{"https://a", ""}, []string{""}},
		{[]string{"https://a", "https://b", "https://a"}, []string{"https://b"}},
		{[]string{"https://a", "https://A", "https://a/"}, []string{"https://A", "https://a/"}},
		{[]string{" ", "a\tb", "\xff"}, []string{" ", "a\tb", "\xff"}},
		{[]string{"https://a/{tid}"}, []string{"https://a/{tid}"}},
		{[]string{"}"}, []string{"}"}},
	} {
		var options []policy.Option
		for _, issuer := range test.issuers {
			options = append(options, policy.WithSubjectIssuer(issuer))
		}
		var got []string
		if _, err := policy.Compile(files, options...); err != nil {
			for _, fault := range faultsOf(t, err) {
				if got = append(got, fault.Argument); fault.Kind != policy.FaultOption || fault.Subject != "WithSubjectIssuer" {
					t.Errorf("%q: got %v", test.issuers, fault)
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: the faults are about %q, want %q", test.issuers, got, test.want)
		}
	}
}

// TestUnknownInWay makes sure that a rule with an unknown field or value in a way is a fault, in every form of
// descriptors. The bytes are those that no compiler writes.
func TestUnknownInWay(t *testing.T) {
	t.Parallel()
	unknown := []byte{0x98, 0x06, 0x01} // field 99
	alternative := func(edit func(*authzv1.Alternative)) *authzv1.MethodRule {
		last := &authzv1.Alternative{Scopes: []string{"b"}}
		edit(last)
		return &authzv1.MethodRule{Authenticated: true, Alternatives: []*authzv1.Alternative{{Scopes: []string{"a"}}, last}}
	}
	service := option(encode(t, &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: waysAudience}))
	for name, test := range map[string]struct {
		rule *authzv1.MethodRule
		good bool
	}{
		"nothing":     {alternative(func(*authzv1.Alternative) {}), true},
		"alternative": {alternative(func(a *authzv1.Alternative) { a.ProtoReflect().SetUnknown(unknown) }), false},
		"public":      {alternative(func(a *authzv1.Alternative) { a.ProtoReflect().SetUnknown([]byte{0x08, 0x01}) }), false},
		"nested": {alternative(func(a *authzv1.Alternative) {
			a.ProtoReflect().SetUnknown([]byte{0x5a, 0x02, 0x10, 0x01})
		}), false},
		"caller": {alternative(func(a *authzv1.Alternative) { a.Caller = 3 }), false},
		"model":  {alternative(func(a *authzv1.Alternative) { a.Model = 9 }), false},
		"subject": {alternative(func(a *authzv1.Alternative) {
			a.Subject = &authzv1.Identifier{Field: "user_id"}
			a.Subject.ProtoReflect().SetUnknown(unknown)
		}), false},
		"organization": {alternative(func(a *authzv1.Alternative) {
			a.Model = authzv1.Model_MODEL_ORGANIZATION
			a.Organization = &authzv1.Organization{Location: &authzv1.Organization_Field{Field: "name"}}
			a.Organization.ProtoReflect().SetUnknown(unknown)
		}), false},
	} {
		for _, form := range forms() {
			file := form.convert(t, []protoreflect.FileDescriptor{fileWith(t, option(encode(t, test.rule)), service)})
			_, err := policy.Compile(file)
			switch {
			case test.good && err != nil:
				t.Errorf("%s, %s: %v", name, form.name, err)
			case !test.good && (err == nil || faultsOf(t, err)[0].Kind != policy.FaultRuleUnreadable):
				t.Errorf("%s, %s: got %v, want RULE_UNREADABLE", name, form.name, err)
			}
		}
	}
}

// TestManyAllocations makes sure that a longer list costs no more memory. It runs alone, as other tests would be
// counted.
func TestManyAllocations(t *testing.T) { //nolint:paralleltest // it counts allocations
	for _, pattern := range []string{"", "users/{subject}/*"} {
		allocations := func(n int) float64 {
			request := &samplev1.BatchGetDocumentsRequest{}
			for range n {
				request.Requests = append(request.Requests, &samplev1.BatchGetDocumentsRequest_Request{Name: cmp.Or(strings.NewReplacer("{subject}", "me", "*", "1").Replace(pattern), "me")})
			}
			rule, err := ruleOn(t, request.ProtoReflect().Descriptor(), "subject", "requests.name", pattern)
			if err != nil {
				t.Fatal(err)
			}
			return testing.AllocsPerRun(10, func() {
				if err := rule.Check(request, "me"); err != nil {
					t.Fatal(err)
				}
			})
		}
		if one, many := allocations(1), allocations(10_000); many != one {
			t.Errorf("pattern %q: %v allocations for one element, and %v for 10,000", pattern, one, many)
		}
	}
}
