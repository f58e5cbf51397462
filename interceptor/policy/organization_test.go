package policy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// readSources reads .proto files below root.
func readSources(t testing.TB, root string, names ...string) map[string]string {
	t.Helper()
	sources := map[string]string{}
	for _, name := range names {
		source, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = string(source)
	}
	return sources
}

func compileMatch(t testing.TB, sources map[string]string) protoreflect.FileDescriptor {
	t.Helper()
	return compileSources(t, sources, "match/match.proto")[0]
}

func compileTable(t testing.TB, files policy.Files, options ...policy.Option) *policy.Table {
	t.Helper()
	table, err := policy.Compile(files, options...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func organizationOf(t testing.TB, table *policy.Table, procedure string) *policy.Organization {
	t.Helper()
	rule, ok := table.Lookup(procedure)
	if !ok {
		t.Fatalf("no rule for %s", procedure)
	}
	return rule.Organization
}

func dynamicMessage(t testing.TB, file protoreflect.FileDescriptor, name protoreflect.Name, text string) proto.Message {
	t.Helper()
	message := dynamicpb.NewMessage(file.Messages().ByName(name))
	if err := prototext.Unmarshal([]byte(text), message); err != nil {
		t.Fatal(err)
	}
	return message
}

type matchCase struct {
	method  string // of MatchService in testdata/match/match.proto
	request string // text format
	id      string
	want    bool
}

var matchCases = []matchCase{
	{"Top", `organization_id: "acme"`, "acme", true},
	{"Top", `organization_id: "globex"`, "acme", false},
	{"Top", ``, "acme", false},
	{"Top", ``, "", false},
	{"Top", `organization_id: ""`, "", false},
	{"Top", `organization_id: "acme"`, "", false},
	{"Top", `organization_id: "Acme"`, "acme", false},
	{"Top", `organization_id: " acme"`, "acme", false},
	{"Top", `organization_id: "acme "`, "acme", false},
	{"Top", `organization_id: "acme\000"`, "acme", false},
	{"Top", `organization_id: "acme2"`, "acme", false},
	{"Top", `organization_id: "acm"`, "acme", false},
	{"Top", `organization_id: "\u00e9"`, "e\u0301", false}, // one letter, two spellings
	{"Top", `organization_id: "a/b"`, "a/b", true},
	{"Top", `names: "acme" tenant: {id: "acme"} optional_id: "acme"`, "acme", false},

	{"Optional", `optional_id: "acme"`, "acme", true},
	{"Optional", `optional_id: ""`, "acme", false},
	{"Optional", `optional_id: ""`, "", false},
	{"Optional", ``, "acme", false},

	{"Nested", `tenant: {id: "acme"}`, "acme", true},
	{"Nested", `tenant: {id: "globex"}`, "acme", false},
	{"Nested", `tenant: {}`, "acme", false},
	{"Nested", `tenant: {}`, "", false},
	{"Nested", `organization_id: "acme"`, "acme", false},
	{"Nested", `tenant: {parent: {id: "acme"}}`, "acme", false},
	{"Deep", `tenant: {parent: {parent: {id: "acme"}}}`, "acme", true},
	{"Deep", `tenant: {id: "acme" parent: {id: "acme" parent: {id: "globex"}}}`, "acme", false},
	{"Deep", `tenant: {id: "acme" parent: {id: "acme"}}`, "acme", false},

	{"Repeated", ``, "acme", false},
	{"Repeated", ``, "", false},
	{"Repeated", `names: "acme"`, "acme", true},
	{"Repeated", `names: ["acme", "acme", "acme"]`, "acme", true},
	{"Repeated", `names: ["globex", "acme", "acme"]`, "acme", false},
	{"Repeated", `names: ["acme", "globex", "acme"]`, "acme", false},
	{"Repeated", `names: ["acme", "acme", "globex"]`, "acme", false},
	{"Repeated", `names: ["acme", ""]`, "acme", false},
	{"Repeated", `names: [""]`, "", false},
	{"ThroughRepeated", ``, "acme", false},
	{"ThroughRepeated", `tenants: {id: "acme"}`, "acme", true},
	{"ThroughRepeated", `tenants: [{id: "acme"}, {id: "acme"}]`, "acme", true},
	{"ThroughRepeated", `tenants: [{id: "globex"}, {id: "acme"}]`, "acme", false},
	{"ThroughRepeated", `tenants: [{id: "acme"}, {id: "globex"}]`, "acme", false},
	{"ThroughRepeated", `tenants: [{id: "acme"}, {}]`, "acme", false},
	{"ThroughRepeated", `tenants: [{}, {id: "acme"}]`, "acme", false},
	{"RepeatedInRepeated", `tenants: [{children: [{aliases: ["acme", "acme"]}, {aliases: "acme"}]}, {children: {aliases: "acme"}}]`, "acme", true},
	{"RepeatedInRepeated", `tenants: [{children: [{aliases: ["acme", "acme"]}, {aliases: "acme"}]}, {children: {aliases: "globex"}}]`, "acme", false},
	{"RepeatedInRepeated", `tenants: [{children: [{aliases: ["acme", "globex"]}, {aliases: "acme"}]}]`, "acme", false},
	{"RepeatedInRepeated", `tenants: [{children: [{aliases: "acme"}, {}]}]`, "acme", false},
	{"RepeatedInRepeated", `tenants: [{children: {aliases: "acme"}}, {}]`, "acme", false},
	{"RepeatedInRepeated", `tenants: {id: "acme"}`, "acme", false},

	{"Oneof", `subject_id: "acme"`, "acme", true},
	{"Oneof", `subject_id: ""`, "", false},
	{"Oneof", `subject_tenant: {id: "acme"}`, "acme", false},
	{"Oneof", ``, "acme", false},
	{"ThroughOneof", `subject_tenant: {id: "acme"}`, "acme", true},
	{"ThroughOneof", `subject_tenant: {}`, "acme", false},
	{"ThroughOneof", `subject_id: "acme"`, "acme", false},

	{"Default", `defaults: {organization_id: "acme"}`, "acme", true},
	{"Default", `defaults: {organization_id: "globex"}`, "acme", false},
	{"Default", `defaults: {}`, "acme", false}, // the default is acme
	{"Default", ``, "acme", false},
	{"Group", `defaults: {Nested {organization_id: "acme"}}`, "acme", true},
	{"Group", `defaults: {Nested {}}`, "acme", false},

	{"Wrapper", `wrapped_id: {value: "acme"}`, "acme", true},
	{"Wrapper", `wrapped_id: {value: "globex"}`, "acme", false},
	{"Wrapper", `wrapped_id: {}`, "acme", false},
	{"Wrapper", `wrapped_id: {}`, "", false},
	{"Wrapper", ``, "acme", false},
	{"Wrapper", `organization_id: "acme"`, "acme", false},
	{"WrapperInList", `wrapped_ids: [{value: "acme"}, {value: "acme"}]`, "acme", true},
	{"WrapperInList", `wrapped_ids: [{value: "acme"}, {}]`, "acme", false},
	{"WrapperInList", `wrapped_ids: [{value: "globex"}, {value: "acme"}]`, "acme", false},
	{"WrapperInList", ``, "acme", false},

	{"Pattern", `organization_id: "organizations/acme/documents/1"`, "acme", true},
	{"Pattern", `organization_id: "organizations/acme/documents/*"`, "acme", true},
	{"Pattern", `organization_id: "organizations/acme/documents/{organization}"`, "acme", true},
	{"Pattern", `organization_id: "organizations/globex/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme2/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acm/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/ACME/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/*/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/{organization}/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents/"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents/1/"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents/1/2"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents//1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme//documents/1"`, "acme", false},
	{"Pattern", `organization_id: "/organizations/acme/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "//example.com/organizations/acme/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "x/organizations/acme/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/documents/../../globex/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/globex/../acme/documents/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations%2Facme%2Fdocuments%2F1"`, "acme", false},
	{"Pattern", `organization_id: "organizations/acme/users/1"`, "acme", false},
	{"Pattern", `organization_id: "organizations"`, "acme", false},
	{"Pattern", `organization_id: "acme"`, "acme", false},
	{"Pattern", `organization_id: "/"`, "acme", false},
	{"Pattern", `organization_id: "organizations//documents/1"`, "", false},
	{"Pattern", `organization_id: ""`, "", false},
	{"Pattern", `organization_id: "organizations/a/b/documents/1"`, "a/b", false},
	{"Pattern", `organization_id: "organizations/acme/documents/globex/documents/1"`, "acme/documents/globex", false},
	{"Pattern", `organization_id: "organizations/*/documents/1"`, "*", true},
	{"Pattern", ``, "acme", false},
	{"PatternLast", `organization_id: "eu/organizations/acme"`, "acme", true},
	{"PatternLast", `organization_id: "eu/organizations/acme/documents"`, "acme", false},
	{"PatternLast", `organization_id: "/organizations/acme"`, "acme", false},
	{"PatternLast", `organization_id: "eu/west/organizations/acme"`, "acme", false},
	{"PatternLast", `organization_id: "eu/organizations/"`, "acme", false},
	{"PatternOnly", `organization_id: "acme"`, "acme", true},
	{"PatternOnly", `organization_id: "acme/"`, "acme", false},
	{"PatternOnly", `organization_id: "a/b"`, "a/b", false},
	{"PatternRepeated", `names: ["acme/1", "acme/2"]`, "acme", true},
	{"PatternRepeated", `names: ["acme/1", "globex/2"]`, "acme", false},
	{"PatternRepeated", ``, "acme", false},

	{"Header", `organization_id: "acme"`, "acme", false},
	{"Token", `organization_id: "acme"`, "acme", false},
}

// TestUnsetPath makes sure that a message in which the path ends early does not name an
// organization, not even an empty one.
func TestUnsetPath(t *testing.T) {
	t.Parallel()
	type tried struct {
		file  protoreflect.FileDescriptor
		table *policy.Table
	}
	compiled := map[string]tried{}
	for _, noun := range nouns {
		file := compileMatch(t, matchSources(t, noun))
		compiled[noun] = tried{file, compileTable(t, policy.Files{file})}
	}
	for _, c := range []struct{ name, method, request string }{
		{"message empty", "Nested", ``},
		{"tenant empty", "Nested", `tenant: {}`},
		{"id empty", "Nested", `tenant: {id: ""}`},
		{"message empty, deep", "Deep", ``},
		{"tenant empty, deep", "Deep", `tenant: {}`},
		{"parent empty", "Deep", `tenant: {id: "acme" parent: {}}`},
		{"parent's parent empty", "Deep", `tenant: {id: "acme" parent: {id: "acme" parent: {}}}`},
		{"id empty, deep", "Deep", `tenant: {id: "acme" parent: {id: "acme" parent: {id: ""}}}`},
		{"another field names it", "Deep", `organization_id: "acme" names: "acme"`},
		{"list empty", "ThroughRepeated", ``},
		{"element empty", "ThroughRepeated", `tenants: {}`},
		{"another of the oneof", "ThroughOneof", `subject_id: "acme"`},
	} {
		t.Run("D50/"+c.name, func(t *testing.T) {
			t.Parallel()
			for noun, tried := range compiled {
				for _, id := range []string{"acme", ""} {
					request := dynamicMessage(t, tried.file, "Request", c.request)
					if checkerOf(t, tried.table, "/match.v1.MatchService/"+c.method, noun).Check(request, id) == nil {
						t.Errorf("{%s} names the %s %q", c.request, noun, id)
					}
				}
			}
		})
	}
}

// TestMatch tries every rule on messages of the descriptors that it was compiled
// from, and of other copies of these descriptors.
func TestMatch(t *testing.T) {
	t.Parallel()
	for _, noun := range nouns {
		t.Run(noun, func(t *testing.T) {
			t.Parallel()
			original := compileMatch(t, matchSources(t, noun))
			var files []protoreflect.FileDescriptor
			for _, form := range forms() {
				files = append(files, form.convert(t, []protoreflect.FileDescriptor{original})...)
			}
			for _, rules := range files {
				table := compileTable(t, policy.Files{rules})
				for _, messages := range files {
					for _, c := range matchCases {
						named := checkerOf(t, table, "/match.v1.MatchService/"+c.method, noun)
						request := dynamicMessage(t, messages, "Request", c.request)
						if got := named.Check(request, c.id) == nil; got != c.want {
							t.Errorf("%s {%s} names %q: got %t, want %t (same descriptor: %t)",
								c.method, c.request, c.id, got, c.want, rules == messages)
						}
					}
				}
			}
		})
	}
}

// TestPath compares the fields of paths. Other locations have no path.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, noun := range nouns {
		table := compileTable(t, policy.Files{compileMatch(t, matchSources(t, noun))}, policy.WithAudience("https://api.example.com"))
		for method, want := range map[string][]protoreflect.FullName{
			"Top":                {"match.v1.Request.organization_id"},
			"Deep":               {"match.v1.Request.tenant", "match.v1.Tenant.parent", "match.v1.Tenant.parent", "match.v1.Tenant.id"},
			"RepeatedInRepeated": {"match.v1.Request.tenants", "match.v1.Tenant.children", "match.v1.Tenant.aliases"},
			"Header":             nil,
			"Token":              nil,
		} {
			named := checkerOf(t, table, "/match.v1.MatchService/"+method, noun)
			var got []protoreflect.FullName
			for _, field := range named.Path() {
				got = append(got, field.FullName())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s: the path is %q, want %q", noun, method, got, want)
			}
			if path := named.Path(); len(path) > 0 {
				if path[0] = nil; named.Path()[0] == nil {
					t.Errorf("%s of %s: the path is shared", noun, method)
				}
			}
		}
	}
}

