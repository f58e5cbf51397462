package policy_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const bufSource = `syntax = "proto3";
package acme.v1;
import "protoauthz/v1/authz.proto";
message M { string id = 1; string name = 2; }
service S {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE audience: "https://api.example.com"};
  rpc Call(M) returns (M) {
    option (protoauthz.v1.method) = {
      authenticated: true
      subject: {
        field: "id"
        pattern: "users/{subject}"
      }
      alternatives: [{
        scopes: ["a", "b"]
        client: {field: "id"}
      }, {
        any_scopes: "c"
        model: MODEL_ORGANIZATION_RESOURCE
        organization: {token: true}
        subject: {
          field: "name"
          pattern: "users/{subject}"
        }
      }]
      organization_optional: true
    };
  }
  rpc Apart(M) returns (M) {
    option (protoauthz.v1.method).authenticated = true;
    option (protoauthz.v1.method).subject.field = "id";
    option (protoauthz.v1.method).alternatives = {scopes: "a" client: {field: "id"}};
    option (protoauthz.v1.method).alternatives = {scopes: "b" client: {field: "id"}};
  }
  rpc Each(M) returns (M) {
    option (protoauthz.v1.method) = {
      authenticated: true
      alternatives: {scopes: "a"}
      alternatives: {scopes: "b"}
    };
  }
}
`

// bufLocations are the positions that buf 1.75.0 records in the options of bufSource: below an element of a list it
// records none.
func bufLocations() (locations []*descriptorpb.SourceCodeInfo_Location) {
	const method = 404209324
	add := func(span []int32, path ...int32) {
		locations = append(locations, &descriptorpb.SourceCodeInfo_Location{Path: slices.Concat([]int32{6, 0}, path), Span: span})
	}
	add([]int32{5, 36, 64}, 3, method, 1)
	add([]int32{5, 65, 100}, 3, method, 3)
	for i, rpc := range []struct {
		start, end  int32
		options     [][]int32
		destination [][]int32 // below the option of the method
	}{
		{
			7, 26,
			[][]int32{{7, 11, 26, 5}, {8, 6, 25}, {10, 8, 19}, {11, 8, 34}, {13, 6, 24, 8}, {25, 6, 33}},
			[][]int32{{}, {2}, {9, 1}, {9, 2}, {11, 0}, {12}},
		},
		{
			29, 29,
			[][]int32{{29, 4, 55}, {30, 4, 55}, {31, 4, 85}, {32, 4, 85}},
			[][]int32{{2}, {9, 1}, {11, 0}, {11, 1}},
		},
		{
			35, 39,
			[][]int32{{35, 11, 39, 5}, {36, 6, 25}, {37, 6, 33}, {38, 6, 33}},
			[][]int32{{}, {2}, {11, 0}, {11, 1}},
		},
	} {
		at := []int32{2, int32(i)}
		add([]int32{rpc.start - 1, 2, rpc.end + 1, 3}, at...)
		add([]int32{rpc.start, 4, rpc.end, 55}, append(at, 4)...)
		for j, path := range rpc.destination {
			add(rpc.options[j], slices.Concat(at, []int32{4, method}, path)...)
		}
	}
	return locations
}

// TestPlacesOfBuf compares the text at the places of ways, by the positions that buf records.
func TestPlacesOfBuf(t *testing.T) {
	t.Parallel()
	described := protodesc.ToFileDescriptorProto(compileSources(t, map[string]string{"a.proto": bufSource}, "a.proto")[0])
	described.SourceCodeInfo = &descriptorpb.SourceCodeInfo{Location: bufLocations()}
	file, err := protodesc.NewFile(described, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	table := compileTable(t, policy.Files{file})
	lines := strings.Split(bufSource, "\n")
	for _, test := range []struct {
		method string
		way    int
		field  protoreflect.Name // or a scope
		want   string
	}{
		{"Call", 0, "subject", `field: "id"`},
		{"Call", 0, "caller", "(protoauthz.v1.method)"},
		{"Call", 0, "model", "model: MODEL_GLOBAL"},
		{"Call", 0, "audience", "audience: "},
		{"Call", 0, "alternatives", "alternatives: ["},
		{"Call", 0, "organization_optional", "organization_optional: "},
		{"Call", 1, "client", "alternatives: ["},
		{"Call", 1, "a", "alternatives: ["},
		{"Call", 1, "model", "model: MODEL_GLOBAL"},
		{"Call", 2, "subject", "alternatives: ["},
		{"Call", 2, "c", "alternatives: ["},
		{"Call", 2, "model", "alternatives: ["},
		{"Call", 2, "audience", "audience: "},
		{"Apart", 0, "subject", "option (protoauthz.v1.method).subject.field"},
		{"Apart", 0, "caller", "option (protoauthz.v1.method).authenticated"},
		{"Apart", 1, "client", `option (protoauthz.v1.method).alternatives = {scopes: "a"`},
		{"Apart", 2, "client", `option (protoauthz.v1.method).alternatives = {scopes: "b"`},
		{"Apart", 2, "b", `option (protoauthz.v1.method).alternatives = {scopes: "b"`},
		{"Each", 1, "a", `alternatives: {scopes: "a"`},
		{"Each", 2, "b", `alternatives: {scopes: "b"`},
		{"Each", 2, "caller", `alternatives: {scopes: "b"`},
	} {
		way := ruleOf(t, table, "/acme.v1.S/"+test.method).Ways()[test.way]
		place := way.ScopePlace(string(test.field))
		if len(test.field) > 1 {
			place = way.FieldPlace(test.field)
		}
		position, ok := place.Position()
		if got := strings.TrimSpace(lines[position.StartLine][position.StartColumn:]); !ok || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s, way %d, %s: got %q, want %q", test.method, test.way, test.field, got, test.want)
		}
	}
}
