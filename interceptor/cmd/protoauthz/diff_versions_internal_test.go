package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// Issuers of deployments.
const (
	issuerA       = `{"url": "https://a.test", "algorithms": ["RS256"]}`
	issuerAStrict = `{"url": "https://a.test", "algorithms": ["RS256"], "maxLifetime": "1h"}`
	issuerB       = `{"url": "https://b.test", "algorithms": ["RS256"]}`
)

// TestDiffDeployments compares what diff prints for two versions of the deployment.
func TestDiffDeployments(t *testing.T) {
	t.Parallel()
	image := func(name string, replace ...string) string {
		sources := protosOf(checked)
		sources["shop/v1/shop.proto"] = strings.NewReplacer(replace...).Replace(sources["shop/v1/shop.proto"])
		return write(t, name, encode(t, compileSet(t, sources, "shop/v1/shop.proto")))
	}
	// config writes checked["authz.json"] with a change.
	config := func(name string, replace ...string) string {
		return write(t, name, []byte(strings.NewReplacer(append(replace, checkedIssuers, "")...).Replace(checked["authz.json"])))
	}
	const (
		shadow, refused, open = `"shadow": ["shop.v1.CartService"]`, `"unannotatedRefused": ["shop.v1.StockService"]`, `"unannotatedOpen": ["shop.v1.NewsService"]`
		public, audience      = `"legacy.v1.LegacyService"]`, `"audience": "https://shop.example.com"`
		read                  = "  rpc Read(Request) returns (Request);"
	)
	orders, _, _ := strings.Cut(checked["proto/shop/v1/shop.proto"], "service CartService")
	_, news, _ := strings.Cut(checked["proto/shop/v1/shop.proto"], "service NewsService")
	tr := &transcript{names: map[string]string{
		"IMAGE": image("image.binpb"),
		"BARE":  image("bare.binpb", "service NewsService"+news, ""),
		"READ":  image("read.binpb", read, `  rpc Read(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:news"]}; }`),
		"FREED": image("freed.binpb", ` { option (protoauthz.v1.method) = {scopes: ["read:carts"]}; }
  rpc Count`, `;
  rpc Count`, "option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};\n  rpc GetStock", "rpc GetStock"),
		"WIDER":  image("wider.binpb", `["write:orders"]`, `["write:orders"], audience: "https://orders.example.com"`, `scopes: ["read:orders"]`, `authenticated: true`),
		"ORDERS": write(t, "orders.binpb", encode(t, compileSet(t, map[string]string{"shop/v1/shop.proto": orders}, "shop/v1/shop.proto"))),

		"AUTHZ":       config("authz.json"),
		"SHADOW":      config("shadow.json", shadow, "\"shadow\": [\"shop.v1.CartService\",\n    \"shop.v1.OrderService\"]"),
		"UNANNOTATED": config("unannotated.json", refused, `"unannotatedRefused": []`, open, `"unannotatedOpen": ["shop.v1.NewsService", "shop.v1.StockService"]`),
		"PUBLIC":      config("public.json", public, `"legacy.v1.LegacyService", "shop.v1.StockService"]`, refused, `"unannotatedRefused": []`),
		"HEALTH":      config("health.json", `"grpc.health.v1.Health", `, ``),
		"AUDIENCE":    config("audience.json", audience, `"audience": "https://other.example.com"`),
		"UNSHARED":    config("unshared.json", `"sharedScopes": ["read:carts"]`, `"sharedScopes": []`),
		"PLAIN":       write(t, "plain.json", []byte("{\n  "+audience+"\n}\n")),
		"MISPLACED":   config("misplaced.json", shadow, `"shadow": ["shop.v1.CartService", "shop.v1.Order"]`),
		"EMPTY":       write(t, "empty.json", []byte("{}")),
		"MISSING":     t.TempDir() + "/missing.json",
		"ISSUERS":     write(t, "issuers.json", []byte("{\n  "+audience+",\n  \"issuers\": ["+issuerAStrict+", "+issuerB+"]\n}\n")),
		"OTHERS":      write(t, "others.json", []byte("{\n  "+audience+",\n  \"issuers\": ["+issuerA+", {\"preset\": [\"logto\", \"https://c.test\"]}]\n}\n")),
		"REORDERED":   write(t, "reordered.json", []byte("{\n  "+audience+",\n  \"issuers\": ["+issuerB+",\n    "+issuerAStrict+"]\n}\n")),
	}}
	for _, c := range []struct{ about, line string }{
		{"the same", "diff -old-authz AUTHZ -authz AUTHZ IMAGE IMAGE"},
		{"one more service in shadow", "diff -old-authz AUTHZ -authz SHADOW IMAGE IMAGE"},
		{"one less", "diff -old-authz SHADOW -authz AUTHZ IMAGE IMAGE"},
		{"for a comment", "diff -old-authz AUTHZ -authz SHADOW -format markdown IMAGE IMAGE"},
		{"methods without annotation are open", "diff -old-authz AUTHZ -authz UNANNOTATED IMAGE IMAGE"},
		{"methods without annotation are refused", "diff -old-authz UNANNOTATED -authz AUTHZ IMAGE IMAGE"},
		{"a service is public", "diff -old-authz AUTHZ -authz PUBLIC IMAGE FREED"},
		{"a service is public no more", "diff -old-authz PUBLIC -authz AUTHZ FREED IMAGE"},
		{"a service that neither version declares is public", "diff -old-authz HEALTH -authz AUTHZ IMAGE IMAGE"},
		{"another audience", "diff -old-authz AUTHZ -authz AUDIENCE IMAGE IMAGE"},
		{"the .proto file opens a method, too", "diff -old-authz AUTHZ -authz AUDIENCE IMAGE WIDER"},
		{"the .proto file gave another audience", "diff -old-authz AUTHZ -authz AUDIENCE WIDER IMAGE"},
		{"a shared scope", "diff -old-authz UNSHARED -authz AUTHZ IMAGE IMAGE"},
		{"a document that shares no scope", "diff -old-authz AUTHZ -authz UNSHARED IMAGE IMAGE"},
		{"other issuers", "diff -old-authz ISSUERS -authz OTHERS ORDERS ORDERS"},
		{"the same issuers", "diff -old-authz ISSUERS -authz REORDERED ORDERS ORDERS"},
		{"flags are for both", "diff -old-authz PLAIN -authz SHADOW -public grpc.health.v1.Health -shared-scope read:carts -shadow shop.v1.OrderService -shadow shop.v1.CartService -unannotated-refused shop.v1.StockService -unannotated-open shop.v1.NewsService IMAGE IMAGE"},
		{"a flag that only the old version needs", "diff -old-authz PLAIN -authz PLAIN -unannotated-open shop.v1.NewsService -only shop.v1.NewsService IMAGE READ"},
		{"services that only the new version has", "diff -old-authz PLAIN -authz AUTHZ ORDERS IMAGE"},
		{"services that only the old version has", "diff -old-authz AUTHZ -authz PLAIN IMAGE ORDERS"},
		{"the old document names what only the new version has", "diff -old-authz AUTHZ -authz AUTHZ BARE IMAGE"},
		{"the old version has nothing of what the document of both names", "diff -authz AUTHZ ORDERS IMAGE"},
		{"the new document names what only the old version has", "diff -old-authz AUTHZ -authz AUTHZ IMAGE ORDERS"},
		{"a flag names it for the old version", "diff -old-authz PLAIN -authz AUTHZ -shared-scope read:carts -unannotated-refused shop.v1.StockService -unannotated-open shop.v1.NewsService IMAGE BARE"},
		{"the new document names what neither version has", "diff -old-authz AUTHZ -authz MISPLACED IMAGE IMAGE"},
		{"an empty document", "diff -old-authz EMPTY -authz SHADOW IMAGE IMAGE"},
		{"no new document", "diff -old-authz AUTHZ IMAGE IMAGE"},
		{"no old document", "diff -old-authz MISSING -authz AUTHZ IMAGE IMAGE"},
		{"a name that only the old version has", "diff -old-authz PLAIN -authz PLAIN -only shop.v1.CartService -only shop.v1.OrderService IMAGE ORDERS"},
		{"a name that no version has", "diff -old-authz AUTHZ -authz AUTHZ -only shop.v1.OrderService -skip shop.v2 IMAGE IMAGE"},
	} {
		tr.about("%s", c.about)
		tr.run(t, nil, c.line)
	}
	golden(t, "outside/deployments.txt", tr.String())
}

