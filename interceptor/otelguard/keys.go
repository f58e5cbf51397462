package otelguard

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// issuerKey is the Issuer.URL of the configuration.
const issuerKey = attribute.Key("protoauthz.issuer")

// keys are what is known of the keys of an issuer.
type keys struct {
	fetched time.Time // the zero time until the first fetch has succeeded
	ok      metric.MeasurementOption
	failed  metric.MeasurementOption
}

// fetched is the observer of key sets.
func (t *Telemetry) fetched(event token.KeySetEvent) {
	t.mu.Lock()
	known, ok := t.keys[event.Issuer]
	if !ok {
		issuer := issuerKey.String(event.Issuer)
		known.ok = metric.WithAttributes(issuer)
		known.failed = metric.WithAttributes(issuer, semconv.ErrorTypeKey.String(string(interceptor.ReasonKeysUnavailable)))
	}
	if event.Fetched.After(known.fetched) { // events may come out of order
		known.fetched = event.Fetched
	}
	t.keys[event.Issuer] = known
	t.mu.Unlock()
	outcome := known.ok
	if event.Err != nil {
		outcome = known.failed
	}
	t.fetches.Record(context.Background(), event.Duration.Seconds(), outcome)
}

// registerKeys makes the instrument of the keys, whose values are read when somebody collects the metrics.
func (t *Telemetry) registerKeys(meter metric.Meter) error {
	age, err := meter.Float64ObservableGauge("protoauthz.key.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the last successful fetch of an issuer's keys began."))
	if err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		t.mu.RLock()
		defer t.mu.RUnlock()
		for _, known := range t.keys {
			if !known.fetched.IsZero() {
				observer.ObserveFloat64(age, time.Since(known.fetched).Seconds(), known.ok)
			}
		}
		return nil
	}, age)
	return err
}
