package interceptor

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	audienceA, audienceB = "https://a.example.test", "https://b.example.test"
	issuerA, issuerB     = "https://issuer-a.example.test", "https://issuer-b.example.test"
)

// A variant is a rule with an issuer for its subject and client, which may be empty.
type variant struct {
	rule   *authzv1.MethodRule
	list   bool // the message has a list
	issuer string
}

// everyRule is one rule for each combination of annotations, as far as the combinations compile.
func everyRule(t *testing.T) []*policy.Rule {
	t.Helper()
	variants := append(plain(), identifying()...)
	variants = append(variants, variant{rule: &authzv1.MethodRule{Public: true}}, variant{})
	table, err := policy.Compile(policy.Files{fileOfVariants(t, variants)}, policy.WithSharedScopes("a", "b", "c"), policy.WithUnannotatedOpen("compare.v1.Service"))
	rules := []*policy.Rule(nil)
	if compileErr, ok := errors.AsType[*policy.Error](err); ok {
		for _, fault := range compileErr.Faults { // no value fits two patterns, or a client has no subject
			if fault.Kind != policy.FaultRuleConflict {
				t.Fatal(fault)
			}
		}
		rules = compileErr.Rules
	} else if err == nil {
		rules = table.Rules()
	}
	rules = sorted(rules)
	for _, rule := range rules {
		issuer := variants[rule.Method.Index()].issuer
		for _, identifier := range []*policy.Identifier{rule.Subject, rule.Client} {
			if identifier != nil {
				identifier.Issuer = issuer
			}
		}
		rule.Procedure = "/compare.v1.Service/Call"
	}
	refused := *rules[len(rules)-1] // as by WithUnannotatedRefused
	refused.Public = false
	rules = append(rules, &refused)
	for _, rule := range []*policy.Rule{rules[0], rules[30]} {
		shadow := *rule
		shadow.Shadow = true
		rules = append(rules, &shadow)
	}
	return rules
}

func global(audience string) *authzv1.MethodRule {
	return &authzv1.MethodRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience}
}

func inOrganization(audience string, organization *authzv1.Organization) *authzv1.MethodRule {
	rule := &authzv1.MethodRule{Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Audience: audience, Organization: organization}
	if audience == "" {
		rule.Model = authzv1.Model_MODEL_ORGANIZATION
	}
	return rule
}

func inField(name, pattern string) *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Field{Field: name}, Pattern: pattern}
}

func inHeader(name string) *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Header{Header: name}}
}

func inToken() *authzv1.Organization {
	return &authzv1.Organization{Location: &authzv1.Organization_Token{Token: true}}
}

// identifier reads "a" or "a=users/{subject}".
func identifier(text string) *authzv1.Identifier {
	if text == "" {
		return nil
	}
	name, pattern, _ := strings.Cut(text, "=")
	return &authzv1.Identifier{Field: name, Pattern: pattern}
}

// join returns one rule with the fields of all.
func join(rules ...*authzv1.MethodRule) *authzv1.MethodRule {
	all := &authzv1.MethodRule{}
	for _, rule := range rules {
		proto.Merge(all, rule)
	}
	return all
}

func accessRules() []*authzv1.MethodRule {
	return []*authzv1.MethodRule{
		{Authenticated: true},
		{Scopes: []string{"a"}}, {Scopes: []string{"b"}}, {Scopes: []string{"a", "b"}},
		{AnyScopes: []string{"a"}}, {AnyScopes: []string{"a", "b"}}, {AnyScopes: []string{"a", "b", "c"}},
		{Scopes: []string{"a"}, AnyScopes: []string{"b", "c"}},
	}
}

var kinds = []authzv1.Caller{authzv1.Caller_CALLER_ANY, authzv1.Caller_CALLER_USER, authzv1.Caller_CALLER_CLIENT}

// plain are the rules without a subject or a client.
func plain() []variant {
	organizations := []*authzv1.Organization{
		inToken(), inHeader("x-a"), inHeader("x-b"), inField("a", ""), inField("b", ""),
		inField("a", "{organization}"), inField("a", "o/{organization}"), inField("a", "o/{organization}/u/*"),
		inField("a", "o/{organization}/*/*"), inField("a", "*/{organization}/u/*"), inField("a", "{organization}/*/u/*"),
	}
	bases := []*authzv1.MethodRule{global(audienceA), global(audienceB)}
	for i, organization := range organizations {
		bases = append(bases, inOrganization(audienceA, organization))
		if i%2 == 0 {
			bases = append(bases, inOrganization("", organization))
		}
		if i%4 == 1 {
			bases = append(bases, inOrganization(audienceB, organization))
		}
	}
	var variants []variant
	for _, base := range bases {
		for _, caller := range kinds {
			for _, access := range accessRules() {
				variants = append(variants, variant{rule: join(base, access, &authzv1.MethodRule{Caller: caller})})
			}
		}
	}
	return variants
}

