package policy_test

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/structpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A shape is a type of requests, in two copies of its file.
type shape struct {
	copies    [2]protoreflect.MessageDescriptor
	generated proto.Message // or nil
}

// shapes returns types with all that a path can lead through: fields with every
// kind of presence, oneofs, groups, and types that hold themselves.
func shapes(t testing.TB) (shapes []shape) {
	t.Helper()
	add := func(file protoreflect.FileDescriptor, name protoreflect.Name, generated proto.Message) {
		other := decoded(t, []protoreflect.FileDescriptor{file}, new(protoregistry.Types))[0]
		shapes = append(shapes, shape{[2]protoreflect.MessageDescriptor{file.Messages().ByName(name), other.Messages().ByName(name)}, generated})
	}
	sources := readSources(t, "testdata", "match/match.proto", "match/defaults.proto", "match/presence.proto", "match/edition.proto")
	files := compileSources(t, sources, "match/match.proto", "match/presence.proto", "match/edition.proto")
	add(files[0], "Request", nil)
	add(files[1], "Presence", nil)
	add(files[2], "Edition", nil)
	for _, generated := range []proto.Message{
		new(samplev1.BatchGetDocumentsRequest), new(authzv1.MethodRule), new(structpb.ListValue), new(descriptorpb.FileDescriptorProto),
	} {
		descriptor := generated.ProtoReflect().Descriptor()
		add(descriptor.ParentFile(), descriptor.Name(), generated)
	}
	return shapes
}

// decode decodes a request into every kind of message of the shape. It returns
// nil unless all of them can hold the request.
func (s shape) decode(wire []byte) (messages []proto.Message) {
	for _, descriptor := range s.copies {
		messages = append(messages, dynamicpb.NewMessage(descriptor))
	}
	if s.generated != nil {
		messages = append(messages, s.generated.ProtoReflect().New().Interface())
	}
	for _, message := range messages {
		// A required field may be missing: Check does not look at it.
		if (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(wire, message) != nil {
			return nil
		}
	}
	return messages
}

// ruleOn compiles a rule on requests of a type, and returns where they name the noun.
func ruleOn(t testing.TB, request protoreflect.MessageDescriptor, noun, path, pattern string) (checker, error) {
	t.Helper()
	files := new(protoregistry.Files)
	if err := files.RegisterFile(request.ParentFile()); err != nil {
		t.Fatal(err)
	}
	name := "." + string(request.FullName())
	file := &descriptorpb.FileDescriptorProto{
		Name:       proto.String("rule/v1/rule.proto"),
		Package:    proto.String("rule.v1"),
		Syntax:     proto.String("proto3"),
		Dependency: slices.Compact([]string{request.ParentFile().Path(), annotations}),
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("Service"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("Call"), InputType: &name, OutputType: &name, Options: new(descriptorpb.MethodOptions)}},
		}},
	}
	file.Service[0].Method[0].Options.ProtoReflect().SetUnknown(option(encode(t, naming(noun, path, pattern))))
	// The annotations are linked, and not among the files.
	descriptor, err := protodesc.FileOptions{AllowUnresolvable: true}.New(file, files)
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{descriptor})
	if err != nil {
		return nil, err
	}
	return checkerOf(t, table, "/rule.v1.Service/Call", noun), nil
}

// follow takes one field for each step, up to a field without fields. It reports
// whether the path can be checked.
func follow(message protoreflect.MessageDescriptor, steps []byte) (path []string, ok bool) {
	throughMap := false
	for _, step := range steps {
		if message.Fields().Len() == 0 {
			return path, false
		}
		field := message.Fields().Get(int(step) % message.Fields().Len())
		path, throughMap = append(path, string(field.Name())), throughMap || field.IsMap()
		if message = field.Message(); message == nil {
			return path, field.Kind() == protoreflect.StringKind && !throughMap
		}
	}
	return path, false
}

// stepsOf is the reverse of follow.
func stepsOf(t testing.TB, message protoreflect.MessageDescriptor, path string) (steps []byte) {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		field := message.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			t.Fatalf("no %q in %s", name, path)
		}
		steps = append(steps, byte(field.Index()))
		message = field.Message()
	}
	return steps
}

