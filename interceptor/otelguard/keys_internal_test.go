package otelguard

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestOrder makes sure that an event that comes late makes no keys older.
func TestOrder(t *testing.T) {
	t.Parallel()
	telemetry, err := New(WithMeterProvider(noop.NewMeterProvider()))
	if err != nil {
		t.Fatal(err)
	}
	newer := time.Unix(2, 0)
	for _, fetched := range []time.Time{time.Unix(1, 0), newer, time.Unix(1, 0), {}} {
		telemetry.fetched(token.KeySetEvent{Issuer: "https://issuer.example", Fetched: fetched})
	}
	if got := telemetry.keys["https://issuer.example"].fetched; !got.Equal(newer) {
		t.Errorf("the keys are of %v", got)
	}
}
