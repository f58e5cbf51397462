package interceptor_test

import (
	"context"
	"fmt"
	"log"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// The audience of the API will change. The second table tells whose tokens do not have the new audience yet.
func ExampleWithShadow() {
	verifier, table := viewer()
	observer := interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
		fmt.Printf("%q: %s\n", event.Shadow, event.Outcome())
	})

	next, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://shop.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table, interceptor.WithShadow(next), observer)

	callOf(guard, "ListProducts")

	// Output:
	// "table": refused
	// "": allowed
}