// TestMatchOtherVersion makes sure that a message of another version of the file
// is refused, and does not cause a panic.
func TestMatchOtherVersion(t *testing.T) {
	t.Parallel()
	tables := map[string]*policy.Table{}
	for _, noun := range nouns {
		tables[noun] = compileTable(t, policy.Files{compileMatch(t, matchSources(t, noun))})
	}
	for _, c := range []struct {
		name, method, was, is, request, id string
		want                               bool
	}{
		{"unchanged", "Top", "", "", `organization_id: "42"`, "42", true},
		{"other field added", "Top", "string organization_id = 1;", "string organization_id = 1; string other = 99;", `organization_id: "42" other: "43"`, "42", true},
		{"number", "Top", "string organization_id = 1;", "int64 organization_id = 1;", `organization_id: 42`, "42", false},
		{"bytes", "Top", "string organization_id = 1;", "bytes organization_id = 1;", `organization_id: "42"`, "42", false},
		{"repeated", "Top", "string organization_id = 1;", "repeated string organization_id = 1;", `organization_id: "42"`, "42", false},
		{"renamed", "Top", "string organization_id = 1;", "string parent_id = 1;", `parent_id: "42"`, "42", false},
		{"renumbered", "Top", "string organization_id = 1;", "string organization_id = 99;", `organization_id: "42"`, "42", false},
		{"removed", "Top", "string organization_id = 1;", "", `names: "42"`, "42", false},
		{"singular", "Repeated", "repeated string names = 4;", "string names = 4;", `names: "42"`, "42", false},
		{"message became map", "Nested", "  Tenant tenant = 2;", "map<string, string> tenant = 2;", `tenant: {key: "id" value: "42"}`, "42", false},
		{"messages became map", "ThroughRepeated", "repeated Tenant tenants = 3;", "map<string, string> tenants = 3;", `tenants: {key: "id" value: "42"}`, "42", false},
		{"message became string", "Nested", "  Tenant tenant = 2;", "string tenant = 2;", `tenant: "42"`, "42", false},
		{"message became messages", "Nested", "  Tenant tenant = 2;", "repeated Tenant tenant = 2;", `tenant: {id: "42"}`, "42", false},
		{"message became lookalike", "Nested", "  Tenant tenant = 2;", "Lookalike tenant = 2;", `tenant: {id: "42"}`, "42", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The rules of the other version may be faulty: only its messages count.
			sources := matchSources(t, "organization")
			_, messages, _ := strings.Cut(sources["match/match.proto"], "message Request {")
			if strings.Count(messages, c.was) == 0 {
				t.Fatalf("no %q to replace", c.was)
			}
			sources["match/match.proto"] = `syntax = "proto3"; package match.v1; import "google/protobuf/wrappers.proto"; import "match/defaults.proto"; message Request {` +
				strings.Replace(messages, c.was, c.is, 1)
			request := dynamicMessage(t, compileMatch(t, sources), "Request", c.request)
			for noun, table := range tables {
				if got := checkerOf(t, table, "/match.v1.MatchService/"+c.method, noun).Check(request, c.id) == nil; got != c.want {
					t.Errorf("%s: got %t, want %t", noun, got, c.want)
				}
			}
		})
	}
}