// wireTypes are the wire types of the shapes' fields, apart from varints.
var wireTypes = map[protoreflect.Kind]protowire.Type{
	protoreflect.StringKind:  protowire.BytesType,
	protoreflect.BytesKind:   protowire.BytesType,
	protoreflect.MessageKind: protowire.BytesType,
	protoreflect.GroupKind:   protowire.StartGroupType,
	protoreflect.DoubleKind:  protowire.Fixed64Type,
	protoreflect.Fixed64Kind: protowire.Fixed64Type,
}

// A part is a field on the wire.
type part struct {
	number  protowire.Number
	kind    protowire.Type
	whole   []byte
	content []byte // of a length or a group
}

func parts(t testing.TB, wire []byte) (parts []part) {
	t.Helper()
	for len(wire) > 0 {
		number, kind, length := protowire.ConsumeField(wire)
		if length < 0 {
			t.Fatalf("%x was decoded and is no message", wire)
		}
		p := part{number: number, kind: kind, whole: wire[:length]}
		_, _, tag := protowire.ConsumeTag(wire)
		if kind == protowire.BytesType {
			p.content, _ = protowire.ConsumeBytes(wire[tag:])
		} else if kind == protowire.StartGroupType {
			p.content, _ = protowire.ConsumeGroup(number, wire[tag:])
		}
		parts, wire = append(parts, p), wire[length:]
	}
	return parts
}

// isOf reports whether a part belongs to the field, and is not unknown.
func (p part) isOf(field protoreflect.FieldDescriptor) bool {
	return p.number == field.Number() && p.kind == wireTypes[field.Kind()]
}

// named is an oracle: it reads off the wire all values that a path leads to, and
// "" wherever the path ends early.
func named(t testing.TB, message protoreflect.MessageDescriptor, path []string, wire []byte) (values []string) {
	t.Helper()
	field := message.Fields().ByName(protoreflect.Name(path[0]))
	var found [][]byte
	for _, part := range parts(t, wire) {
		switch {
		case !part.isOf(field):
			// One member of a oneof replaces another.
			other := message.Fields().ByNumber(part.number)
			if oneof := field.ContainingOneof(); oneof != nil && other != nil && other.ContainingOneof() == oneof && part.isOf(other) {
				found = nil
			}
		case field.IsList() || found == nil:
			found = append(found, part.content)
		case field.Kind() == protoreflect.StringKind:
			found[0] = part.content
		default: // the parts of one message are one message
			found[0] = slices.Concat(found[0], part.content)
		}
	}
	for _, content := range found {
		if len(path) == 1 {
			values = append(values, string(content))
		} else {
			values = append(values, named(t, field.Message(), path[1:], content)...)
		}
	}
	if found == nil {
		values = []string{""}
	}
	return values
}

// rename returns a request with other values wherever the path leads.
func rename(t testing.TB, message protoreflect.MessageDescriptor, path []string, wire []byte, name func() string) (renamed []byte) {
	t.Helper()
	field := message.Fields().ByName(protoreflect.Name(path[0]))
	for _, part := range parts(t, wire) {
		if !part.isOf(field) {
			renamed = append(renamed, part.whole...)
			continue
		}
		content := []byte(nil)
		if len(path) == 1 {
			content = []byte(name())
		} else {
			content = rename(t, field.Message(), path[1:], part.content, name)
		}
		renamed = protowire.AppendTag(renamed, part.number, part.kind)
		if part.kind == protowire.StartGroupType {
			renamed = protowire.AppendGroup(renamed, part.number, content)
		} else {
			renamed = protowire.AppendBytes(renamed, content)
		}
	}
	return renamed
}

// namesOnly reports whether all values name the noun's id.
func namesOnly(values []string, noun, pattern, id string) bool {
	return id != "" && !slices.ContainsFunc(values, func(value string) bool {
		if pattern != "" {
			value = nameIn(noun, pattern, value)
		}
		return value != id
	})
}

// A matchSeed is a request for [FuzzMatch], in parts that follow each other on the
// wire.
type matchSeed struct {
	shape   protoreflect.Name
	path    string
	pattern string
	parts   []string // text format
	wire    []byte   // behind the parts
	id      string
	want    bool
}

