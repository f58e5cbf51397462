package otelguard_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/imports"
)

// TestImports holds what users of the package pay for.
func TestImports(t *testing.T) {
	t.Parallel()
	faults, err := imports.Check(t.Context(), ".", []imports.Rule{
		{From: "./interceptor/otelguard", Ban: "go.opentelemetry.io/otel/sdk/...", Why: "the program chooses who collects metrics and spans"},
		{From: "./interceptor/otelguard", Ban: "./interceptor/internal/test/...", Why: "what serves our tests is in nobody's program: it forges tokens"},
		{From: "./interceptor/otelguard", Ban: "./gen/sample/...", Why: "the sample's messages must not register in a user's program"},
		{From: "./interceptor/otelguard", Ban: "testing", Why: "code in production must not know when it is tested"},
		{From: "./interceptor/otelguard", Ban: "...", But: []string{
			"std", "./...", "go.opentelemetry.io/otel/...", "connectrpc.com/connect", "connectrpc.com/connect/internal/...",
			"google.golang.org/protobuf/...", "google.golang.org/genproto/...",
			"github.com/golang-jwt/jwt/...", "github.com/MicahParks/...", "golang.org/x/time/...", "github.com/cespare/xxhash/...", "github.com/go-logr/...", "go.opentelemetry.io/auto/sdk/...",
		}, Why: "it adds the API of OpenTelemetry to what package interceptor imports, and nothing else"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}
