package policy_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	authzv1 "github.com/protoauthz/protoauthz/gen/protoauthz/v1"
	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	table := compileTable(t, policy.Files{samplev1.File_sample_v1_catalog_proto},
		policy.WithAudience("https://api.example.com"),
		policy.WithPublic("grpc.health.v1.Health", "linked.v1.LinkedService"))
	const none = "" // no rule
	for _, c := range []struct{ procedure, want string }{
		{"/sample.v1.CatalogService/GetInfo", "/sample.v1.CatalogService/GetInfo"},
		{"/sample.v1.CatalogService/ImportProducts", "/sample.v1.CatalogService/ImportProducts"},
		{"/sample.v1.CatalogService/Unknown", none},
		{"/sample.v1.CatalogService/", none},
		{"/sample.v1.CatalogService", none},
		{"/sample.v1.CatalogService/*", none},
		{"/sample.v1.CatalogService/getinfo", none},
		{"/sample.v1.CatalogService/GetInfo/", none},
		{"/sample.v1.CatalogService/GetInfo ", none},
		{"//sample.v1.CatalogService/GetInfo", none},
		{"/SAMPLE.v1.CatalogService/GetInfo", none},
		{"sample.v1.CatalogService/GetInfo", none},
		{"sample.v1.CatalogService.GetInfo", none},
		{"https://example.com/sample.v1.CatalogService/GetInfo", none},
		{"/CatalogService/GetInfo", none},
		{"", none},
		{"/", none},
		{"//", none},
		{"///", none},

		// Linked, and even in the same package, but not compiled.
		{"/sample.v1.DocumentService/ListDocuments", none},
		{"/sample.v1.MemberService/ListMembers", none},
		{"/unknown.v1.Service/Call", none},

		// Opened by name, methods not known.
		{"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/*"},
		{"/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/*"},
		{"/grpc.health.v1.Health/", none},
		{"/grpc.health.v1.Health", none},
		{"/grpc.health.v1.Health//", none},
		{"/grpc.health.v1.Health//Check", none},
		{"/grpc.health.v1.Health/Check/", none},
		{"/grpc.health.v1.Health/../sample.v1.CatalogService/CreateOrder", none},
		{"//grpc.health.v1.Health/Check", none},
		{"grpc.health.v1.Health/Check", none},
		{"xgrpc.health.v1.Health/Check", none},
		{"/grpc.health.v1.health/Check", none},
		{"/grpc.health.v1.HealthCheck/Check", none},
		{"/grpc.health.v1/Health", none},

		// Opened by name, methods known.
		{"/linked.v1.LinkedService/Check", "/linked.v1.LinkedService/Check"},
		{"/linked.v1.LinkedService/Unknown", none},
		{"/linked.v1.LinkedService/", none},
	} {
		got := none
		rule, ok := table.Lookup(c.procedure)
		if ok {
			got = rule.Procedure
		}
		if got != c.want || ok != (rule != nil) {
			t.Errorf("Lookup(%q): got rule %q and %t, want %q", c.procedure, got, ok, c.want)
		}
	}
}

func TestZeroTable(t *testing.T) {
	t.Parallel()
	var table policy.Table
	for _, procedure := range []string{"", "/", "/sample.v1.CatalogService/GetInfo", "/grpc.health.v1.Health/Check"} {
		if rule, ok := table.Lookup(procedure); ok || rule != nil {
			t.Errorf("Lookup(%q): got %v and %t, want no rule", procedure, rule, ok)
		}
	}
	if rules := table.Rules(); len(rules) != 0 {
		t.Errorf("Rules: got %v, want none", rules)
	}
	if got := table.String(); got != "" {
		t.Errorf("String: got %q, want nothing", got)
	}
}

