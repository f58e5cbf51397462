package policy_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// optionNumber is the number of both options.
const optionNumber protowire.Number = 404209324

// fileWith builds a file with one method, /wire.v1.Service/Call, out of the
// encoded options of the method and its service. The options are unknown fields, as
// in a program that does not link the annotations. The request has the fields that
// the archives in testdata use.
func fileWith(t testing.TB, method, service []byte) protoreflect.FileDescriptor {
	t.Helper()
	const text, message = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	const one, many = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, label descriptorpb.FieldDescriptorProto_Label) *descriptorpb.FieldDescriptorProto {
		field := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: kind.Enum(), Label: label.Enum()}
		if kind == message {
			field.TypeName = proto.String(".wire.v1.Request")
		}
		return field
	}
	file := &descriptorpb.FileDescriptorProto{
		Name:       proto.String("wire/v1/wire.proto"),
		Package:    proto.String("wire.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: []string{annotations},
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{
			field("organization_id", 1, text, one), field("names", 2, text, many), field("id", 3, text, one),
			field("tenant", 4, message, one), field("tenants", 5, message, many), field("parents", 6, message, many),
			field("user_id", 7, text, one), field("name", 8, text, one),
		}}},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:    proto.String("Service"),
			Options: new(descriptorpb.ServiceOptions),
			Method: []*descriptorpb.MethodDescriptorProto{{
				Name: proto.String("Call"), InputType: proto.String(".wire.v1.Request"), OutputType: proto.String(".wire.v1.Request"),
				Options: new(descriptorpb.MethodOptions),
			}},
		}},
	}
	file.Service[0].Options.ProtoReflect().SetUnknown(service)
	file.Service[0].Method[0].Options.ProtoReflect().SetUnknown(method)
	descriptor, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return descriptor
}

// option encodes our option with the given content.
func option(content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, optionNumber, protowire.BytesType), content)
}

func encode(t testing.TB, message proto.Message) []byte {
	t.Helper()
	wire, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// TestWire reads options that no compiler writes.
func TestWire(t *testing.T) {
	t.Parallel()
	scopes := func(scopes ...string) []byte { return encode(t, &authzv1.MethodRule{Scopes: scopes}) }
	public := encode(t, &authzv1.MethodRule{Public: true})
	global := encode(t, &authzv1.ServiceRule{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE})
	varint := protowire.AppendVarint(protowire.AppendTag(nil, optionNumber, protowire.VarintType), 1)
	fixed := protowire.AppendFixed64(protowire.AppendTag(nil, optionNumber, protowire.Fixed64Type), 1)
	group := protowire.AppendGroup(protowire.AppendTag(nil, optionNumber, protowire.StartGroupType), optionNumber, public)
	neighbour := protowire.AppendVarint(protowire.AppendTag(nil, optionNumber+1, protowire.VarintType), 1)
	malformed := protowire.AppendBytes(protowire.AppendTag(nil, linkedNumber, protowire.BytesType), []byte("\xff"))
	uninterpreted := encode(t, &descriptorpb.MethodOptions{UninterpretedOption: []*descriptorpb.UninterpretedOption{{
		Name: []*descriptorpb.UninterpretedOption_NamePart{{NamePart: proto.String("protoauthz.v1.method"), IsExtension: proto.Bool(true)}},
	}}})
	notUTF8 := protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), []byte("read:\xff"))
	unreadable, missing, conflict := policy.FaultRuleUnreadable, policy.FaultRuleMissing, policy.FaultRuleConflict
	for _, c := range []struct {
		name            string
		method, service []byte
		want            []policy.FaultKind
	}{
		{"good", option(scopes("read:x")), option(global), nil},
		{"beside another option", slices.Concat(neighbour, option(scopes("read:x")), neighbour), slices.Concat(neighbour, option(global)), nil},
		{"beside another option that is malformed", slices.Concat(malformed, option(scopes("read:x"))), option(global), nil},
		{"in two parts", slices.Concat(option(scopes("read:x")), neighbour, option(scopes("read:y"))), option(global), nil},
		{"two parts that contradict each other", slices.Concat(option(scopes("read:x")), option(public)), option(global), []policy.FaultKind{conflict}},
		{"nothing", nil, option(global), []policy.FaultKind{missing}},
		{"another option", neighbour, option(global), []policy.FaultKind{missing}},
		{"empty", option(nil), option(global), []policy.FaultKind{conflict}},
		{"truncated", option(scopes("read:x")[:4]), option(global), []policy.FaultKind{unreadable}},
		{"not UTF-8", option(notUTF8), option(global), []policy.FaultKind{unreadable}},
		{"a varint", varint, option(global), []policy.FaultKind{unreadable}},
		{"a fixed64", fixed, option(global), []policy.FaultKind{unreadable}},
		{"a group", group, option(global), []policy.FaultKind{unreadable}},
		{"a varint beside a rule", slices.Concat(option(public), varint), option(global), []policy.FaultKind{unreadable}},
		{"a varint after another option", slices.Concat(neighbour, varint), option(global), []policy.FaultKind{unreadable}},
		{"uninterpreted", uninterpreted, option(global), []policy.FaultKind{unreadable}},
		{"service truncated", option(public), option(global[:1]), []policy.FaultKind{unreadable}},
		{"service a varint", option(public), varint, []policy.FaultKind{unreadable}},
		{"service a varint, method bare", nil, varint, []policy.FaultKind{unreadable}},
		{"service a group", option(public), group, []policy.FaultKind{unreadable}},
	} {
		file := policy.Files{fileWith(t, c.method, c.service)}
		table, err := policy.Compile(file, policy.WithAudience("https://api.example.com"))
		var got []policy.FaultKind
		if err != nil {
			for _, fault := range faultsOf(t, err) {
				got = append(got, fault.Kind)
			}
		}
		if !slices.Equal(got, c.want) || (table == nil) != (err != nil) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		// The service carries annotations, sound or not.
		_, err = policy.Compile(file, policy.WithPublic("wire.v1.Service"))
		if err == nil {
			t.Errorf("%s: WithPublic opens a service that carries annotations", c.name)
		}
	}
	if _, err := policy.Compile(policy.Files{fileWith(t, neighbour, nil)}, policy.WithPublic("wire.v1.Service")); err != nil {
		t.Errorf("WithPublic of a service with other people's options: %v", err)
	}
}

