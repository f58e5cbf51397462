package interceptor

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestCompare makes sure that policydiff.Compare and the guard agree about two rules. Compare reports that
// a rule is looser exactly if the guard lets in, by that rule, a request that it refuses by the other.
// Compare reports a difference exactly if the guard decides any request differently. A method that was refused for want
// of an annotation, and needs a token now, is new, and not looser.
func TestCompare(t *testing.T) {
	t.Parallel()
	rules := everyRule(t)
	tokens, requests := everyToken(t), everyRequest(rules[0].Method.Input())
	accepts := make([][]bool, len(rules))
	for i, rule := range rules {
		accepts[i] = accepted(rule, tokens, requests)
	}
	let := func(a, b []bool) bool { // some request in by a that b refuses
		for i := range a {
			if a[i] && !b[i] {
				return true
			}
		}
		return false
	}
	pairs, loosened, tightened := 0, 0, 0
	for i, before := range rules {
		for j, after := range rules {
			// All pairs that differ in one respect, and some of the others, which are too many.
			if i/alike != j/alike && i%alike != j%alike && (31*i+j)%97 != 0 {
				continue
			}
			pairs++
			looser, tighter := let(accepts[j], accepts[i]), let(accepts[i], accepts[j])
			switch {
			case looser:
				loosened++
			case tighter:
				tightened++
			}
			if looser && before.Unannotated && before.Enforced() && !accepts[j][0] {
				looser, tighter = false, true // a change that is not looser is right
			}
			renamed := *after
			renamed.Procedure = before.Procedure
			saysLooser := false
			changes := policydiff.Compare([]*policy.Rule{before}, []*policy.Rule{&renamed})
			for _, change := range changes {
				saysLooser = saysLooser || change.Kind.Looser()
				if !change.Kind.Looser() && !tighter {
					t.Errorf("from %s\n  to %s: %s %q, and no request is refused for it", before, after, change.Kind, change.Detail)
				}
			}
			if saysLooser != looser {
				t.Errorf("from %s\n  to %s: looser is %t, want %t", before, after, saysLooser, looser)
			}
			if differ := looser || tighter; differ != (len(changes) > 0) {
				t.Errorf("from %s\n  to %s: %d changes, and the decisions differ: %t", before, after, len(changes), differ)
			}
			if t.Failed() {
				return
			}
		}
	}
	if len(rules) < 500 || len(accepts[0]) < 10_000 || pairs < 40_000 || loosened < 20_000 || tightened < 5_000 {
		t.Errorf("%d rules, %d requests, %d pairs, %d of them loosened, %d tightened alone", len(rules), len(accepts[0]), pairs, loosened, tightened)
	}
}

// alike is how many neighbors in everyRule differ in scopes and caller alone.
const alike = 24

// everyRule is one rule for each combination of annotations.
func everyRule(t *testing.T) []*policy.Rule {
	t.Helper()
	access := []*authzv1.MethodRule{
		{Authenticated: true},
		{Scopes: []string{"a"}}, {Scopes: []string{"b"}}, {Scopes: []string{"a", "b"}},
		{AnyScopes: []string{"a"}}, {AnyScopes: []string{"a", "b"}}, {AnyScopes: []string{"a", "b", "c"}},
		{Scopes: []string{"a"}, AnyScopes: []string{"b", "c"}},
	}
	field := func(name, pattern string) *authzv1.Organization {
		return &authzv1.Organization{Location: &authzv1.Organization_Field{Field: name}, Pattern: pattern}
	}
	header := func(name string) *authzv1.Organization {
		return &authzv1.Organization{Location: &authzv1.Organization_Header{Header: name}}
	}
	organizations := []*authzv1.Organization{
		{Location: &authzv1.Organization_Token{Token: true}}, header("x-a"), header("x-b"), field("a", ""), field("b", ""),
		field("a", "{organization}"), field("a", "organizations/{organization}"), field("a", "organizations/{organization}/documents/*"),
		field("a", "organizations/{organization}/*/*"), field("a", "*/{organization}/documents/*"), field("a", "{organization}/*/documents/*"),
	}
	var options []*authzv1.MethodRule
	add := func(model authzv1.Model, audience string, organization *authzv1.Organization) {
		for _, caller := range []authzv1.Caller{authzv1.Caller_CALLER_ANY, authzv1.Caller_CALLER_USER, authzv1.Caller_CALLER_CLIENT} {
			for _, option := range access {
				option := proto.CloneOf(option)
				option.Model, option.Audience, option.Organization, option.Caller = model, audience, organization, caller
				options = append(options, option)
			}
		}
	}
	for _, audience := range []string{"https://a.example.test", "https://b.example.test"} {
		add(authzv1.Model_MODEL_GLOBAL_RESOURCE, audience, nil)
		for _, organization := range organizations {
			add(authzv1.Model_MODEL_ORGANIZATION_RESOURCE, audience, organization)
		}
	}
	for _, organization := range organizations {
		add(authzv1.Model_MODEL_ORGANIZATION, "", organization)
	}
	options = append(options, &authzv1.MethodRule{Public: true}, nil)
	table, err := policy.Compile(policy.Files{fileOf(t, options)}, policy.WithSharedScopes("a", "b", "c"), policy.WithUnannotatedOpen("compare.v1.Service"))
	if err != nil {
		t.Fatal(err)
	}
	rules := slices.SortedFunc(slices.Values(table.Rules()), func(a, b *policy.Rule) int { return cmp.Compare(a.Method.Index(), b.Method.Index()) })
	refused := *rules[len(rules)-1] // as by WithUnannotatedRefused
	refused.Public = false
	rules = append(rules, &refused)
	for _, rule := range []*policy.Rule{rules[0], rules[alike+1]} {
		shadow := *rule
		shadow.Shadow = true
		rules = append(rules, &shadow)
	}
	return rules
}