// TestMatchGenerated crosses rules of linked descriptors with dynamic messages,
// and rules of dynamic descriptors with generated messages.
func TestMatchGenerated(t *testing.T) {
	t.Parallel()
	linked := policy.Files{samplev1.File_sample_v1_document_proto}
	dynamic := policy.Files(compileSources(t, readSources(t, "../../proto", "sample/v1/document.proto"), "sample/v1/document.proto"))
	audience := policy.WithAudience("https://api.example.com")
	tables := map[string]*policy.Table{"linked": compileTable(t, linked, audience), "dynamic": compileTable(t, dynamic, audience)}
	type batch = samplev1.BatchGetDocumentsRequest
	type item = samplev1.BatchGetDocumentsRequest_Request
	for _, c := range []struct {
		method  string
		request proto.Message
		want    bool // that it names acme
	}{
		{"ListDocuments", &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, true},
		{"ListDocuments", &samplev1.ListDocumentsRequest{OrganizationId: "globex"}, false},
		{"ListDocuments", &samplev1.ListDocumentsRequest{}, false},
		{"SyncDocuments", &samplev1.SyncDocumentsRequest{OrganizationId: "acme"}, true},
		{"GetDocument", &samplev1.GetDocumentRequest{Name: "organizations/acme/documents/1"}, true},
		{"GetDocument", &samplev1.GetDocumentRequest{Name: "organizations/globex/documents/1"}, false},
		{"GetDocument", &samplev1.GetDocumentRequest{Name: "acme"}, false},
		{"BatchGetDocuments", &batch{Requests: []*item{{OrganizationId: "acme"}, {OrganizationId: "acme"}}}, true},
		{"BatchGetDocuments", &batch{Requests: []*item{{OrganizationId: "acme"}, {OrganizationId: "globex"}}}, false},
		{"BatchGetDocuments", &batch{Requests: []*item{{OrganizationId: "acme"}, {}}}, false},
		{"BatchGetDocuments", &batch{}, false},
		// Other messages, with the same field under the same number.
		{"ListDocuments", &samplev1.ListMembersRequest{OrganizationId: "acme"}, false},
		{"ListDocuments", &samplev1.SyncDocumentsRequest{OrganizationId: "acme"}, false},
		{"ListDocuments", &samplev1.GetUsageResponse{OrganizationId: "acme"}, false},
		{"BatchGetDocuments", &item{OrganizationId: "acme"}, false},
		// The organization stands elsewhere.
		{"UpdateSettings", &samplev1.UpdateSettingsRequest{Settings: map[string]string{"organization_id": "acme"}}, false},
		{"GetUsage", &samplev1.GetUsageRequest{}, false},
	} {
		wire, err := proto.Marshal(c.request)
		if err != nil {
			t.Fatal(err)
		}
		requests := map[string]proto.Message{"generated": c.request}
		if descriptor := dynamic[0].Messages().ByName(c.request.ProtoReflect().Descriptor().Name()); descriptor != nil {
			request := dynamicpb.NewMessage(descriptor)
			if err := proto.Unmarshal(wire, request); err != nil {
				t.Fatal(err)
			}
			requests["dynamic"] = request
		}
		for rules, table := range tables {
			for form, request := range requests {
				organization := organizationOf(t, table, "/sample.v1.DocumentService/"+c.method)
				if got := organization.Check(request, "acme") == nil; got != c.want {
					t.Errorf("%s rule of %s, %s message %T {%v} names acme: got %t, want %t", rules, c.method, form, c.request, c.request, got, c.want)
				}
			}
		}
	}
}