// TestRules compares the fields of rules. The golden files hold only the texts.
func TestRules(t *testing.T) {
	t.Parallel()
	table := compileTable(t,
		policy.Files{
			samplev1.File_sample_v1_member_proto,
			samplev1.File_sample_v1_document_proto,
			samplev1.File_sample_v1_catalog_proto,
		},
		policy.WithAudience("https://api.example.com"),
		policy.WithPublic("grpc.health.v1.Health"))
	// The exported fields of each rule.
	rules := map[string]policy.Rule{}
	last := ""
	lines := strings.Split(table.String(), "\n")
	for i, rule := range table.Rules() {
		if got, want := rule.String(), strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("got rule %q, want the table's line %q", got, want)
		}
		if rule.Procedure <= last {
			t.Errorf("%s stands after %s", rule.Procedure, last)
		}
		last = rule.Procedure
		if found, ok := table.Lookup(rule.Procedure); !ok || found == rule || !reflect.DeepEqual(found, rule) {
			t.Errorf("Lookup(%q): got %v and %t", rule.Procedure, found, ok)
		}
		seen := policy.Rule{
			Procedure: rule.Procedure, Public: rule.Public, Way: policy.Way{
				Scopes: rule.Scopes, AnyScopes: rule.AnyScopes,
				Caller: rule.Caller, Model: rule.Model, Audience: rule.Audience,
			},
		}
		if o := rule.Organization; o != nil {
			seen.Organization = &policy.Organization{Location: o.Location, Name: o.Name, Pattern: o.Pattern}
		}
		rules[rule.Procedure] = seen
	}
	if got, want := len(rules), 16; got != want {
		t.Errorf("got %d rules, want %d", got, want)
	}
	const audience = "https://api.example.com"
	if got := table.Audience(); got != audience {
		t.Errorf("the audience is %q", got)
	}
	if got := new(policy.Table).Audience(); got != "" {
		t.Errorf("a table without an audience has %q", got)
	}
	for _, want := range []policy.Rule{
		{Procedure: "/grpc.health.v1.Health/*", Public: true},
		{Procedure: "/sample.v1.CatalogService/GetInfo", Public: true},
		{Procedure: "/sample.v1.CatalogService/WhoAmI", Way: policy.Way{Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience}},
		{
			Procedure: "/sample.v1.CatalogService/ImportProducts", Way: policy.Way{
				Model: authzv1.Model_MODEL_GLOBAL_RESOURCE, Audience: audience,
				Scopes: []string{"read:products", "write:products"},
			},
		},
		{
			Procedure: "/sample.v1.MemberService/ListMembers", Way: policy.Way{
				Model: authzv1.Model_MODEL_ORGANIZATION, Audience: audience,
				AnyScopes:    []string{"invite:member", "manage:members"},
				Organization: &policy.Organization{Location: policy.LocationField, Name: "organization_id"},
			},
		},
		{
			Procedure: "/sample.v1.DocumentService/GetDocument", Way: policy.Way{
				Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Audience: audience,
				Scopes:       []string{"read:data"},
				Organization: &policy.Organization{Location: policy.LocationField, Name: "name", Pattern: "organizations/{organization}/documents/*"},
			},
		},
		{
			Procedure: "/sample.v1.DocumentService/UpdateSettings", Way: policy.Way{
				Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Audience: audience,
				Scopes:       []string{"write:settings"},
				Organization: &policy.Organization{Location: policy.LocationHeader, Name: "x-organization-id"},
			},
		},
		{
			Procedure: "/sample.v1.DocumentService/GetUsage", Way: policy.Way{
				Model: authzv1.Model_MODEL_ORGANIZATION_RESOURCE, Audience: audience,
				Scopes:       []string{"read:data"},
				Organization: &policy.Organization{Location: policy.LocationToken},
			},
		},
	} {
		if got := rules[want.Procedure]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestManyImports makes sure that a file is looked at once, and not once for each way in which imports lead to it.
func TestManyImports(t *testing.T) {
	t.Parallel()
	const layers = 40 // of two files, each of which imports both files below
	sources, imports := map[string]string{}, ""
	for n := range layers {
		next := ""
		for _, side := range []string{"left", "right"} {
			name := fmt.Sprintf("%s%d.proto", side, n)
			sources[name] = `syntax = "proto3"; ` + imports
			next += fmt.Sprintf("import %q; ", name)
		}
		imports = next
	}
	sources["service.proto"] = `syntax = "proto3"; package many.v1; import "protoauthz/v1/authz.proto"; ` + imports + `message M {} service Service { ` + global +
		` rpc Call(M) returns (M) { option (protoauthz.v1.method) = {scopes: "read:x"}; } }`
	table, err := policy.Compile(compileSources(t, sources, "service.proto"), policy.WithAudience("https://api.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := table.Lookup("/many.v1.Service/Call"); !ok {
		t.Error("no rule")
	}
}

// A countedFile counts who looks at a file.
type countedFile struct {
	protoreflect.FileDescriptor
	seen, read int
}

func (f *countedFile) IsPlaceholder() bool {
	f.seen++
	return f.FileDescriptor.IsPlaceholder()
}

func (f *countedFile) Extensions() protoreflect.ExtensionDescriptors {
	f.read++
	return f.FileDescriptor.Extensions()
}

// TestWork makes sure that neither more services of a file nor more files that import a file make Compile look at
// that file more often.
func TestWork(t *testing.T) {
	t.Parallel()
	compile := func(files, services int) *countedFile {
		hub := &countedFile{FileDescriptor: compileSources(t, map[string]string{"hub.proto": `syntax = "proto3";`}, "hub.proto")[0]}
		given := policy.Files{hub}
		for n := range files {
			file := &descriptorpb.FileDescriptorProto{
				Name: proto.String(fmt.Sprintf("file%d.proto", n)), Package: proto.String(fmt.Sprintf("file%d", n)),
				Dependency: []string{"hub.proto"}, Syntax: proto.String("proto3"),
			}
			for n := range services {
				file.Service = append(file.Service, &descriptorpb.ServiceDescriptorProto{Name: proto.String(fmt.Sprintf("Service%d", n))})
			}
			// The import is a placeholder, so that the file is looked up among the given files.
			descriptor, err := protodesc.FileOptions{AllowUnresolvable: true}.New(file, new(protoregistry.Files))
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, descriptor)
		}
		_, _ = policy.Compile(given) // no service has a rule
		return hub
	}
	one, services, files := compile(1, 1), compile(1, 10), compile(10, 1)
	if one.seen == 0 || services.seen != one.seen {
		t.Errorf("the import of a file is looked at %d times for one service, and %d times for 10", one.seen, services.seen)
	}
	if one.read != 1 || files.read != 1 {
		t.Errorf("the extensions of a file are read %d times for one file, and %d times for 10", one.read, files.read)
	}
}