// identifying are the rules with a subject or a client, or with a list.
func identifying() []variant {
	var variants []variant
	access := accessRules()
	add := func(rule *authzv1.MethodRule) {
		for i, more := range []*authzv1.MethodRule{
			access[0], join(access[1], &authzv1.MethodRule{Caller: kinds[1]}), access[5], join(access[1], &authzv1.MethodRule{Caller: kinds[2]}),
		} {
			variants = append(variants, variant{rule: join(rule, more)})
			if i == 0 {
				variants = append(variants, variant{rule: join(rule, more), issuer: issuerA})
			}
		}
		if rule.GetOrganization() == nil {
			variants = append(variants, variant{rule: join(rule, access[0]), issuer: issuerB})
		}
	}
	for _, pair := range [][2]string{
		{"a"}, {"a={subject}"}, {"a=o/*/u/{subject}"}, {"a=*/*/*/{subject}"}, {"", "a"}, {"", "a=o/*/u/{client}"}, {"", "a=*/*/{client}/*"},
		{"a=*/*/*/{subject}", "a=*/*/{client}/*"},
	} {
		for _, base := range []*authzv1.MethodRule{
			global(audienceA), inOrganization(audienceA, inToken()), inOrganization(audienceA, inField("b", "")),
			inOrganization(audienceA, inField("a", "o/{organization}/*/*")), inOrganization(audienceA, inField("a", "o/{organization}/u/*")),
			inOrganization(audienceA, inField("a", "*/{organization}/u/*")), inOrganization(audienceA, inField("a", "{organization}/*/u/*")),
		} {
			add(join(base, &authzv1.MethodRule{Subject: identifier(pair[0]), Client: identifier(pair[1])}))
		}
	}
	for _, pair := range [][2]string{
		{"b"}, {"b={subject}"}, {"b=u/{subject}"}, {"b=*/{subject}"}, {"b={subject}/*"},
		{"", "b"}, {"", "b={client}"}, {"", "b=u/{client}"}, {"", "b=*/{client}"},
		{"b={subject}/*", "b=*/{client}"}, {"b=*/{subject}", "b={client}/*"}, {"b", "a"}, {"a", "b"},
	} {
		for _, base := range []*authzv1.MethodRule{
			global(audienceA), inOrganization(audienceA, inToken()), inOrganization(audienceA, inHeader("x-a")), inOrganization(audienceA, inField("a", "")),
			inOrganization(audienceA, inField("a", "o/{organization}")), inOrganization("", inToken()),
		} {
			add(join(base, &authzv1.MethodRule{Subject: identifier(pair[0]), Client: identifier(pair[1])}))
		}
	}
	for _, rule := range []*authzv1.MethodRule{
		inOrganization(audienceA, inField("a", "")), inOrganization(audienceA, inField("a", "{organization}")), inOrganization(audienceA, inField("a", "o/{organization}")),
		join(global(audienceA), &authzv1.MethodRule{Subject: identifier("a")}), join(global(audienceA), &authzv1.MethodRule{Client: identifier("a")}),
		join(inOrganization(audienceA, inToken()), &authzv1.MethodRule{Subject: identifier("a={subject}")}),
		join(inOrganization(audienceA, inToken()), &authzv1.MethodRule{Subject: identifier("b"), Client: identifier("a={client}")}),
	} {
		variants = append(variants, variant{rule: join(rule, access[0]), list: true}, variant{rule: join(rule, access[1]), list: true})
	}
	return variants
}

// fileOf declares a method for each rule, without annotation for nil. The request has two fields, a and b.
func fileOf(t *testing.T, rules []*authzv1.MethodRule) protoreflect.FileDescriptor {
	t.Helper()
	variants := make([]variant, len(rules))
	for i, rule := range rules {
		variants[i].rule = rule
	}
	return fileOfVariants(t, variants)
}

// fileOfVariants is as fileOf, but some requests have a list as field a.
func fileOfVariants(t *testing.T, variants []variant) protoreflect.FileDescriptor {
	t.Helper()
	field := func(name string, number int32, label descriptorpb.FieldDescriptorProto_Label) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: &label}
	}
	const one, many = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	service := &descriptorpb.ServiceDescriptorProto{Name: proto.String("Service")}
	for i, variant := range variants {
		options := new(descriptorpb.MethodOptions)
		if variant.rule != nil {
			proto.SetExtension(options, authzv1.E_Method, variant.rule)
		}
		input := ".compare.v1.Request"
		if variant.list {
			input = ".compare.v1.Listed"
		}
		service.Method = append(service.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String("Call" + strconv.Itoa(i)), InputType: &input, OutputType: proto.String(".compare.v1.Request"), Options: options,
		})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("compare/v1/compare.proto"), Package: proto.String("compare.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{authzv1.File_protoauthz_v1_authz_proto.Path()},
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{field("a", 1, one), field("b", 2, one)}},
			{Name: proto.String("Listed"), Field: []*descriptorpb.FieldDescriptorProto{field("a", 1, many), field("b", 2, one)}},
		},
		Service: []*descriptorpb.ServiceDescriptorProto{service},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A header is the part of a call that is there before the message.
