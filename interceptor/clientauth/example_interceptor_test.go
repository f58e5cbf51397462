package clientauth_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
)

// A client of connect-go sends a token of its own with each call.
func ExampleNewInterceptor() {
	client, err := clientauth.New(clientauth.Logto("https://tenant.logto.app"), "shop", os.Getenv("SHOP_SECRET"))
	if err != nil {
		log.Fatal(err) // every fault at once
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:products"}})
	products := samplev1connect.NewCatalogServiceClient(
		clientauth.HTTPClient(http.DefaultClient), "https://products.example.com",
		connect.WithInterceptors(clientauth.NewInterceptor(source)),
	)

	_ = products
}

// A handler learns why another service has refused its call. The handler's own client gets an internal error, and no
// text of an error that may name the token endpoint.
func ExampleNewInterceptor_refusal() {
	var products samplev1connect.CatalogServiceClient // of ExampleNewInterceptor
	handler := func(ctx context.Context) error {
		_, err := products.ListProducts(ctx, connect.NewRequest(&samplev1.ListProductsRequest{}))
		if denial := interceptor.DenialFrom(err); denial != nil {
			log.Print(err, ", required: ", denial.Scopes())
			return err
		}
		if err != nil {
			log.Print(err)
			return connect.NewError(connect.CodeOf(err), errors.New("the products cannot be listed"))
		}
		return nil
	}

	_ = handler
}
