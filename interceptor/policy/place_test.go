package policy_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestPlaces tries a file without positions.
func TestPlaces(t *testing.T) {
	t.Parallel()
	file := fileWith(t, nil, nil)
	_, err := policy.Compile(policy.Files{file})
	fault := faultsOf(t, err)[0]
	if _, ok := fault.Place.Position(); ok || fault.Place.String() != "wire/v1/wire.proto" {
		t.Errorf("the place is %q", fault.Place)
	}
	if fault.Place.File != protoreflect.FileDescriptor(file) {
		t.Errorf("the file is %v", fault.Place.File)
	}
}

// TestRulePlaces compares the text at the places of rules and of their fields.
func TestRulePlaces(t *testing.T) {
	t.Parallel()
	const source = `syntax = "proto3";
import "protoauthz/v1/authz.proto";
message M { string id = 1; }
service Inheriting {
  option (protoauthz.v1.service) = {
    model: MODEL_ORGANIZATION_RESOURCE
    audience: "https://api.example.com"
    organization: {token: true}
  };
  rpc Call(M) returns (M) {
    option (protoauthz.v1.method) = {scopes: ["a", "b"]};
  }
  rpc Own(M) returns (M) {
    option (protoauthz.v1.method) = {
      model: MODEL_ORGANIZATION_RESOURCE
      audience: "https://own.example.com"
      organization: {field: "id"}
      any_scopes: "a"
    };
  }
  rpc Global(M) returns (M) {
    option (protoauthz.v1.method) = {model: MODEL_GLOBAL_RESOURCE authenticated: true};
  }
}
service Plain {
  option (protoauthz.v1.service).model = MODEL_GLOBAL_RESOURCE;
  rpc Call(M) returns (M) {
    option (protoauthz.v1.method).authenticated = true;
  }
  rpc List(M) returns (M) {
    option (protoauthz.v1.method).scopes = "list";
  }
  rpc Bare(M) returns (M);
  rpc Deep(M) returns (M) {
    option (protoauthz.v1.method).organization.token = true;
    option (protoauthz.v1.method).model = MODEL_ORGANIZATION;
    option (protoauthz.v1.method).scopes = "a";
  }
}`
	files := compileSources(t, map[string]string{"a.proto": source}, "a.proto")
	table := compileTable(t, policy.Files(files), policy.WithAudience("https://api.example.com"), policy.WithPublic("unknown.Service"), policy.WithUnannotatedRefused("Plain"))
	lines := strings.Split(source, "\n")
	at := func(place policy.Place) string {
		position, ok := place.Position()
		if !ok {
			return "nowhere"
		}
		return strings.TrimSpace(lines[position.StartLine][position.StartColumn:])
	}
	for _, test := range []struct {
		procedure string
		field     protoreflect.Name // or a scope, or "" for the method
		want      string            // what the text at the place begins with
	}{
		{"/Inheriting/Call", "", "rpc Call"},
		{"/Inheriting/Call", "model", "model: MODEL_ORGANIZATION_RESOURCE"},
		{"/Inheriting/Call", "audience", `audience: "https://api.`},
		{"/Inheriting/Call", "organization", "organization: {token"},
		{"/Inheriting/Call", "scopes", `"a", "b"]`},
		{"/Inheriting/Call", "caller", "option (protoauthz.v1.method)"},
		{"/Inheriting/Own", "model", "model: MODEL_ORGANIZATION_RESOURCE"},
		{"/Inheriting/Own", "audience", `audience: "https://own.`},
		{"/Inheriting/Own", "organization", "organization: {field"},
		{"/Inheriting/Global", "model", "model: MODEL_GLOBAL_RESOURCE"},
		{"/Inheriting/Global", "organization", "option (protoauthz.v1.method)"},
		{"/Plain/Call", "model", "option (protoauthz.v1.service).model"},
		{"/Plain/Call", "audience", "option (protoauthz.v1.method).authenticated"},
		{"/Plain/Call", "organization", "option (protoauthz.v1.method).authenticated"},
		{"/Plain/List", "caller", "option (protoauthz.v1.method).scopes"},
		{"/Plain/Bare", "public", "rpc Bare"},
		{"/Plain/Deep", "organization", "option (protoauthz.v1.method).organization.token"},
		{"/unknown.Service/*", "", "nowhere"},
		{"/unknown.Service/*", "public", "nowhere"},
	} {
		rule := ruleOf(t, table, test.procedure)
		place := rule.Place()
		if test.field != "" {
			place = rule.FieldPlace(test.field)
		}
		if got := at(place); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s, field %q: got %q, want %q", test.procedure, test.field, got, test.want)
		}
	}
	if place := new(policy.Way).FieldPlace("model"); place.File != nil || place.Path != nil {
		t.Errorf("a way without a method is at %v", place)
	}
	rule := ruleOf(t, table, "/Inheriting/Call")
	for scope, want := range map[string]string{"a": `"a", "b"]`, "b": `"b"]`, "c": `"a", "b"]`} {
		if got := at(rule.ScopePlace(scope)); !strings.HasPrefix(got, want) {
			t.Errorf("scope %s: got %q, want %q", scope, got, want)
		}
	}
}

func ruleOf(t testing.TB, table *policy.Table, procedure string) *policy.Rule {
	t.Helper()
	for _, rule := range table.Rules() {
		if rule.Procedure == procedure {
			return rule
		}
	}
	t.Fatalf("no rule for %s", procedure)
	return nil
}
