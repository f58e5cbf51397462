package connectv2guard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func Example() {
	verifier, verifierErr := token.NewVerifier(token.Logto("https://tenant.logto.app"))
	table, tableErr := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table)
	server := connect.NewServer(connectv2guard.Interceptor(guard))
	registerCatalogServiceHandler(server)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	handler := interceptor.DeadlineHandler(mux)

	ts := httptest.NewServer(handler)
	defer ts.Close()
	client := connect.NewClient(connecthttp.NewTransport(ts.Client(), ts.URL))
	spec := connect.Spec{Procedure: "/sample.v1.CatalogService/ListProducts"}
	err := client.CallUnary(context.Background(), spec, new(samplev1.ListProductsRequest), new(samplev1.ListProductsResponse))
	fmt.Println(err)
	// Output: unauthenticated: a bearer token is required
}

// registerCatalogServiceHandler stands for a function that protoc-gen-connect-go generates.
func registerCatalogServiceHandler(server *connect.Server) {
	server.Register(connect.Method{
		Spec: connect.Spec{Procedure: "/sample.v1.CatalogService/ListProducts"},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(new(samplev1.ListProductsRequest)); err != nil {
				return err
			}
			return stream.Send(new(samplev1.ListProductsResponse))
		},
	})
}
