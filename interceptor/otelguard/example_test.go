package otelguard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"connectrpc.com/connect"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// catalog is a service without methods.
type catalog struct {
	samplev1connect.UnimplementedCatalogServiceHandler
}

// A server tells OpenTelemetry of its decisions, its keys and its cache.
func ExampleNew() {
	reader := metric.NewManualReader() // or an exporter's reader
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	issuer := token.Issuer{URL: "https://issuer.example.com", Algorithms: []string{"RS256"}}
	table, err := policy.Compile(
		policy.Files{samplev1.File_sample_v1_catalog_proto}, policy.WithAudience("https://api.example.com"))
	if err != nil {
		log.Fatal(err)
	}

	telemetry, telemetryErr := otelguard.New()
	verifier, verifierErr := token.NewVerifier(issuer, telemetry.VerifierOptions()...)
	if err := errors.Join(telemetryErr, verifierErr, telemetry.Watch(verifier)); err != nil {
		log.Fatal(err)
	}
	guard := interceptor.New(verifier, table, telemetry.GuardOptions()...)

	mux := http.NewServeMux()
	mux.Handle(samplev1connect.NewCatalogServiceHandler(catalog{}, guard.HandlerOption()))
	server := httptest.NewServer(mux)
	defer server.Close()
	client := samplev1connect.NewCatalogServiceClient(server.Client(), server.URL)
	_, err = client.WhoAmI(context.Background(), connect.NewRequest(&samplev1.WhoAmIRequest{}))
	fmt.Println(err)
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &metrics); err != nil {
		log.Fatal(err)
	}
	for _, m := range metrics.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "protoauthz.decisions" {
			for _, attribute := range sum.DataPoints[0].Attributes.ToSlice() {
				fmt.Println(attribute.Key, attribute.Value.AsString())
			}
		}
	}

	// Output:
	// unauthenticated: a bearer token is required
	// protoauthz.outcome refused
	// protoauthz.procedure /sample.v1.CatalogService/WhoAmI
	// protoauthz.reason TOKEN_MISSING
}
