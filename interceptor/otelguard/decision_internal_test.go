package otelguard

import (
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestEvent holds what becomes of each kind of event.
func TestEvent(t *testing.T) {
	t.Parallel()
	const address = "192.0.2.1:1234"
	failed := new(interceptor.Denial) // internal
	procedure, shadow := procedureKey.String("/a.B/C"), shadowKey.String("table")
	refused, allowed := outcomeKey.String("refused"), outcomeKey.String("allowed")
	reason, code := reasonKey.String("GUARD_FAILED"), attribute.String("rpc.response.status_code", "INTERNAL")
	for _, test := range []struct {
		name     string
		event    interceptor.Event
		series   []attribute.KeyValue // of the counter
		told     string               // the event of the span, with the attributes of the counter
		code     []attribute.KeyValue // of the span
		status   codes.Code
		verified bool // the histogram has the verification
	}{
		{name: "let in", event: interceptor.Event{Peer: address}, series: []attribute.KeyValue{procedure, allowed}},
		{name: "verified", event: interceptor.Event{Peer: address, Verification: time.Millisecond}, series: []attribute.KeyValue{procedure, allowed}, verified: true},
		{
			name: "refused", event: interceptor.Event{Denial: failed, Peer: address}, series: []attribute.KeyValue{procedure, refused, reason},
			told: "protoauthz.refused", code: []attribute.KeyValue{code}, status: codes.Error,
		},
		{
			name: "refused in process", event: interceptor.Event{Denial: failed}, series: []attribute.KeyValue{procedure, refused, reason},
			told: "protoauthz.refused",
		},
		{
			name: "a shadow lets in", event: interceptor.Event{Shadow: interceptor.ShadowTable, Peer: address, Verification: time.Millisecond},
			series: []attribute.KeyValue{procedure, allowed, shadow}, verified: true,
		},
		{
			name:     "a shadow refuses what is refused anyway",
			event:    interceptor.Event{Shadow: interceptor.ShadowTable, Denial: failed, RefusedAnyway: true, Peer: address, Verification: time.Millisecond},
			verified: true,
		},
		{
			name: "a shadow refuses", event: interceptor.Event{Shadow: interceptor.ShadowTable, Denial: failed, Peer: address},
			series: []attribute.KeyValue{procedure, refused, reason, shadow}, told: "protoauthz.shadow",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reader, spans := metric.NewManualReader(), tracetest.NewInMemoryExporter()
			telemetry, err := New(WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
			if err != nil {
				t.Fatal(err)
			}
			ctx, span := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("test").Start(t.Context(), "call")
			test.event.Procedure = "/a.B/C"
			const times = 2
			for range times {
				telemetry.decided(ctx, &test.event)
			}
			span.End()

			var collected metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &collected); err != nil {
				t.Fatal(err)
			}
			var counted, verifications bool
			for _, m := range collected.ScopeMetrics[0].Metrics {
				switch m.Name {
				case "protoauthz.decisions":
					counted = true
					want := metricdata.Sum[int64]{
						DataPoints:  []metricdata.DataPoint[int64]{{Attributes: attribute.NewSet(test.series...), Value: times}},
						Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
					}
					metricdatatest.AssertAggregationsEqual(t, want, m.Data, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
				case "protoauthz.verification.duration":
					verifications = true
					point := tokens.As[metricdata.Histogram[float64]](m.Data).DataPoints[0]
					if point.Count != times || point.Sum != times*.001 || point.Attributes.Len() != 0 {
						t.Errorf("the verifications are %+v", point)
					}
				default:
					t.Errorf("there is %s", m.Name)
				}
			}
			if counted != (len(test.series) > 0) || verifications != test.verified {
				t.Errorf("counted: %t, verifications: %t", counted, verifications)
			}

			got := spans.GetSpans()[0]
			if !slices.Equal(got.Attributes, test.code) || got.Status.Code != test.status || (got.Status.Description != "") != (test.status == codes.Error) {
				t.Errorf("the span has %v and the status %v", got.Attributes, got.Status)
			}
			if (len(got.Events) == times) != (test.told != "") {
				t.Errorf("the events are %v", got.Events)
			}
			for _, event := range got.Events {
				got, want := attribute.NewSet(event.Attributes...), attribute.NewSet(test.series...)
				if event.Name != test.told || !got.Equals(&want) {
					t.Errorf("the event is %q with %v", event.Name, event.Attributes)
				}
			}
		})
	}
}