func matchSeeds(t testing.TB) (seeds []matchSeed) {
	t.Helper()
	table := compileTable(t, policy.Files{compileMatch(t, matchSources(t, nouns[0]))})
	for _, c := range matchCases {
		if o := organizationOf(t, table, "/match.v1.MatchService/"+c.method); o.Location == policy.LocationField {
			seeds = append(seeds, matchSeed{"Request", o.Name, o.Pattern, []string{c.request}, nil, c.id, c.want})
		}
	}
	type text = []string
	const names = "organizations/{organization}/*"
	return append(seeds, []matchSeed{
		// The last of two strings counts, and two messages become one.
		{"Request", "organization_id", "", text{`organization_id: "globex"`, `organization_id: "acme"`}, nil, "acme", true},
		{"Request", "organization_id", "", text{`organization_id: "acme"`, `organization_id: "globex"`}, nil, "acme", false},
		{"Request", "organization_id", "", text{`organization_id: "acme"`}, []byte("\x0a\x00"), "acme", false},
		{"Request", "optional_id", "", text{`optional_id: "acme"`, `optional_id: ""`}, nil, "acme", false},
		{"Request", "tenant.id", "", text{`tenant: {id: "acme"}`, `tenant: {aliases: "globex"}`}, nil, "acme", true},
		{"Request", "tenant.id", "", text{`tenant: {id: "acme"}`, `tenant: {id: "globex"}`}, nil, "acme", false},
		{"Request", "tenant.aliases", "", text{`tenant: {aliases: "acme"}`, `tenant: {aliases: "acme"}`}, nil, "acme", true},
		{"Request", "tenant.aliases", "", text{`tenant: {aliases: "acme"}`, `tenant: {aliases: "globex"}`}, nil, "acme", false},
		{"Request", "tenants.id", "", text{`tenants: {id: "acme"}`, `tenants: {aliases: "acme"}`}, nil, "acme", false},
		{"Request", "defaults.nested.organization_id", "", text{`defaults: {}`, `defaults: {Nested {organization_id: "acme"}}`}, nil, "acme", true},
		// The last member of a oneof counts.
		{"Request", "subject_id", "", text{`subject_tenant: {id: "acme"}`, `subject_id: "acme"`}, nil, "acme", true},
		{"Request", "subject_id", "", text{`subject_id: "acme"`, `subject_tenant: {id: "acme"}`}, nil, "acme", false},
		{"Request", "subject_tenant.id", "", text{`subject_tenant: {id: "acme"}`, `subject_id: "acme"`, `subject_tenant: {}`}, nil, "acme", false},
		{"Request", "subject_tenant.id", "", text{`subject_tenant: {id: "acme"}`, `subject_tenant: {}`}, nil, "acme", true},
		// A part of another wire type is not the field.
		{"Request", "organization_id", "", text{`organization_id: "acme"`}, []byte("\x08\x01"), "acme", true},
		{"Request", "organization_id", "", nil, []byte("\x0b\x0c"), "acme", false},
		{"Request", "names", "", text{`names: "acme"`}, []byte("\x23\x24"), "acme", true},
		{"Request", "tenants.aliases", "*/{organization}", text{`tenants: [{aliases: ["x/acme", "y/acme"]}, {aliases: "z/acme"}]`}, nil, "acme", true},
		{"Request", "tenants.aliases", "*/{organization}", text{`tenants: [{aliases: ["x/acme", "y/acme"]}, {aliases: "acme"}]`}, nil, "acme", false},

		{"Presence", "organization_id", "", text{`organization_id: "acme"`}, nil, "acme", true},
		{"Presence", "organization_id", "", text{`required_id: "acme"`}, nil, "acme", false},
		{"Presence", "organization_id", "", text{`organization_id: ""`}, nil, "acme", false},
		{"Presence", "required_id", "", text{`required_id: "acme"`}, nil, "acme", true},
		{"Presence", "required_id", "", text{`organization_id: "acme"`}, nil, "acme", false},
		{"Presence", "organization_id", "", nil, []byte("\x0a\x05acme\xff"), "acme\xff", true},
		{"Presence", "organization_id", "", nil, []byte("\x0a\x05acme\xff"), "acme\xfe", false},
		{"Presence", "member.id", "", text{`Member {id: "acme"} Member {id: "acme"}`}, nil, "acme", true},
		{"Presence", "member.id", "", text{`Member {id: "acme"} Member {}`}, nil, "acme", false},
		{"Presence", "member.aliases", "", text{`Member {aliases: ["acme", "acme"]} Member {aliases: "acme"}`}, nil, "acme", true},
		{"Presence", "member.aliases", "", text{`Member {aliases: ["acme", "acme"]} Member {id: "acme"}`}, nil, "acme", false},
		{"Presence", "member.parent.member.aliases", "", text{`Member {parent {required_id: "" Member {aliases: "acme"}}}`}, nil, "acme", true},
		{"Presence", "member.parent.member.aliases", "", text{`Member {parent {Member {aliases: "acme"}}} Member {parent {Member {}}}`}, nil, "acme", false},
		{"Presence", "subject_id", "", text{`subject_number: 7`, `subject_id: "acme"`}, nil, "acme", true},
		{"Presence", "subject_id", "", text{`subject_id: "acme"`, `subject_fixed: 7`}, nil, "acme", false},
		{"Presence", "subject_id", "", text{`subject_id: "acme"`, `Grouped {}`}, nil, "acme", false},
		{"Presence", "subject_id", "", text{`subject_id: "acme"`}, []byte("\x3d\x00\x00\x00\x00"), "acme", true},
		{"Presence", "subject_id", "", text{`subject_number: 0`}, nil, "acme", false},
		{"Presence", "grouped.id", "", text{`Grouped {id: "acme"}`, `Grouped {}`}, nil, "acme", true},
		{"Presence", "grouped.id", "", text{`Grouped {id: "acme"}`, `Grouped {id: ""}`}, nil, "acme", false},
		{"Presence", "grouped.id", "", nil, []byte("\x2a\x06\x0a\x04acme"), "acme", false},
		{"Presence", "subject_presence.subject_presence.organization_id", "", text{`subject_presence {subject_presence {organization_id: "acme"}}`}, nil, "acme", true},
		{"Presence", "subject_presence.subject_presence.organization_id", "", text{`subject_presence {subject_presence {}}`}, nil, "acme", false},

		{"Edition", "organization_id", "", text{`organization_id: "acme"`}, nil, "acme", true},
		{"Edition", "organization_id", "", text{`parent: {organization_id: "acme"}`}, nil, "acme", false},
		{"Edition", "implicit_id", names, text{`implicit_id: "organizations/acme/1"`}, nil, "acme", true},
		{"Edition", "implicit_id", names, text{`implicit_id: "organizations/acme/"`}, nil, "acme", false},
		{"Edition", "implicit_id", "", text{``}, nil, "", false},
		{"Edition", "unchecked_id", "", nil, []byte("\x22\x01\xff"), "\xff", true},
		{"Edition", "parent.parent.required_id", "", text{`parent: {parent: {required_id: "acme"}}`, `parent: {parent: {}}`}, nil, "acme", true},
		{"Edition", "parent.parent.required_id", "", text{`parent: {parent: {required_id: "acme"}}`, `parent: {parent: {required_id: ""}}`}, nil, "acme", false},
		{"Edition", "children.prefixed.organization_id", "", text{`children: [{prefixed: [{organization_id: "acme"}, {organization_id: "acme"}]}, {prefixed: {organization_id: "acme"}}]`}, nil, "acme", true},
		{"Edition", "children.prefixed.organization_id", "", text{`children: [{prefixed: [{organization_id: "acme"}, {}]}, {prefixed: {organization_id: "acme"}}]`}, nil, "acme", false},
		{"Edition", "children.prefixed.organization_id", "", text{`children: [{}, {prefixed: {organization_id: "acme"}}]`}, nil, "acme", false},
		{"Edition", "subject_edition.subject_id", "", text{`subject_edition: {subject_id: "acme"}`}, nil, "acme", true},
		{"Edition", "subject_edition.subject_id", "", text{`subject_edition: {subject_id: "acme"}`, `subject_id: "acme"`}, nil, "acme", false},

		{"BatchGetDocumentsRequest", "requests.organization_id", "", text{`requests: [{organization_id: "acme"}, {organization_id: "acme"}]`}, nil, "acme", true},
		{"BatchGetDocumentsRequest", "requests.organization_id", "", text{`requests: [{organization_id: "acme"}, {name: "acme"}]`}, nil, "acme", false},
		{"BatchGetDocumentsRequest", "requests.organization_id", "", text{`requests: [{organization_id: "acme"}, {organization_id: "globex"}]`}, nil, "acme", false},
		{"BatchGetDocumentsRequest", "requests.name", names, text{`requests: [{name: "organizations/acme/1"}, {name: "organizations/acme/2"}]`}, nil, "acme", true},
		{"BatchGetDocumentsRequest", "requests.name", names, text{`requests: [{name: "organizations/acme/1"}, {name: "organizations/globex/acme"}]`}, nil, "acme", false},

		{"MethodRule", "organization.field", "", text{`organization: {field: "acme"}`}, nil, "acme", true},
		{"MethodRule", "organization.field", "", text{`organization: {field: "acme"}`, `organization: {token: false}`}, nil, "acme", false},
		{"MethodRule", "organization.field", "", text{`organization: {header: "acme"}`}, nil, "acme", false},
		{"MethodRule", "any_scopes", "", text{`any_scopes: ["acme", "acme", "acme"]`}, nil, "acme", true},
		{"MethodRule", "any_scopes", "", text{`scopes: "acme" any_scopes: ["acme", "acme", "acm"]`}, nil, "acme", false},

		{"ListValue", "values.list_value.values.string_value", "", text{`values: {list_value: {values: [{string_value: "acme"}, {string_value: "acme"}]}}`}, nil, "acme", true},
		{"ListValue", "values.list_value.values.string_value", "", text{`values: [{list_value: {values: {string_value: "acme"}}}, {list_value: {}}]`}, nil, "acme", false},
		{"ListValue", "values.string_value", "", text{`values: [{string_value: "acme"}, {number_value: 1}]`}, nil, "acme", false},

		{"FileDescriptorProto", "name", "", text{`name: "acme"`}, nil, "acme", true},
		{"FileDescriptorProto", "dependency", "", text{`dependency: ["acme", ""]`}, nil, "acme", false},
		{"FileDescriptorProto", "message_type.nested_type.field.name", "", text{`message_type: {nested_type: [{field: [{name: "acme"}, {name: "acme"}]}, {field: {name: "acme"}}]}`}, nil, "acme", true},
		{"FileDescriptorProto", "message_type.nested_type.field.name", "", text{`message_type: {nested_type: [{field: [{name: "acme"}, {name: "acme"}]}, {field: {type_name: "acme"}}]}`}, nil, "acme", false},
		{"FileDescriptorProto", "options.java_package", "", text{`options: {java_package: "acme"}`, `options: {go_package: "globex"}`}, nil, "acme", true},
		{"FileDescriptorProto", "options.java_package", "", text{`options: {}`}, nil, "acme", false},
	}...)
}

