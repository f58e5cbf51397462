package imports_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/imports"
)

// What tests of packages may import.
var (
	none     = []string{"std", "./...", "go.uber.org/goleak/..."}
	keys     = slices.Concat(none, []string{"github.com/golang-jwt/jwt/...", "github.com/MicahParks/...", "golang.org/x/time/..."})
	protobuf = slices.Concat(none, []string{"google.golang.org/protobuf/...", "github.com/bufbuild/protocompile/...", "golang.org/x/sync/...", "golang.org/x/tools/txtar"})
	connect  = []string{"connectrpc.com/connect", "connectrpc.com/connect/internal/...", "google.golang.org/protobuf/...", "google.golang.org/genproto/googleapis/rpc/..."}
	guard    = slices.Concat(keys, protobuf, connect)
	client   = slices.Concat(guard, []string{"golang.org/x/oauth2/..."})
	second   = []string{"connectrpc.com/connect/v2/..."}
	grpc     = []string{"google.golang.org/grpc/...", "golang.org/x/net/...", "golang.org/x/sys/...", "golang.org/x/text/..."}
	served   = []string{"connectrpc.com/grpchealth/...", "connectrpc.com/grpcreflect/..."}
)

// tested are the packages that users import, with what their tests may import. A test that needs more goes into a
// package of its own below internal/test, which no user imports.
var tested = map[string][]string{
	"devissuer":      slices.Concat(none, []string{"github.com/golang-jwt/jwt/..."}),
	"token":          keys,
	"policy":         protobuf,
	"policydiff":     protobuf,
	"probe":          slices.Concat(keys, connect, []string{"connectrpc.com/grpchealth/..."}),
	"grpcprobe":      slices.Concat(guard, grpc, served),
	"deployment":     guard,
	"":               guard,
	"connectv2guard": slices.Concat(guard, second),
	"clientauth":     client,
	"guardtest":      slices.Concat(client, second, grpc, served),
	"grpcguard":      slices.Concat(guard, grpc),
	"grpcguardtest":  slices.Concat(guard, grpc),
	"grpcclientauth": slices.Concat(client, second, grpc),
}

// TestTests makes sure that no test of a package that users import adds a module to the go.sum of the users.
func TestTests(t *testing.T) {
	t.Parallel()
	var rules []imports.Rule
	apart := append([]string{"./interceptor/internal/..."}, never...)
	for name, may := range tested {
		from := "./interceptor"
		if name != "" {
			from += "/" + name
		}
		apart = append(apart, from)
		rules = append(rules, imports.Rule{From: from, Ban: "...", But: may, Tests: true, Why: "go mod tidy adds to the go.sum of users what these tests need"})
	}
	rules = append(rules, imports.Rule{From: "./interceptor/...", Ban: "...", Except: apart, Why: "a package that users import must stand in the table tested"})
	const known = "the tests of guardtest serve grpc-go"
	rules = append(rules, imports.Rule{From: "./interceptor/guardtest", Ban: "google.golang.org/grpc/...", Tests: true, Why: known})
	faults, err := imports.Check(t.Context(), "../../../..", rules)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, fault := range faults {
		if strings.Contains(fault, known) {
			found = true
		} else {
			t.Error(fault)
		}
	}
	if !found {
		t.Error("Check finds nothing in tests")
	}
}
