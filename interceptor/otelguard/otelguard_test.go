package otelguard_test

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/protoauthz/protoauthz/interceptor/otelguard"
)

// TestFaults makes sure that New names all faults of its options.
func TestFaults(t *testing.T) {
	t.Parallel()
	telemetry, err := otelguard.New(nil, otelguard.WithMeterProvider(nil))
	const want = "otelguard: an option is nil: leave it out\n" +
		"otelguard: WithMeterProvider: the provider is nil: leave the option out for the global provider"
	if telemetry != nil || err == nil || err.Error() != want {
		t.Errorf("%v, %v", telemetry, err)
	}
	if telemetry, err := otelguard.New(otelguard.WithMeterProvider(refusing{})); telemetry != nil || !errors.Is(err, errRefused) {
		t.Errorf("%v, %v", telemetry, err)
	}
}

var errRefused = errors.New("no gauges")

// refusing is a meter provider that makes no gauges.
type refusing struct{ noop.MeterProvider }

func (refusing) Meter(string, ...metric.MeterOption) metric.Meter { return refusingMeter{} }

type refusingMeter struct{ noop.Meter }

func (refusingMeter) Float64ObservableGauge(string, ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	return nil, errRefused
}