type header struct {
	claims *token.Claims
	fields http.Header
}

// everyCall is one token with one header for each combination of values that the rules look at.
func everyCall(t *testing.T) []header {
	t.Helper()
	var all []header
	for _, values := range []token.ClaimValues{
		{Audience: []string{audienceA}}, {Audience: []string{audienceB}},
		{Audience: []string{audienceA}, OrganizationID: "acme"}, {Audience: []string{audienceB}, OrganizationID: "acme"},
		{Audience: []string{audienceA}, OrganizationID: "a/b"}, {Audience: []string{audienceB}, OrganizationID: "a/b"},
		{Audience: []string{"urn:logto:organization:acme"}}, {Audience: []string{"urn:logto:organization:a/b"}},
	} {
		for _, caller := range []token.ClaimValues{
			{Caller: token.CallerUser, Subject: "sam"}, {Caller: token.CallerUser, Subject: "sam", ClientID: "cli"}, {Caller: token.CallerUser, Subject: "s/t", ClientID: "c/d"},
			{Caller: token.CallerUser, Subject: "s/t", ClientID: "cli"}, {Caller: token.CallerUser, Subject: "sam", ClientID: "c/d"},
			{Caller: token.CallerClient, Subject: "cli", ClientID: "cli"}, {Caller: token.CallerClient, Subject: "c/d", ClientID: "c/d"},
			{Subject: "sam"}, {Subject: "sam", ClientID: "cli"},
		} {
			for _, scopes := range [][]string{nil, {"a"}, {"b"}, {"c"}, {"a", "b"}, {"a", "c"}} {
				for _, issuer := range []string{issuerA, issuerB} {
					values.Caller, values.Subject, values.ClientID = caller.Caller, caller.Subject, caller.ClientID
					values.Scopes, values.Issuer, values.Expiry = scopes, issuer, time.Unix(1, 0)
					claims, err := token.NewClaims(values)
					if err != nil {
						t.Fatal(err)
					}
					for _, names := range [][2]string{{}, {"acme"}, {"", "acme"}} {
						fields := http.Header{}
						for i, name := range []string{"x-a", "x-b"} {
							if names[i] != "" {
								fields.Set(name, names[i])
							}
						}
						all = append(all, header{claims, fields})
					}
				}
			}
		}
	}
	return all
}

// A message is one encoded request, as the two types of message read it.
type message struct{ request, listed proto.Message }

func (m message) as(input protoreflect.MessageDescriptor) proto.Message {
	if input.Name() == "Listed" {
		return m.listed
	}
	return m.request
}

// everyMessage is one message for each combination of values that the rules look at.
func everyMessage(t *testing.T, inputs protoreflect.MessageDescriptors) []message {
	t.Helper()
	var messages []message
	add := func(b string, as ...string) {
		var encoded []byte
		for _, a := range as {
			encoded = protowire.AppendString(protowire.AppendTag(encoded, 1, protowire.BytesType), a)
		}
		encoded = protowire.AppendString(protowire.AppendTag(encoded, 2, protowire.BytesType), b)
		m := message{dynamicpb.NewMessage(inputs.ByName("Request")), dynamicpb.NewMessage(inputs.ByName("Listed"))}
		for _, to := range []proto.Message{m.request, m.listed} {
			if err := proto.Unmarshal(encoded, to); err != nil {
				t.Fatal(err)
			}
		}
		messages = append(messages, m)
	}
	short := []string{"", "acme", "a/b", "sam", "s/t", "cli", "c/d", "o/acme"}
	for _, b := range []string{
		"", "acme", "a/b", "sam", "s/t", "cli", "c/d", "u/sam", "u/cli", "x/sam", "x/cli", "sam/x", "cli/x", "sam/cli", "cli/sam",
	} {
		for _, a := range short {
			add(b, a)
			add(b, "x", a)
			add(b, a, "x")
		}
	}
	names := [][]string{{"o", "acme", "x"}, {"acme", "x"}, {"u", "cli", "x"}, {"sam", "cli", "x"}}
	for i := range 3 * 2 * 3 * 3 {
		segments := []string{names[0][i%3], names[1][i/3%2], names[2][i/6%3], names[3][i/18]}
		for _, b := range []string{"", "acme", "sam"} {
			if !slices.Equal(segments[:2], []string{"acme", "acme"}) {
				add(b, strings.Join(segments, "/"))
			}
		}
	}
	return messages
}
