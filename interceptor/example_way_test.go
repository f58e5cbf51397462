package interceptor_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/guardtest"
)

// A handler of a rule with two ways: one takes the organization from the token, and the other has none. A caller without
// an organization gets less, and never the data of all organizations.
func ExampleWayFromContext() {
	handler := func(ctx context.Context) string {
		way, _ := interceptor.WayFromContext(ctx)
		if way.Organization == "" {
			return "the public plans"
		}
		return "the plans of " + way.Organization
	}

	alice := guardtest.User("alice")
	for _, caller := range []guardtest.Caller{alice, alice.Organization("acme")} {
		claims := caller.Claims(new(testing.T))
		fmt.Println(handler(interceptor.ContextWithClaims(context.Background(), claims)))
	}

	// Output:
	// the public plans
	// the plans of acme
}
