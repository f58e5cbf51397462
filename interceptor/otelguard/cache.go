package otelguard

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/metric"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

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

// registerCaches makes the instruments of the caches, whose values are read when somebody collects the metrics.
func (t *Telemetry) registerCaches(meter metric.Meter) error {
	entries, err := meter.Int64ObservableUpDownCounter("protoauthz.token.cache.entries", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens in the cache."))
	errs := []error{err}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		counter, err := meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return counter
	}
	hits := counter("protoauthz.token.cache.hits", "{token}", "Tokens that were accepted from the cache.")
	misses := counter("protoauthz.token.cache.misses", "{signature}", "Signatures that were verified, also of forged tokens.")
	evictions := counter("protoauthz.token.cache.evictions", "{token}", "Cached tokens that made room for others.")
	busy := counter("protoauthz.token.busy", "{call}", "Calls that were refused since too many tokens were being verified.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, observer metric.Observer) error {
		t.mu.RLock()
		defer t.mu.RUnlock()
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
		observer.ObserveInt64(hits, int64(sum.Hits))           //nolint:gosec // 2^63 is out of reach
		observer.ObserveInt64(misses, int64(sum.Misses))       //nolint:gosec // 2^63 is out of reach
		observer.ObserveInt64(evictions, int64(sum.Evictions)) //nolint:gosec // 2^63 is out of reach
		observer.ObserveInt64(busy, int64(sum.Busy))           //nolint:gosec // 2^63 is out of reach
		return nil
	}, entries, hits, misses, evictions, busy)
	return err
}
