package probe_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/probe"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A partner's issuer is down. The server is ready for the users of its own issuer.
func ExampleHandler() {
	verifier, err := token.NewVerifier(token.Logto("https://idp.test"), token.WithIssuer(token.Logto("https://partner.test")),
		token.WithTransport(idp), token.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/readyz", probe.Handler(verifier, probe.WithIssuers("https://idp.test/oidc")))
	mux.Handle("/issuers", probe.Handler(verifier, probe.WithDetails()))

	for _, path := range []string{"/readyz", "/issuers"} {
		recorder := httptest.NewRecorder()
		mux.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		fmt.Println(recorder.Code)
		fmt.Print(recorder.Body)
	}

	// Output:
	// 200
	// ready
	// 503
	// not ready
	// ready: https://idp.test/oidc
	// not ready: https://partner.test/oidc
}

// A health service has the path and the messages that grpc-health-probe and Kubernetes' grpc probes expect.
func ExampleChecker() {
	verifier, err := token.NewVerifier(token.Logto("https://idp.test"), token.WithTransport(idp))
	if err != nil {
		log.Fatal(err)
	}
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto},
		policy.WithAudience("https://api.example.com"),
		policy.WithPublic(grpchealth.HealthV1ServiceName),
	)
	if err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table)

	mux := http.NewServeMux()
	mux.Handle(grpchealth.NewHandler(probe.Checker(verifier, probe.WithServices("sample.v1.CatalogService")), guard.HandlerOption()))

	server := httptest.NewServer(mux)
	defer server.Close()
	client := grpchealth.NewClient(server.Client(), server.URL)
	for _, service := range []string{"", "sample.v1.CatalogService", "sample.v1.Unknown"} {
		response, err := client.Check(context.Background(), &grpchealth.CheckRequest{Service: service})
		if err != nil {
			fmt.Println(connect.CodeOf(err))
			continue
		}
		fmt.Println(response.Status)
	}

	// Output:
	// serving
	// serving
	// not_found
}

// idp serves the keys of one issuer. The other one is down.
var idp = tokens.NewIDP(tokens.I1.ES384.JWK())
