package unguarded_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestAssertNotEnforced makes sure that rules which are not enforced are faults unless the test names their service in
// shadow, and each open procedure.
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
		shadowAndOpen    = " has rules that are not enforced, for /shop.v1.Orders/Export, /shop.v1.Orders/List, /shop.v1.Orders/Place: annotate the methods without annotation, and remove the service from policy.WithShadow" + purpose + `"/shop.v1.Orders/Export", "shop.v1.Orders")`
		open             = " has rules that are not enforced, for /shop.v1.Carts/Export: annotate the methods without annotation" + purpose + `"/shop.v1.Carts/Export")`
		openOrder        = " has rules that are not enforced, for /shop.v1.Orders/Export: annotate the methods without annotation" + purpose + `"/shop.v1.Orders/Export")`
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
		"shadow": {[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)}, nil, nil, []string{orders + shadowAndOpen}},
		"shadow, the service told": {
			[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)},
			[]string{orders}, nil, []string{orders + openOrder},
		},
		"shadow, the procedure told": {
			[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)},
			[]string{"/shop.v1.Orders/Export"}, nil, []string{orders + " has rules that are not enforced, for /shop.v1.Orders/List, /shop.v1.Orders/Place: remove the service from policy.WithShadow" + purpose + `"shop.v1.Orders")`},
		},
		"shadow, told":            {[]policy.Option{policy.WithUnannotatedRefused(carts), policy.WithUnannotatedOpen(orders), policy.WithShadow(orders)}, []string{orders, "/shop.v1.Orders/Export"}, nil, nil},
		"all in shadow, told":     {[]policy.Option{refused, policy.WithShadow(orders, carts)}, []string{orders, carts}, nil, nil},
		"all in shadow, one told": {[]policy.Option{refused, policy.WithShadow(orders, carts)}, []string{orders}, nil, []string{carts + shadowAndRefused}},
		"open":                    {[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, nil, nil, []string{carts + open}},
		"open, another told":      {[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, []string{orders}, nil, []string{carts + open, staleFor(orders)}},
		"open, told":              {[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, []string{"/shop.v1.Carts/Export"}, nil, nil},
		"open, the service told": {
			[]policy.Option{policy.WithUnannotatedRefused(orders), policy.WithUnannotatedOpen(carts)}, []string{carts}, nil,
			[]string{carts + open, `NotEnforced names "shop.v1.Carts", which covers no open method: name "/shop.v1.Carts/Export" instead`},
		},
		"refused, the procedures told": {
			[]policy.Option{refused, policy.WithShadow(orders)}, []string{orders, "/shop.v1.Orders/List", "/shop.v1.Carts/Export", "/"}, nil, []string{
				`NotEnforced names "/shop.v1.Orders/List", whose service is in shadow: name "shop.v1.Orders" instead`,
				`NotEnforced names "/shop.v1.Carts/Export", but the table does not open this procedure: remove the name`,
				`NotEnforced names "/", but the table does not open this procedure: remove the name`,
			},
		},
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

// A loggedReport keeps what an assertion logs.
type loggedReport struct {
	*harness.Report
	lines []string
}

func (r *loggedReport) Logf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

// TestAssertProvesNothing makes sure that an assertion says so if the table has no rule that it can prove.
func TestAssertProvesNothing(t *testing.T) {
	t.Parallel()
	source := protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};`,
		`option (protoauthz.v1.method).scopes = "read:orders";`)
	files, err := protos.Compile(t.Context(), "../../../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	const service = "order.v1.OrderService"
	for _, test := range []struct {
		name    string
		options []policy.Option
		told    []string
		want    []string
	}{
		{"enforced", nil, nil, nil},
		{"in shadow", []policy.Option{policy.WithShadow(service)}, []string{service}, []string{"test: nothing was proved: the table enforces no rule that needs a token"}},
		{"in shadow, not told", []policy.Option{policy.WithShadow(service)}, nil, nil},
	} {
		table, err := policy.Compile(files, test.options...)
		if err != nil {
			t.Fatal(err)
		}
		r := &loggedReport{Report: &harness.Report{TB: t}}
		server := server(t, table, nil)
		server.NotEnforced = test.told
		server.Assert(r, table)
		if !slices.Equal(r.lines, test.want) {
			t.Errorf("%s: logged %q, want %q", test.name, r.lines, test.want)
		}
	}
}

// TestAssertOneMoreOpen makes sure that a test which names the open procedures fails if a method loses its annotation,
// or comes without one.
func TestAssertOneMoreOpen(t *testing.T) {
	t.Parallel()
	const scoped, bare, service = `option (protoauthz.v1.method).scopes = "read:orders";`, " ", "order.v1.OrderService"
	for name, test := range map[string]struct{ methods, want []string }{
		"reviewed":            {[]string{bare, scoped, scoped}, nil},
		"an annotation less":  {[]string{bare, bare, scoped}, []string{"/order.v1.OrderService/Call1"}},
		"a method more":       {[]string{bare, scoped, scoped, bare}, []string{"/order.v1.OrderService/Call3"}},
		"another annotation":  {[]string{bare, `option (protoauthz.v1.method).authenticated = true;`, scoped}, nil},
		"a public method":     {[]string{bare, `option (protoauthz.v1.method).public = true;`, scoped}, nil},
		"two methods without": {[]string{bare, bare, scoped, bare}, []string{"/order.v1.OrderService/Call1", "/order.v1.OrderService/Call3"}},
	} {
		source := protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};`, test.methods...)
		files, err := protos.Compile(t.Context(), "../../../proto", map[string]string{"order.proto": source}, "order.proto")
		if err != nil {
			t.Fatal(err)
		}
		table, err := policy.Compile(files, policy.WithUnannotatedOpen(service))
		if err != nil {
			t.Fatal(err)
		}
		r := &harness.Report{TB: t}
		server := server(t, table, nil)
		server.NotEnforced = []string{"/order.v1.OrderService/Call0"}
		server.Assert(r, table)
		var want []string
		if test.want != nil {
			want = []string{"test: order.v1.OrderService has rules that are not enforced, for " + strings.Join(test.want, ", ") +
				": annotate the methods without annotation; if the server does this on purpose, give test.NotEnforced(\"" + strings.Join(test.want, `", "`) + `")`}
		}
		r.Expect(t, name, want)
	}
}
