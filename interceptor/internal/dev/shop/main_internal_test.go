package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
)

// TestRun makes sure that the program sends the metrics of its verifier.
func TestRun(t *testing.T) {
	listenIn(t) // puts the providers back
	const metric = "protoauthz.token.cache.entries"
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); bytes.Contains(body, []byte(metric)) {
			stop()
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "10") // milliseconds
	if err := run(ctx, guardtest.Deployment(t, "authz.json"), "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		t.Error(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("the collector did not get %s: %v", metric, ctx.Err())
	}
}
