package grpcclientauth_test

import (
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/grpcclientauth"
)

func ExampleDialOptions() {
	client, err := clientauth.New(clientauth.Logto("https://tenant.logto.app"), "shop", "shop-secret")
	if err != nil {
		log.Fatal(err)
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:orders"}})

	conn, err := grpc.NewClient("orders.example.com:443", grpcclientauth.DialOptions(source, credentials.NewTLS(nil))...)

	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// Output:
}

// The sidecars of a mesh encrypt what the processes send without TLS.
func ExampleInsecureDialOptions() {
	client, err := clientauth.New(clientauth.Logto("https://tenant.logto.app"), "shop", "shop-secret")
	if err != nil {
		log.Fatal(err)
	}
	source := client.Source(clientauth.Target{Resource: "https://api.example.com", Scopes: []string{"read:orders"}})

	options, err := grpcclientauth.InsecureDialOptions(source, "orders")
	if err != nil {
		log.Fatal(err)
	}
	conn, err := grpc.NewClient("orders:8080", options...)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// Output:
}