// TestDiffDeploymentsImported makes sure that a service of an imported file is compared if one of the documents names it,
// and the service had rules.
func TestDiffDeploymentsImported(t *testing.T) {
	t.Parallel()
	const scoped, open, bare = `{ option (protoauthz.v1.method) = {scopes: ["a"]}; }`, `{ option (protoauthz.v1.method) = {public: true}; }`, `;`
	image := func(export, get string) []byte {
		set := serviceSet(t, `Get scopes: ["read:orders"]`)
		imported := compileSet(t, map[string]string{"other.proto": `syntax = "proto3"; package other; import "protoauthz/v1/authz.proto"; message M {}
service S {
  ` + strings.Repeat(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};`, min(1, strings.Count(export+get, "option"))) + `
  rpc Get(M) returns (M) ` + get + ` rpc Export(M) returns (M) ` + export + ` }`}, "other.proto").GetFile()
		file := imported[len(imported)-1]
		file.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, bufExtension, protowire.BytesType),
			protowire.AppendVarint(protowire.AppendTag(nil, bufIsImport, protowire.VarintType), 1)))
		set.File = append(set.File, file)
		return encode(t, set)
	}
	config := func(members string) string {
		return write(t, "authz.json", []byte(`{"audience": "https://api.example.com"`+members+`}`))
	}
	for _, test := range []struct {
		name       string
		old, new   []byte
		was, is    string
		status     int
		says, lack string
	}{
		{"shadow", image(scoped, scoped), image(scoped, scoped), ``, `, "shadow": ["other.S"]`, exitNo, "Rules: 2 looser\n", ""},
		{"public without annotations", image(scoped, scoped), image(bare, bare), ``, `, "public": ["other.S"]`, exitNo, "Rules: 2 looser", ""},
		{"annotated in whole", image(bare, scoped), image(open, scoped), `, "unannotatedRefused": ["other.S"]`, ``, exitNo, "Rules: 1 looser\n", ""},
		{"public before", image(bare, bare), image(scoped, scoped), `, "public": ["other.S"]`, ``, exitOK, "tighter", ""},
		{"no rules", image(bare, bare), image(bare, bare), ``, `, "public": ["other.S"]`, exitOK, "Rules: 2 new\n", "RULE_MISSING"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := execute(t, test.new, "diff", "-old-authz", config(test.was), "-authz", config(test.is), write(t, "old.binpb", test.old), "-")
			if got.status != test.status || !strings.Contains(got.stdout, test.says) || test.lack != "" && strings.Contains(got.stderr, test.lack) {
				t.Errorf("status %d, printed %q and %q", got.status, got.stdout, got.stderr)
			}
		})
	}
}
