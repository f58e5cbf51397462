package policy_test

import (
	"context"
	"errors"
	"fmt"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// A server compiles the descriptors that the generated code holds.
func ExampleCompile() {
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto, samplev1.File_sample_v1_document_proto},
		policy.WithAudience("https://api.example.com"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	rule, ok := table.Lookup("/sample.v1.CatalogService/CreateOrder")
	fmt.Println(ok, rule.Needs())
	// Output: true all of write:orders
}

// One error holds all faults.
func ExampleCompile_faults() {
	files := orderFiles(`
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc ListOrders(Request) returns (Response) {
    option (protoauthz.v1.method) = {scopes: "read orders"};
  }
  rpc CancelOrder(Request) returns (Response);
}`)
	_, err := policy.Compile(files, policy.WithAudience("https://api.example.com"))
	fmt.Println(err)

	// Tools find the kind of each fault, and its place in the .proto file.
	var faults *policy.Error
	if errors.As(err, &faults) {
		for _, fault := range faults.Faults {
			fmt.Printf("%s: %s\n", fault.Place, fault.Kind)
		}
	}
	// Output:
	// order.v1.OrderService.ListOrders: scope "read orders" is not a scope-token (RFC 6749 section 3.3): use printable ASCII without space, quote and backslash (SCOPE_INVALID)
	// order.v1.OrderService.CancelOrder: no rule: add option (protoauthz.v1.method) (RULE_MISSING)
	// order.proto:8:38: SCOPE_INVALID
	// order.proto:10:3: RULE_MISSING
}

// The text of a table shows who may call what. Keep it in a golden file, and a change of
// the rules shows in its diff.
func ExampleTable_String() {
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(table)
	// Output:
	// /sample.v1.CatalogService/CreateOrder     global_resource  audience=https://api.example.com  all of write:orders                  caller=any  organization=-
	// /sample.v1.CatalogService/GetInfo         public
	// /sample.v1.CatalogService/ImportProducts  global_resource  audience=https://api.example.com  all of read:products write:products  caller=any  organization=-
	// /sample.v1.CatalogService/ListProducts    global_resource  audience=https://api.example.com  all of read:products                 caller=any  organization=-
	// /sample.v1.CatalogService/WatchProducts   global_resource  audience=https://api.example.com  all of read:products                 caller=any  organization=-
	// /sample.v1.CatalogService/WhoAmI          global_resource  audience=https://api.example.com  authenticated                        caller=any  organization=-
}

// The health service of an RPC library carries no annotations.
func ExampleWithPublic() {
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto},
		policy.WithAudience("https://api.example.com"),
		policy.WithPublic("grpc.health.v1.Health"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	rule, _ := table.Lookup("/grpc.health.v1.Health/Check")
	fmt.Println(rule.Public)
	// Output: true
}

// orderFiles compiles order.proto with the given services.
func orderFiles(services string) policy.Files {
	files, err := protos.Compile(context.Background(), "../../proto", map[string]string{"order.proto": `syntax = "proto3";
package order.v1;
import "protoauthz/v1/authz.proto";
message Request {} message Response {}` + services}, "order.proto")
	if err != nil {
		panic(err)
	}
	return files
}

// The callers of OrderService do not all send tokens yet. CartService is annotated in part.
func ExampleWithShadow() {
	table, err := policy.Compile(shopFiles(),
		policy.WithAudience("https://api.example.com"),
		policy.WithShadow("shop.v1.OrderService"),
		policy.WithUnannotatedRefused("shop.v1.CartService"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(table)
	// Output:
	// /shop.v1.CartService/Export       refused (no annotation)
	// /shop.v1.CartService/GetCart      global_resource          audience=https://api.example.com  all of read:carts    caller=any  organization=-
	// /shop.v1.OrderService/ListOrders  global_resource          audience=https://api.example.com  all of read:orders   caller=any  organization=-  shadow (not enforced)
	// /shop.v1.OrderService/PlaceOrder  global_resource          audience=https://api.example.com  all of write:orders  caller=any  organization=-  shadow (not enforced)
}

// A program lists what it does not enforce.
func ExampleRule_Enforced() {
	table, err := policy.Compile(shopFiles(), policy.WithAudience("https://api.example.com"), policy.WithUnannotatedOpen("shop.v1.CartService"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, rule := range table.Rules() {
		if !rule.Enforced() {
			fmt.Println(rule)
		}
	}
	// Output: /shop.v1.CartService/Export public (no annotation)
}

// shopFiles are two services, one of which is annotated in part.
func shopFiles() policy.Files {
	files, err := protos.Compile(context.Background(), "../../proto", map[string]string{"shop.proto": `syntax = "proto3";
package shop.v1;
import "protoauthz/v1/authz.proto";
message Request {} message Response {}
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc ListOrders(Request) returns (Response) { option (protoauthz.v1.method) = {scopes: "read:orders"}; }
  rpc PlaceOrder(Request) returns (Response) { option (protoauthz.v1.method) = {scopes: "write:orders"}; }
}
service CartService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};
  rpc GetCart(Request) returns (Response) { option (protoauthz.v1.method) = {scopes: "read:carts"}; }
  rpc Export(Request) returns (Response);
}`}, "shop.proto")
	if err != nil {
		panic(err)
	}
	return files
}
