package clientauth_test

import (
	"log"
	"net/http"
	"os"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
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
