package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// partly holds a service that is annotated in part, a service that is annotated in whole, and an imported service that
// has no annotations.
var partly = map[string]string{
	"shop/v1/shop.proto": `syntax = "proto3"; package shop.v1; import "protoauthz/v1/authz.proto"; import "legacy.proto";
message Request { string organization_id = 1; legacy.v1.Empty legacy = 2; }
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc ListOrders(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:orders"]}; }
  rpc PlaceOrder(Request) returns (Request) { option (protoauthz.v1.method) = {any_scopes: ["write:orders", "write:all"]}; }
  rpc GetInfo(Request) returns (Request) { option (protoauthz.v1.method) = {public: true}; }
}
service CartService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc GetCart(Request) returns (Request) { option (protoauthz.v1.method) = {authenticated: true}; }
  rpc Export(Request) returns (Request);
}`,
	"legacy.proto": `syntax = "proto3"; package legacy.v1; message Empty {} service LegacyService { rpc Do(Empty) returns (Empty); }`,
}

// TestNotEnforced compares what the commands print about rules that are not enforced.
func TestNotEnforced(t *testing.T) {
	t.Parallel()
	annotated := map[string]string{
		"legacy.proto":       partly["legacy.proto"],
		"shop/v1/shop.proto": strings.Replace(partly["shop/v1/shop.proto"], "Export(Request) returns (Request);", `Export(Request) returns (Request) { option (protoauthz.v1.method) = {scopes: ["read:carts"]}; }`, 1),
	}
	published := map[string]string{
		"legacy.proto":       partly["legacy.proto"],
		"shop/v1/shop.proto": strings.Replace(annotated["shop/v1/shop.proto"], `{scopes: ["read:carts"]}`, `{public: true}`, 1),
	}
	faulty := map[string]string{
		"legacy.proto":       partly["legacy.proto"],
		"shop/v1/shop.proto": strings.Replace(partly["shop/v1/shop.proto"], "{authenticated: true}", "{}", 1),
	}
	stripped := map[string]string{
		"legacy.proto":       partly["legacy.proto"],
		"shop/v1/shop.proto": strings.Replace(partly["shop/v1/shop.proto"], " option (protoauthz.v1.method) = {authenticated: true}; ", "", 1),
	}
	orders, _, _ := strings.Cut(partly["shop/v1/shop.proto"], "service CartService")
	tr := &transcript{names: map[string]string{
		"PARTLY":    write(t, "partly.binpb", encode(t, compileSet(t, partly, "shop/v1/shop.proto"))),
		"ORDERS":    write(t, "orders.binpb", encode(t, compileSet(t, map[string]string{"legacy.proto": partly["legacy.proto"], "shop/v1/shop.proto": orders}, "shop/v1/shop.proto"))),
		"FAULTY":    write(t, "faulty.binpb", encode(t, compileSet(t, faulty, "shop/v1/shop.proto"))),
		"STRIPPED":  write(t, "stripped.binpb", encode(t, compileSet(t, stripped, "shop/v1/shop.proto"))),
		"PUBLISHED": write(t, "published.binpb", encode(t, compileSet(t, published, "shop/v1/shop.proto"))),
		"WHOLLY":    write(t, "wholly.binpb", encode(t, compileSet(t, annotated, "shop/v1/shop.proto"))),
	}}
	tr.about("a method has no annotation")
	tr.run(t, nil, "matrix PARTLY")
	tr.about("refused, and another service in shadow")
	const flags = "-unannotated-refused shop.v1.CartService -shadow shop.v1.OrderService"
	tr.run(t, nil, "matrix "+flags+" PARTLY")
	tr.run(t, nil, "matrix -format markdown "+flags+" PARTLY")
	tr.run(t, nil, "matrix -format json "+flags+" PARTLY")
	tr.run(t, nil, "scopes "+flags+" PARTLY")
	tr.about("open")
	tr.run(t, nil, "matrix -unannotated-open shop.v1.CartService PARTLY")
	tr.run(t, nil, "matrix -format markdown -unannotated-open shop.v1.CartService PARTLY")
	tr.about("refused in shadow, of an imported service too")
	tr.run(t, nil, "matrix -unannotated-refused shop.v1.CartService -shadow shop.v1.CartService -unannotated-refused legacy.v1.LegacyService PARTLY")
	tr.about("flags that do not fit")
	tr.run(t, nil, "matrix -shadow shop.v1.Missing -unannotated-open shop.v1.OrderService -unannotated-refused shop.v1.CartService PARTLY")
	tr.run(t, nil, "matrix -shadow no-name PARTLY")
	tr.run(t, nil, "matrix -shadow shop.v1.OrderService -only shop.v1.CartService -unannotated-refused shop.v1.CartService PARTLY")
	tr.run(t, nil, "matrix -unannotated-open shop.v1.CartService STRIPPED")
	tr.about("changes")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService PARTLY PARTLY")
	tr.run(t, nil, "diff PARTLY WHOLLY")
	tr.run(t, nil, "diff -unannotated-open shop.v1.CartService WHOLLY PARTLY")
	tr.run(t, nil, "diff -format markdown -unannotated-refused shop.v1.CartService WHOLLY PARTLY")
	tr.run(t, nil, "diff -format markdown -unannotated-refused shop.v1.CartService -shadow shop.v1.CartService ORDERS PARTLY")
	tr.run(t, nil, "diff -shadow shop.v1.CartService WHOLLY WHOLLY")
	tr.about("a choice that one of the versions needs")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService PARTLY WHOLLY")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService PARTLY PUBLISHED")
	tr.run(t, nil, "diff -unannotated-open shop.v1.CartService PARTLY WHOLLY")
	tr.run(t, nil, "diff -unannotated-open shop.v1.CartService -shadow shop.v1.CartService PARTLY ORDERS")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService -shadow shop.v1.CartService ORDERS PARTLY")
	tr.about("a choice that neither version needs, or that contradicts another")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService WHOLLY WHOLLY")
	tr.run(t, nil, "diff -shadow shop.v1.CartService ORDERS ORDERS")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService -unannotated-open shop.v1.CartService PARTLY WHOLLY")
	tr.run(t, nil, "diff -unannotated-refused shop.v1.CartService -unannotated-open shop.v1.CartService WHOLLY PARTLY")
	synctest.Test(t, func(t *testing.T) {
		tr.about("one call")
		tr.names["TOKEN"] = write(t, "token", []byte(tokens.Scene{Now: 946684800}.Token(tokens.I1.ES256, "aud", audience, "scope", "read:carts")))
		tr.run(t, nil, "explain -shadow shop.v1.OrderService -unannotated-open shop.v1.CartService -method shop.v1.OrderService/ListOrders -token TOKEN PARTLY")
		tr.run(t, nil, "explain -shadow shop.v1.CartService -unannotated-open shop.v1.CartService -method shop.v1.CartService/GetCart -token TOKEN PARTLY")
		tr.run(t, nil, "explain -unannotated-open shop.v1.CartService -method shop.v1.CartService/Export PARTLY")
		tr.run(t, nil, "explain -unannotated-refused shop.v1.CartService -method shop.v1.CartService/Export -token TOKEN PARTLY")
		tr.run(t, nil, "explain -unannotated-refused shop.v1.CartService -method shop.v1.CartService/Export -token TOKEN -format json PARTLY")
		tr.run(t, nil, "explain -unannotated-refused shop.v1.CartService -shadow shop.v1.CartService -method shop.v1.CartService/Export -token TOKEN PARTLY")
		tr.about("another method has a fault")
		tr.run(t, nil, "explain -only shop -only legacy -unannotated-open shop.v1.CartService -method shop.v1.CartService/Export PARTLY")
		tr.run(t, nil, "explain -only shop -only legacy -unannotated-open shop.v1.CartService -shadow shop.v1.OrderService -method shop.v1.OrderService/GetInfo PARTLY")
		tr.run(t, nil, "explain -unannotated-open shop.v1.CartService -method shop.v1.CartService/Export FAULTY")
	})
	golden(t, "outside/unenforced.txt", tr.String())
}

// TestNotEnforcedPage makes sure that the page for searching marks the rules that are not enforced.
func TestNotEnforcedPage(t *testing.T) {
	t.Parallel()
	image := encode(t, compileSet(t, partly, "shop/v1/shop.proto"))
	got := execute(t, image, "matrix", "-format", "html", "-unannotated-refused", "shop.v1.CartService", "-shadow", "shop.v1.OrderService")
	for _, part := range []string{
		"<p><strong>Not enforced</strong>: the rules of 2 methods: <code>/shop.v1.OrderService/ListOrders</code> <code>/shop.v1.OrderService/PlaceOrder</code></p>",
		"all of <code>read:orders</code> (shadow, not enforced)</td>",
		"<strong>refused</strong> (no annotation)</td>",
		"<option>refused</option>",
		`<select name="model"><option value="">all</option><option>global_resource</option></select>`,
	} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	if got.status != exitOK {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
	got = execute(t, image, "matrix", "-format", "html", "-unannotated-open", "shop.v1.CartService")
	if !strings.Contains(got.stdout, "<strong>public</strong> (no annotation)</td>") || strings.Contains(got.stdout, "<option>refused</option>") {
		t.Error("the page does not mark the method without annotation, or offers what it lacks")
	}
}
