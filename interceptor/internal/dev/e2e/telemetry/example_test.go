package telemetry_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	"connectrpc.com/otelconnect"
	"connectrpc.com/validate"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// catalog is a service without methods.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

// The right order: otelhttp, the guard, otelconnect and protovalidate.
func Example_order() {
	verifier, err := token.NewVerifier(token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}})
	if err != nil {
		log.Fatal(err)
	}
	table, err := policy.Compile(policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}
	guard, mux := interceptor.New(verifier, table, quiet), http.NewServeMux()

	tracing, err := otelconnect.NewInterceptor()
	if err != nil {
		log.Fatal(err)
	}
	validating := validate.NewInterceptor()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption(), connect.WithInterceptors(tracing, validating)))
	handler := otelhttp.NewHandler(interceptor.DeadlineHandler(mux), "rpc")

	server := httptest.NewServer(handler)
	defer server.Close()
	client := samplev1connect.NewCatalogServiceClient(server.Client(), server.URL)
	_, err = client.WhoAmI(context.Background(), connect.NewRequest(&samplev1.WhoAmIRequest{}))
	fmt.Println(err)

	// Output:
	// unauthenticated: a bearer token is required
}
