package unguarded_test

import (
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestAssertNotEnforced makes sure that rules which are not enforced are faults unless the test names their service.
func TestAssertNotEnforced(t *testing.T) {
	t.Parallel()
	files, err := protos.Compile(t.Context(), "../../../proto", map[string]string{"shop.proto": `syntax = "proto3"; package shop.v1;
import "protoauthz/v1/authz.proto";
message M {}
service Orders {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Info(M) returns (M) { option (protoauthz.v1.method).public = true; }
  rpc List(M) returns (M) { option (protoauthz.v1.method).scopes = "read:orders"; }
  rpc Place(M) returns (M) { option (protoauthz.v1.method).scopes = "write:orders"; }
  rpc Export(M) returns (M);
}
service Carts {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Get(M) returns (M) { option (protoauthz.v1.method).scopes = "read:carts"; }
  rpc Export(M) returns (M);
}`}, "shop.proto")
	if err != nil {
		t.Fatal(err)
	}
	const (
		orders, carts    = "shop.v1.Orders", "shop.v1.Carts"
		purpose          = "; if the server does this on purpose, give test.NotEnforced("
		shadowAndOpen    = " has rules that are not enforced, for /shop.v1.Orders/Export, /shop.v1.Orders/List, /shop.v1.Orders/Place: annotate the methods without annotation, and remove the service from policy.WithShadow" + purpose + `"shop.v1.Orders")`
		open             = " has rules that are not enforced, for /shop.v1.Carts/Export: annotate the methods without annotation" + purpose + `"shop.v1.Carts")`
		shadowAndRefused = " has rules that are not enforced, for /shop.v1.Carts/Export, /shop.v1.Carts/Get: remove the service from policy.WithShadow" + purpose + `"shop.v1.Carts")`
		stale            = "NotEnforced names %, but the table enforces all rules of the service, or has none: remove the name"
	)
	staleFor := func(service string) string { return strings.Replace(stale, "%", `"`+service+`"`, 1) }
	refused := policy.WithUnannotatedRefused(orders, carts)
	missing := unguarded.Answer{Reason: interceptor.ReasonRuleMissing}
	for name, test := range map[string]struct {
		options []policy.Option
		told    []string
		answers map[string]unguarded.Answer
		want    []string
	}{
		"refused": {[]policy.Option{refused}, nil, nil, nil},
		"refused, with a token alone": {
			[]policy.Option{refused}, nil, map[string]unguarded.Answer{"/shop.v1.Carts/Export": {Reason: interceptor.ReasonTokenMissing}},
			[]string{"/shop.v1.Carts/Export is guarded by another table than the given one: give this test the table that interceptor.New got"},
		},
		"refused, and open": {
			[]policy.Option{refused}, nil, map[string]unguarded.Answer{"/shop.v1.Carts/Export": {OK: true, Text: "200"}},
			[]string{`/shop.v1.Carts/Export is open: it answered a call without a token with 200 and reason "", not with "RULE_MISSING": guard it`},
		},
		"a rule, and refused": {
			[]policy.Option{refused}, nil, map[string]unguarded.Answer{"/shop.v1.Carts/Get": missing},
			[]string{"/shop.v1.Carts/Get is refused to everybody: the server's guard has another table: give this test the table that interceptor.New got, or compile the method's file into the server's table"},
		},
		"shadow":                  {[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)}, nil, nil, []string{orders + shadowAndOpen}},
		"shadow, told":            {[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)}, []string{orders}, nil, nil},
		"all in shadow, told":     {[]policy.Option{refused, policy.WithShadow(orders, carts)}, []string{orders, carts}, nil, nil},
		"all in shadow, one told": {[]policy.Option{refused, policy.WithShadow(orders, carts)}, []string{orders}, nil, []string{carts + shadowAndRefused}},
		"open":                    {[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, nil, nil, []string{carts + open}},
		"open, another told":      {[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, []string{orders}, nil, []string{carts + open, staleFor(orders)}},
		"one in shadow, the rest not called": {
			[]policy.Option{refused, policy.WithShadow(carts)}, []string{carts}, map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}},
			[]string{"nothing is guarded"},
		},
		"the last in shadow, the rest not called": {
			[]policy.Option{refused, policy.WithShadow(orders)}, []string{orders}, map[string]unguarded.Answer{"/": {Kind: unguarded.Uncallable}},
			[]string{"nothing is guarded"},
		},
		"told, enforced": {[]policy.Option{refused}, []string{carts, "no-service"}, nil, []string{staleFor(carts), staleFor("no-service")}},
		"shadow, and unreachable": {
			[]policy.Option{refused, policy.WithShadow(carts)}, nil, map[string]unguarded.Answer{"/": {Kind: unguarded.Unreachable, Text: "no"}},
			[]string{carts + shadowAndRefused, "the server cannot be called: no"},
		},
		"shadow, and a token": {
			[]policy.Option{refused, policy.WithShadow(carts)}, nil, map[string]unguarded.Answer{"/shop.v1.Orders/List": {Reason: interceptor.ReasonScopeInsufficient}},
			[]string{carts + shadowAndRefused, `the calls carry a token: /shop.v1.Orders/List was refused with reason "SCOPE_INSUFFICIENT": give a server that adds no token`},
		},
	} {
		table, err := policy.Compile(files, test.options...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := &harness.Report{TB: t}
		server := server(t, table, test.answers)
		server.NotEnforced = test.told
		server.Assert(r, table)
		for i, want := range test.want {
			test.want[i] = "test: " + want
		}
		r.Expect(t, name, test.want)
	}
}
