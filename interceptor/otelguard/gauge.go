package otelguard

import (
	"context"
	"errors"
	"slices"
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

// Watch adds the counters of a verifier to the metrics: see [token.Stats]. The counters of several verifiers
// add up. A verifier that is watched already stays watched once. The Telemetry keeps the verifier as long as
// the meter provider keeps the Telemetry. Watch fails if the Telemetry or the verifier is nil.
func (t *Telemetry) Watch(verifier *token.Verifier) error {
	if t == nil || verifier == nil {
		return errors.New("otelguard: Watch needs a Telemetry and a verifier: check the errors of New and token.NewVerifier")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.caches, verifier) {
		t.caches = append(t.caches, verifier)
	}
	return nil
}

// registerGauges makes the instruments whose values are read when somebody collects the metrics.
func (t *Telemetry) registerGauges(meter metric.Meter) error {
	age, errAge := meter.Float64ObservableGauge("protoauthz.key.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the last successful fetch of an issuer's keys began."))
	entries, errEntries := meter.Int64ObservableUpDownCounter("protoauthz.token.cache.entries", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens in the cache."))
	var errs [4]error
	counter := func(n int, name, unit, description string) (counter metric.Int64ObservableCounter) {
		counter, errs[n] = meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		return counter
	}
	hits := counter(0, "protoauthz.token.cache.hits", "{token}", "Tokens that were accepted from the cache.")
	misses := counter(1, "protoauthz.token.cache.misses", "{signature}", "Signatures that were verified, also of forged tokens.")
	evictions := counter(2, "protoauthz.token.cache.evictions", "{token}", "Cached tokens that made room for others.")
	busy := counter(3, "protoauthz.token.busy", "{call}", "Calls that were refused since too many tokens were being verified.")
	if err := errors.Join(append(errs[:], errAge, errEntries)...); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		t.mu.RLock()
		defer t.mu.RUnlock()
		for _, known := range t.keys {
			if !known.fetched.IsZero() {
				observer.ObserveFloat64(age, time.Since(known.fetched).Seconds(), known.ok)
			}
		}
		if len(t.caches) == 0 {
			return nil
		}
		var sum token.Stats
		for _, verifier := range t.caches {
			stats := verifier.Stats()
			sum.Entries += stats.Entries
			sum.Hits += stats.Hits
			sum.Misses += stats.Misses
			sum.Evictions += stats.Evictions
			sum.Busy += stats.Busy
		}
		observer.ObserveInt64(entries, int64(sum.Entries))
		observer.ObserveInt64(hits, int64(sum.Hits))           //nolint:gosec // nobody counts so far
		observer.ObserveInt64(misses, int64(sum.Misses))       //nolint:gosec // nobody counts so far
		observer.ObserveInt64(evictions, int64(sum.Evictions)) //nolint:gosec // nobody counts so far
		observer.ObserveInt64(busy, int64(sum.Busy))           //nolint:gosec // nobody counts so far
		return nil
	}, age, entries, hits, misses, evictions, busy)
	return err
}
