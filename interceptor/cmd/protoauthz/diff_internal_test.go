package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	get := `Get scopes: ["read:orders"]`
	none := encode(t, &descriptorpb.FileDescriptorSet{File: compileSet(t, nil, "protoauthz/v1/authz.proto").GetFile()})
	for _, test := range []struct {
		name     string
		old, new []byte
		status   int
		says     string // on standard output
		warns    string // on standard error
	}{
		{"nothing", service(t, get), service(t, get), exitOK, "nothing has changed", ""},
		{"looser", service(t, get), service(t, `Get public: true`), exitNo, "1 looser", ""},
		{"tighter", service(t, get), service(t, `Get scopes: ["read:orders", "write:orders"]`), exitOK, "Rules: 1 tighter\n\ntighter:\n  /order.v1.OrderService/Get: ", ""},
		{"new, and public", service(t, get), service(t, get, `List public: true`), exitOK, "Rules: 1 new\n\nnew:\n  /order.v1.OrderService/List: takes no token", ""},
		{"gone", service(t, get, `List public: true`), service(t, get), exitOK, "Rules: 1 gone\n\ngone:\n  /order.v1.OrderService/List: ", ""},
		{"old with faults", service(t, get, `List model: MODEL_UNSPECIFIED`), service(t, `Get public: true`, `List public: true`), exitNo,
			"Rules: 1 looser, 1 new", "only 1 rule can be compared: the others do not compile"},
		{"old that cannot be read", newer(t, get), service(t, `Get public: true`), exitFailed, "", "RULE_UNREADABLE"},
		{"old without services", none, service(t, get), exitOK, "1 new", "no services"},
		{"new with faults", service(t, get), service(t, get, `List model: MODEL_UNSPECIFIED`), exitFailed, "Rules: 1 with faults, not compared, nothing else has changed\n", "order.proto:6:"},
		{"new with faults in what was", service(t, get, `List public: true`), service(t, get, `List model: MODEL_UNSPECIFIED`), exitFailed, "Rules: 1 with faults, not compared, nothing else has changed\n", "order.proto:6:"},
		{"new with faults, looser", service(t, get, `List public: true`), service(t, `Get public: true`, `List model: MODEL_UNSPECIFIED`), exitFailed, "Rules: 1 with faults, not compared, 1 looser\n", "order.proto:6:"},
		{"new without services", service(t, get), none, exitFailed, "", "no services"},
		{"broken old", []byte("x"), service(t, get), exitFailed, "", "old.binpb"},
		{"old without files", []byte("\x12\x00"), service(t, get), exitFailed, "", "no files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			old := write(t, "old.binpb", test.old)
			for _, sources := range [][]string{{old, "-"}, {old, write(t, "new.binpb", test.new)}} {
				got := execute(t, test.new, append([]string{"diff"}, sources...)...)
				if got.status != test.status || !strings.Contains(got.stdout, test.says) || !strings.Contains(got.stderr, test.warns) ||
					(got.stderr == "") != (test.warns == "") || (got.stdout == "") != (test.says == "") {
					t.Errorf("%v: status %d, printed %q and %q", sources, got.status, got.stdout, got.stderr)
				}
			}
			if got := execute(t, test.old, "diff", "-", write(t, "new.binpb", test.new)); got.status != test.status {
				t.Errorf("with the old version on standard input: status %d", got.status)
			}
		})
	}
}