// TestUnencodable makes sure that a rule is not lost if a program has built another option that cannot
// be encoded.
func TestUnencodable(t *testing.T) {
	t.Parallel()
	notes := compileSources(t, map[string]string{"note.proto": `
		syntax = "proto3";
		import "google/protobuf/descriptor.proto";
		extend google.protobuf.MethodOptions { string note = 50000; }`}, "note.proto")[0]
	described := protodesc.ToFileDescriptorProto(fileWith(t, nil, nil))
	options := described.Service[0].Method[0].Options
	proto.SetExtension(options, dynamicpb.NewExtensionType(notes.Extensions().Get(0)), "\xff")
	proto.SetExtension(options, authzv1.E_Method, &authzv1.MethodRule{Scopes: []string{"read:x"}})
	file, err := protodesc.NewFile(described, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options []policy.Option
		want    policy.FaultKind
	}{
		"a rule":         {nil, policy.FaultRuleUnreadable},
		"opened by name": {[]policy.Option{policy.WithPublic("wire.v1.Service")}, policy.FaultOption},
	} {
		if _, err := policy.Compile(policy.Files{file}, test.options...); err == nil {
			t.Errorf("%s: it compiles", name)
		} else if got := faultsOf(t, err)[0].Kind; got != test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// contentOf returns the encoded content of our option.
func contentOf(t testing.TB, options proto.Message) []byte {
	t.Helper()
	var content []byte
	for wire := encode(t, options); len(wire) > 0; {
		number, _, tag := protowire.ConsumeTag(wire)
		_, _, length := protowire.ConsumeField(wire)
		if number == optionNumber {
			value, _ := protowire.ConsumeBytes(wire[tag:])
			content = append(content, value...)
		}
		wire = wire[length:]
	}
	return content
}

// FuzzCompile compiles arbitrary content of our options. A rule that compiles has
// the values of the annotations, is public or has a model, and is complete. Written
// as an annotation again, it compiles to the same rule.
func FuzzCompile(f *testing.F) {
	good, bad := 0, 0
	for _, path := range archivePaths(f) {
		a := readArchive(f, path)
		for _, file := range compileSources(f, a.sources, a.names...) {
			for i := range file.Services().Len() {
				service := file.Services().Get(i)
				for j := range service.Methods().Len() {
					f.Add(contentOf(f, service.Methods().Get(j).Options()), contentOf(f, service.Options()))
				}
				if a.kind == "OK" {
					good += service.Methods().Len()
				} else {
					bad += service.Methods().Len()
				}
			}
		}
	}
	if good < 50 || bad < 100 {
		f.Fatalf("%d good and %d bad seeds: too few", good, bad)
	}
	const procedure = "/wire.v1.Service/Call"
	f.Fuzz(func(t *testing.T, method, service []byte) {
		table, err := policy.Compile(policy.Files{fileWith(t, option(method), option(service))}, policy.WithAudience("https://api.example.com"))
		if err != nil {
			if faults := faultsOf(t, err); table != nil || len(faults) == 0 {
				t.Fatalf("got table %v and faults %v", table, faults)
			}
			return
		}
		rule, ok := table.Lookup(procedure)
		if !ok || len(table.Rules()) != 1 {
			t.Fatalf("got rules %v, want one", table.Rules())
		}
		checkComplete(t, rule)

		// The rule has the values that another decoder finds.
		var said authzv1.MethodRule
		var inherited authzv1.ServiceRule
		if err := proto.Unmarshal(method, &said); err != nil {
			t.Fatalf("compiled, but cannot be decoded: %v", err)
		}
		if err := proto.Unmarshal(service, &inherited); err != nil {
			t.Fatalf("compiled, but the service's cannot be decoded: %v", err)
		}
		if rule.Public != said.GetPublic() || rule.OrganizationOptional != said.GetOrganizationOptional() || len(rule.Alternatives) != len(said.GetAlternatives()) {
			t.Fatalf("%v became %v", &said, rule)
		}
		for i, way := range rule.Ways() {
			checkSaid(t, way, append([]wayOption{&said}, alternativesOf(&said)...)[i], &inherited)
		}

		again, err := policy.Compile(policy.Files{fileWith(t, option(encode(t, annotationOf(rule))), nil)})
		if err != nil {
			t.Fatalf("%v, written again: %v", rule, err)
		}
		if got := again.String(); got != table.String() {
			t.Fatalf("written again: got %s, want %s", got, table)
		}
	})
}

// A wayOption is a way as its annotation has it.
type wayOption interface {
	GetScopes() []string
	GetAnyScopes() []string
	GetCaller() authzv1.Caller
	GetModel() authzv1.Model
	GetOrganization() *authzv1.Organization
	GetAudience() string
	GetSubject() *authzv1.Identifier
	GetClient() *authzv1.Identifier
}

func alternativesOf(said *authzv1.MethodRule) (options []wayOption) {
	for _, alternative := range said.GetAlternatives() {
		options = append(options, alternative)
	}
	return options
}

// checkSaid compares a way with its annotation, and with the annotation of its service.
func checkSaid(t testing.TB, way *policy.Way, said wayOption, inherited *authzv1.ServiceRule) {
	t.Helper()
	same := func(got *policy.Identifier, want *authzv1.Identifier) bool {
		if got == nil || want == nil {
			return got == nil && want == nil
		}
		return got.Name == want.GetField() && got.Pattern == want.GetPattern() && got.Issuer == "" && len(got.Path()) > 0
	}
	if way.Caller != said.GetCaller() ||
		!slices.Equal(way.Scopes, said.GetScopes()) || !slices.Equal(way.AnyScopes, said.GetAnyScopes()) ||
		way.Model != cmp.Or(said.GetModel(), inherited.GetModel()) ||
		way.Audience != cmp.Or(said.GetAudience(), inherited.GetAudience(), "https://api.example.com") ||
		!same(way.Subject, said.GetSubject()) || !same(way.Client, said.GetClient()) {
		t.Fatalf("%v became %v", said, way)
	}
	organization := said.GetOrganization()
	if organization == nil {
		organization = inherited.GetOrganization()
	}
	if o := way.Organization; o != nil && (o.Pattern != organization.GetPattern() || o.Location == policy.LocationField && o.Name != organization.GetField()) {
		t.Fatalf("%v became %v", said, way)
	}
}

func checkComplete(t testing.TB, rule *policy.Rule) {
	t.Helper()
	if rule.Public {
		if rule.Model != 0 || rule.Caller != 0 || rule.Scopes != nil || rule.AnyScopes != nil || rule.Audience != "" || rule.Organization != nil ||
			rule.Subject != nil || rule.Client != nil || rule.Alternatives != nil || rule.OrganizationOptional || rule.Ways() != nil {
			t.Fatalf("public, and restricted: %+v", rule)
		}
		return
	}
	ways := rule.Ways()
	if len(ways) != 1+len(rule.Alternatives) || len(ways) > 16 {
		t.Fatalf("%d ways, with %d alternatives: %+v", len(ways), len(rule.Alternatives), rule)
	}
	fromToken, without := false, false
	for _, way := range ways {
		checkWay(t, way)
		fromToken = fromToken || way.Organization != nil && way.Organization.Location == policy.LocationToken
		without = without || way.Organization == nil
	}
	if rule.OrganizationOptional != (fromToken && without) {
		t.Fatalf("organization_optional is %t: %+v", rule.OrganizationOptional, rule)
	}
}

func checkWay(t testing.TB, way *policy.Way) {
	t.Helper()
	global := way.Model == authzv1.Model_MODEL_GLOBAL_RESOURCE
	organization := way.Model == authzv1.Model_MODEL_ORGANIZATION
	resource := way.Model == authzv1.Model_MODEL_ORGANIZATION_RESOURCE
	if !global && !organization && !resource {
		t.Fatalf("neither public nor of a model: %+v", way)
	}
	if global != (way.Organization == nil) {
		t.Fatalf("organization and model contradict each other: %+v", way)
	}
	if way.Audience == "" && !organization {
		t.Fatalf("no audience: %+v", way)
	}
	if way.Organization != nil && way.Organization.Location == 0 {
		t.Fatalf("no source of the organization: %+v", way)
	}
	if way.Subject != nil && way.Caller == authzv1.Caller_CALLER_CLIENT {
		t.Fatalf("a subject that nobody can meet: %+v", way)
	}
	for _, scope := range slices.Concat(way.Scopes, way.AnyScopes) {
		if scope == "" || strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			t.Fatalf("not a scope-token: %q", scope)
		}
	}
}

// annotationOf returns an annotation that compiles to the rule, for any service.
func annotationOf(rule *policy.Rule) *authzv1.MethodRule {
	annotation := &authzv1.MethodRule{Public: rule.Public, OrganizationOptional: rule.OrganizationOptional}
	if rule.Public {
		return annotation
	}
	ways := rule.Ways()
	own := alternativeOf(ways[0])
	annotation.Authenticated, annotation.Scopes, annotation.AnyScopes, annotation.Caller = own.GetAuthenticated(), own.GetScopes(), own.GetAnyScopes(), own.GetCaller()
	annotation.Model, annotation.Audience, annotation.Organization = own.GetModel(), own.GetAudience(), own.GetOrganization()
	annotation.Subject, annotation.Client = own.GetSubject(), own.GetClient()
	for _, way := range ways[1:] {
		annotation.Alternatives = append(annotation.Alternatives, alternativeOf(way))
	}
	return annotation
}

func alternativeOf(way *policy.Way) *authzv1.Alternative {
	annotation := &authzv1.Alternative{
		Authenticated: len(way.Scopes)+len(way.AnyScopes) == 0,
		Scopes:        way.Scopes,
		AnyScopes:     way.AnyScopes,
		Caller:        way.Caller,
		Model:         way.Model,
	}
	if way.Model != authzv1.Model_MODEL_ORGANIZATION {
		annotation.Audience = way.Audience
	}
	if o := way.Organization; o != nil {
		annotation.Organization = &authzv1.Organization{Pattern: o.Pattern}
		switch o.Location {
		case policy.LocationField:
			annotation.Organization.Location = &authzv1.Organization_Field{Field: o.Name}
		case policy.LocationHeader:
			annotation.Organization.Location = &authzv1.Organization_Header{Header: o.Name}
		case policy.LocationToken:
			annotation.Organization.Location = &authzv1.Organization_Token{Token: true}
		}
	}
	if i := way.Subject; i != nil {
		annotation.Subject = &authzv1.Identifier{Field: i.Name, Pattern: i.Pattern}
	}
	if i := way.Client; i != nil {
		annotation.Client = &authzv1.Identifier{Field: i.Name, Pattern: i.Pattern}
	}
	return annotation
}
