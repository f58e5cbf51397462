package policydiff_test

import (
	"context"
	"fmt"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/policydiff"
)

// A tool compares the rules of two images, and fails if a change is looser.
func ExampleCompare() {
	before, beforeErr := policy.Compile(orderFiles(`scopes: ["read:orders"]`, `scopes: ["write:orders"]`))
	after, afterErr := policy.Compile(orderFiles(`authenticated: true`, `scopes: ["write:orders"], caller: CALLER_USER`))
	if beforeErr != nil || afterErr != nil {
		fmt.Println(beforeErr, afterErr)
		return
	}
	for _, change := range policydiff.Compare(before.Rules(), after.Rules()) {
		fmt.Printf("%s: %s: %s (%s, looser: %t)\n", change.Place, change.Procedure(), change.Detail, change.Kind, change.Kind.Looser())
	}
	// Output:
	// order.proto:8:38: /order.v1.OrderService/ListOrders: any token of the model will do; it took all of read:orders (MADE_AUTHENTICATED, looser: true)
	// order.proto:11:64: /order.v1.OrderService/PlaceOrder: only a user may call; any caller could (CALLER_TIGHTENED, looser: false)
}

// orderFiles compiles order.proto with the given rules of its two methods.
func orderFiles(list, place string) policy.Files {
	source := `syntax = "proto3";
package order.v1;
import "protoauthz/v1/authz.proto";
message Request {} message Response {}
service OrderService {
  option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE, audience: "https://api.example.com"};
  rpc ListOrders(Request) returns (Response) {
    option (protoauthz.v1.method) = {` + list + `};
  }
  rpc PlaceOrder(Request) returns (Response) {
    option (protoauthz.v1.method) = {` + place + `};
  }
}`
	files, err := protos.Compile(context.Background(), "../../proto", map[string]string{"order.proto": source}, "order.proto")
	if err != nil {
		panic(err)
	}
	return files
}