// badPaths are paths with every kind of step that a path cannot end in, or lead through.
var badPaths = map[protoreflect.Name][]string{
	"Request":             {"tenant", "tenants.children"},
	"Presence":            {"labels", "labels.value", "raw_id", "subject_number", "member"},
	"FileDescriptorProto": {"public_dependency", "options.deprecated"},
}

// FuzzMatch compares the organization, the subject or the client of a request with the values on the wire,
// for all paths of several types of requests.
func FuzzMatch(f *testing.F) {
	shapes := shapes(f)
	indexOf := func(name protoreflect.Name) int {
		return slices.IndexFunc(shapes, func(s shape) bool { return s.copies[0].Name() == name })
	}
	matching, failing := make([]int, len(shapes)), make([]int, len(shapes))
	for _, seed := range matchSeeds(f) {
		n := indexOf(seed.shape)
		request := shapes[n].copies[0]
		var wire []byte
		for _, text := range seed.parts {
			part := dynamicpb.NewMessage(request)
			err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal([]byte(text), part)
			encoded, err2 := (proto.MarshalOptions{AllowPartial: true, Deterministic: true}).Marshal(part)
			if err := cmp.Or(err, err2); err != nil {
				f.Fatalf("%s: %v", text, err)
			}
			wire = append(wire, encoded...)
		}
		wire = append(wire, seed.wire...)
		if shapes[n].decode(wire) == nil {
			f.Fatalf("%v cannot be decoded", seed)
		}
		if got := namesOnly(named(f, request, strings.Split(seed.path, "."), wire), nouns[0], seed.pattern, seed.id); got != seed.want {
			f.Fatalf("the oracle says %t of %v", got, seed)
		}
		if seed.want {
			matching[n]++
		} else {
			failing[n]++
		}
		for i, noun := range nouns {
			f.Add(uint8(n), uint8(i), stepsOf(f, request, seed.path), of(noun, seed.pattern), wire, seed.id)
		}
	}
	if slices.Min(matching) == 0 || slices.Min(failing) == 0 {
		f.Fatalf("%v matching and %v failing seeds: too few", matching, failing)
	}
	for name, paths := range badPaths {
		n := indexOf(name)
		f.Add(uint8(n), uint8(n), []byte(nil), "", []byte(nil), "acme")
		for _, path := range paths {
			f.Add(uint8(n), uint8(n), stepsOf(f, shapes[n].copies[0], path), "", []byte(nil), "acme")
		}
	}
	f.Fuzz(func(t *testing.T, n, i uint8, steps []byte, pattern string, wire []byte, id string) {
		if len(steps) > 16 || !utf8.ValidString(pattern) || strings.ContainsRune(pattern, utf8.RuneError) {
			return // the last of which a regular expression takes for any byte that is no UTF-8
		}
		shape, noun := shapes[int(n)%len(shapes)], nouns[int(i)%len(nouns)]
		path, ok := follow(shape.copies[0], steps)
		var rules []checker
		for _, request := range shape.copies {
			rule, err := ruleOn(t, request, noun, strings.Join(path, "."), pattern)
			switch {
			case !ok && (err == nil || faultsOf(t, err)[0].Kind != fieldFault(noun)):
				t.Fatalf("path %q of %s: %v", path, request.Name(), err)
			case !ok:
				return
			case pattern != "" && (!patternForms[noun].MatchString(pattern) || !patternLetters.MatchString(pattern)):
				return // as FuzzPattern makes sure
			case err != nil:
				t.Fatalf("path %q of %s: %v", path, request.Name(), err)
			}
			rules = append(rules, rule)
		}
		check := func(wire []byte, id string) (want bool) {
			values := named(t, shape.copies[0], path, wire)
			want = namesOnly(values, noun, pattern, id)
			for _, message := range shape.decode(wire) {
				for _, rule := range rules {
					if got := rule.Check(message, id) == nil; got != want {
						t.Errorf("%T {%v}, path %q, pattern %q, values %q name only the %s %q: got %t, want %t", message, message, path, pattern, values, noun, id, got, want)
					}
					if rule.Check(message, "") == nil {
						t.Errorf("%T {%v}, path %q, pattern %q names the empty %s", message, message, path, pattern, noun)
					}
				}
			}
			return want
		}
		if shape.decode(wire) == nil {
			return
		}
		check(wire, id)

		// The same request with one name throughout, and with another in one place.
		name := id
		if pattern != "" {
			name = strings.NewReplacer("{"+noun+"}", id, "*", "x").Replace(pattern)
		}
		places := 0
		same := rename(t, shape.copies[0], path, wire, func() string { places++; return name })
		check(same, id)
		for other := range min(places, 8) {
			place := 0
			mixed := rename(t, shape.copies[0], path, wire, func() string {
				if place++; place-1 == other {
					return name + "x"
				}
				return name
			})
			if bytes.Equal(mixed, same) {
				t.Fatalf("place %d of %d is not renamed", other, places)
			}
			check(mixed, id)
		}
	})
}