func TestMatchNothing(t *testing.T) {
	t.Parallel()
	table := compileTable(t, policy.Files{samplev1.File_sample_v1_document_proto}, policy.WithAudience("https://api.example.com"))
	list := organizationOf(t, table, "/sample.v1.DocumentService/ListDocuments")
	batch := organizationOf(t, table, "/sample.v1.DocumentService/BatchGetDocuments")
	made := &policy.Organization{Location: policy.LocationField, Name: "organization_id"}
	moved := *list
	moved.Location = policy.LocationToken
	type item = samplev1.BatchGetDocumentsRequest_Request
	for _, c := range []struct {
		name         string
		organization checker
		request      proto.Message
		id           string
	}{
		{"nil message", list, nil, "acme"},
		{"nil message and no id", list, nil, ""},
		{"typed nil", list, (*samplev1.ListDocumentsRequest)(nil), "acme"},
		{"typed nil and no id", list, (*samplev1.ListDocumentsRequest)(nil), ""},
		{"typed nil of another type", list, (*samplev1.GetUsageRequest)(nil), "acme"},
		{"nil in a list", batch, &samplev1.BatchGetDocumentsRequest{Requests: []*item{{OrganizationId: "acme"}, nil}}, "acme"},
		{"not compiled", made, &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme"},
		{"no longer a field", &moved, &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme"},
		{"zero", &policy.Organization{}, &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme"},
		{"an identifier that is not compiled", &policy.Identifier{Name: "organization_id"}, &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme"},
		{"the zero identifier", &policy.Identifier{}, &samplev1.ListDocumentsRequest{OrganizationId: "acme"}, "acme"},
		{"the zero identifier, of nothing", &policy.Identifier{}, nil, ""},
	} {
		if c.organization.Check(c.request, c.id) == nil {
			t.Errorf("%s: matches", c.name)
		}
	}
}