// TestDiffShadow makes sure that diff compares rules in shadow, and tells apart which rules are enforced.
func TestDiffShadow(t *testing.T) {
	t.Parallel()
	const get, open, own = `Get scopes: ["read:orders"]`, `Get authenticated: true`, `Own scopes: ["a"]`
	const shadow = `, "shadow": ["order.v1.OrderService"]`
	const begin, place = "/order.v1.OrderService/Get: ", "(order.proto:"
	deploy := func(members string) string {
		return write(t, "authz.json", []byte(`{"audience": "https://api.example.com"`+members+`}`))
	}
	for _, test := range []struct {
		name     string
		old, new []byte
		was, is  string // members of the deployments
		status   int
		says     []string
	}{
		{"the same", service(t, get), service(t, get), shadow, shadow, exitOK, []string{"nothing has changed"}},
		{"looser in shadow", service(t, get), service(t, open), shadow, shadow, exitNo, []string{"Rules: 1 looser\n", begin + "any token of the model will do; it took all of read:orders; the rule is in shadow " + place}},
		{"tighter in shadow", service(t, open), service(t, get), shadow, shadow, exitOK, []string{"Rules: 1 tighter\n"}},
		{"into shadow", service(t, get), service(t, get), "", shadow, exitNo, []string{"Rules: 1 looser\n", begin + "the rule is not enforced, and every call is let in; it took all of read:orders ("}},
		{"tighter, into shadow", service(t, open), service(t, get), "", shadow, exitNo, []string{"Rules: 1 looser, 1 tighter\n", `scope "read:orders" is required now; the rule is in shadow`, "it took any token of the model ("}},
		{"looser, out of shadow", service(t, get), service(t, open), shadow, "", exitNo, []string{"Rules: 1 looser, 1 tighter\n", "any token of the model will do; it took all of read:orders " + place, "the rule is enforced, and takes any token of the model; every call was let in " + place}},
		{"out of shadow", service(t, get), service(t, get), shadow, "", exitOK, []string{"Rules: 1 tighter\n"}},
		{"new in shadow", service(t, own), service(t, own, get), shadow, shadow, exitOK, []string{"Rules: 1 new\n", begin + "takes all of read:orders; the rule is in shadow " + place}},
		{"gone from shadow", service(t, own, get), service(t, own), shadow, shadow, exitOK, []string{"Rules: 1 gone\n", begin + "took all of read:orders " + place}},
		{"new in shadow, without annotation", service(t, own), service(t, own, "Get"), shadow, shadow + `, "unannotatedRefused": ["order.v1.OrderService"]`, exitOK, []string{"Rules: 1 new\n", begin + "takes every call, as the rule is not enforced " + place}},
		{"loses its annotation in shadow", service(t, own, get), service(t, own, "Get"), shadow, shadow + `, "unannotatedRefused": ["order.v1.OrderService"]`, exitOK, []string{"Rules: 1 gone\n", begin + "the method has no annotation any more, and every call is refused; it took all of read:orders; the rule is in shadow " + place}},
		{"loses its annotation, into shadow", service(t, own, get), service(t, own, "Get"), "", shadow + `, "unannotatedRefused": ["order.v1.OrderService"]`, exitNo, []string{"Rules: 2 looser, 1 gone\n", begin + "the rule is not enforced, and every call is let in; it took all of read:orders "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, test.new, "diff", "-old-authz", deploy(test.was), "-authz", deploy(test.is), write(t, "old.binpb", test.old), "-")
			for _, says := range test.says {
				if got.status != test.status || !strings.Contains(got.stdout, says) || got.stderr != "" {
					t.Errorf("status %d, want %q, printed %q and %q", got.status, says, got.stdout, got.stderr)
				}
			}
		})
	}
}

// TestDiffOpenedByName shows that a service that had rules and that -public names now is not new,
// whether its methods are known or not.
func TestDiffOpenedByName(t *testing.T) {
	t.Parallel()
	get := `Get scopes: ["read:orders"]`
	opened := write(t, "new.binpb", encode(t, compileSet(t, map[string]string{
		"order.proto": `syntax = "proto3"; package order.v1; message M {} service OrderService { rpc Get(M) returns (M); }`,
	}, "order.proto")))
	for _, test := range []struct {
		name   string
		old    []byte
		status int
	}{
		{"known", service(t, get), exitNo},
		{"unreadable", newer(t, get), exitFailed},
	} {
		if got := execute(t, test.old, "diff", "-public", "order.v1.OrderService", "-", opened); got.status != test.status {
			t.Errorf("%s: status %d, printed %q and %q", test.name, got.status, got.stdout, got.stderr)
		}
	}
}