// fileOf declares a method for each rule, without annotation for nil. Its request has two fields, a and b.
func fileOf(t *testing.T, rules []*authzv1.MethodRule) protoreflect.FileDescriptor {
	t.Helper()
	field := func(name string, number int32) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number,
			Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("Service")}
	for i, rule := range rules {
		options := new(descriptorpb.MethodOptions)
		if rule != nil {
			proto.SetExtension(options, authzv1.E_Method, rule)
		}
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String("Call" + strconv.Itoa(i)), InputType: proto.String(".compare.v1.Request"), OutputType: proto.String(".compare.v1.Request"),
			Options: options,
		})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("compare/v1/compare.proto"), Package: proto.String("compare.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{authzv1.File_protoauthz_v1_authz_proto.Path()},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{field("a", 1), field("b", 2)},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A request is the part of a call that a decision looks at, beside the token.
type request struct {
	header  http.Header
	message proto.Message
}

// accepted reports whether a rule lets in a call without a token, and then each token with each request. A rule
// in shadow lets in every call.
func accepted(rule *policy.Rule, tokens []*token.Claims, requests []request) []bool {
	if rule.Shadow {
		return slices.Repeat([]bool{true}, 1+len(tokens)*len(requests))
	}
	is := []bool{rule.Public}
	guarded := ruleWith(rule)
	for _, claims := range tokens {
		for _, r := range requests {
			c := &Call{rule: guarded, claims: claims}
			organization, left, denial := guarded.admit(claims, connectHeader(r.header))
			c.organization = organization
			c.state.Store(uint32(left))
			is = append(is, rule.Public || denial == nil && (!guarded.judges() || c.judge(r.message) == nil))
		}
	}
	return is
}

// everyRequest is one request for each combination of values that the rules look at.
func everyRequest(input protoreflect.MessageDescriptor) []request {
	var requests []request
	for _, names := range [][2]string{{"", ""}, {"acme", ""}, {"", "acme"}, {"acme", "acme"}} {
		header := http.Header{}
		for i, field := range []string{"x-a", "x-b"} {
			if names[i] != "" {
				header.Set(field, names[i])
			}
		}
		for _, a := range []string{
			"", "acme", "a/b", "organizations/acme", "organizations/acme/documents/1", "organizations/acme/users/1",
			"tenants/acme/documents/1", "acme/organizations/documents/1",
		} {
			for _, b := range []string{"", "acme"} {
				message := dynamicpb.NewMessage(input)
				message.Set(input.Fields().ByName("a"), protoreflect.ValueOfString(a))
				message.Set(input.Fields().ByName("b"), protoreflect.ValueOfString(b))
				requests = append(requests, request{header, message})
			}
		}
	}
	return requests
}

func everyToken(t *testing.T) []*token.Claims {
	t.Helper()
	var tokens []*token.Claims
	for _, organization := range []string{
		`"aud": "https://a.example.test"`, `"aud": "https://b.example.test"`,
		`"aud": "https://a.example.test", "organization_id": "acme"`, `"aud": "https://b.example.test", "organization_id": "acme"`,
		`"aud": "https://a.example.test", "organization_id": "a/b"`, `"aud": "https://b.example.test", "organization_id": "a/b"`,
		`"aud": "urn:logto:organization:acme"`, `"aud": "urn:logto:organization:a/b"`,
	} {
		for _, caller := range []string{`"sub": "x"`, `"sub": "user", "client_id": "x"`, `"sub": "x", "client_id": "x"`} {
			for set := range 8 {
				var scopes []string
				for i, scope := range []string{"a", "b", "c"} {
					if set&(1<<i) != 0 {
						scopes = append(scopes, scope)
					}
				}
				payload := fmt.Sprintf(`{"exp": 1, %s, %s, "scope": %q}`, caller, organization, strings.Join(scopes, " "))
				claims, err := unverified.Claims(logto, payload)
				if err != nil {
					t.Fatal(err)
				}
				tokens = append(tokens, claims)
			}
		}
	}
	return tokens
}
