package clientauth_test

import (
	"fmt"
	"log"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor/clientauth"
)

// In the network of one docker compose, tokens come and go over plain http.
func ExampleInsecureHTTPClient() {
	provider := clientauth.Logto("http://logto:3001")
	provider.InsecureHTTPHosts = []string{"logto"}
	client, err := clientauth.New(provider, "shop", "shop-secret")
	if err != nil {
		log.Fatal(err)
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:products"}})
	insecure, err := clientauth.InsecureHTTPClient(nil, "products")
	if err != nil {
		log.Fatal(err)
	}
	products := samplev1connect.NewCatalogServiceClient(
		insecure, "http://products:8080", connect.WithInterceptors(clientauth.NewInterceptor(source)),
	)

	_ = products
	_, err = clientauth.InsecureHTTPClient(nil, "http://products:8080")
	fmt.Println(err)

	// Output:
	// clientauth: InsecureHTTPClient: "http://products:8080" is not the name of a host: write the host as the URL has it, without scheme, port, path and wildcards, such as "logto"
}