// TestDiffOpenByName shows that the output for reviews has the rule of a service that is known by
// its name alone.
func TestDiffOpenByName(t *testing.T) {
	t.Parallel()
	other := encode(t, compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a; import "protoauthz/v1/authz.proto"; message M {}
service T { option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc Get(M) returns (M) { option (protoauthz.v1.method).authenticated = true; } }`}, "a.proto"))
	got := execute(t, service(t, `Get scopes: ["read:orders"]`), "diff", "-format", "markdown", "-public", "order.v1.OrderService", "-", write(t, "new.binpb", other))
	if got.status != exitNo || !strings.Contains(got.stdout, "→ **public** |") {
		t.Errorf("status %d: %s%s", got.status, got.stdout, got.stderr)
	}
}

// The flags become options of policy.Compile.
func TestFlags(t *testing.T) {
	t.Parallel()
	shared := service(t, `Get scopes: ["read:orders"]`,
		`List scopes: ["read:orders"], model: MODEL_ORGANIZATION_RESOURCE, organization: {field: "organization_id"}`)
	unruled := encode(t, compileSet(t, map[string]string{"a.proto": `syntax = "proto3"; package a; message M {} service S { rpc Get(M) returns (M); }`}, "a.proto"))
	for _, test := range []struct {
		name   string
		image  []byte
		flags  []string
		status int
		hint   string
	}{
		{"shared", shared, nil, exitFailed, "-shared-scope"},
		{"shared, accepted", shared, []string{"-shared-scope", "read:orders"}, exitOK, ""},
		{"shared, another accepted", shared, []string{"-shared-scope", "read"}, exitFailed, "-shared-scope"},
		{"no rules", unruled, nil, exitFailed, "-public"},
		{"public", unruled, []string{"-public", "b.S", "-public", "a.S"}, exitOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"matrix", "scopes"} {
				got := execute(t, test.image, append([]string{command}, test.flags...)...)
				if got.status != test.status || !strings.Contains(got.stderr, test.hint) {
					t.Errorf("%s: status %d, %s", command, got.status, got.stderr)
				}
			}
		})
	}
	// A scope that two models share appears once in the API.
	got := execute(t, shared, "scopes", "-shared-scope", "read:orders", "-format", "logto")
	if strings.Count(got.stdout, `"indicator"`) != 1 || strings.Count(got.stdout, `"read:orders"`) != 1 || !strings.Contains(got.stdout, "OrderService: Get, List") {
		t.Errorf("got %s", got.stdout)
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	many := make([]string, 0, 100)
	for range 100 {
		many = append(many, "/order.v1.OrderService/ListOrders")
	}
	for _, test := range []struct {
		procedures []string
		want       string
	}{
		{[]string{"/order.v1.OrderService/List", "/order.v1.OrderService/Get"}, "OrderService: Get, List"},
		{[]string{"/a.OrderService/Get", "/a.ItemService/Get"}, "ItemService: Get; OrderService: Get"},
		{[]string{"/order.v2.OrderService/Get", "/order.v1.OrderService/Get", "/x.ItemService/Get"},
			"order.v1.OrderService: Get; order.v2.OrderService: Get; ItemService: Get"},
		{[]string{"/Service/Get"}, "Service: Get"},
		{many, "OrderService: ListOrders" + strings.Repeat(", ListOrders", 17) + " and 82 more"},
	} {
		got := description(test.procedures)
		if got != test.want || len(got) > descriptionLength {
			t.Errorf("%d bytes: got %q, want %q", len(got), got, test.want)
		}
	}
}

// newer returns a service whose rules have a field that this version does not know.
func newer(t testing.TB, methods ...string) []byte {
	t.Helper()
	set := serviceSet(t, methods...)
	field := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	for _, method := range set.GetFile()[len(set.GetFile())-1].GetService()[0].GetMethod() {
		options := method.GetOptions().ProtoReflect()
		options.SetUnknown(protowire.AppendBytes(protowire.AppendTag(options.GetUnknown(), 404209324, protowire.BytesType), field))
	}
	return encode(t, set)
}
