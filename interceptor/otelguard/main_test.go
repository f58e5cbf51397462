package otelguard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// A backend collects what a Telemetry tells.
type backend struct {
	*otelguard.Telemetry

	reader *metric.ManualReader
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer
}

func newBackend(t testing.TB) *backend {
	t.Helper()
	b := &backend{reader: metric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	var err error
	if b.Telemetry, err = otelguard.New(otelguard.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(b.reader)))); err != nil {
		t.Fatal(err)
	}
	b.tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans)).Tracer("test")
	return b
}

// collect returns all metrics.
func (b *backend) collect(t testing.TB) metricdata.ResourceMetrics {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	return collected
}

// points returns a line for each point of an instrument, sorted: the attributes, and the value of a sum or a
// gauge, or the count of a histogram.
func (b *backend) points(t testing.TB, name string) []string {
	t.Helper()
	var lines []string
	line := func(attributes attribute.Set, value any) {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %v", text(attributes.ToSlice()), value)))
	}
	for _, scope := range b.collect(t).ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					line(point.Attributes, point.Value)
				}
			case metricdata.Gauge[float64]:
				for _, point := range data.DataPoints {
					line(point.Attributes, point.Value)
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					line(point.Attributes, point.Count)
				}
			default:
				t.Errorf("%s: %T", name, data)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// text returns attributes in their order, without the prefix of the project.
func text(attributes []attribute.KeyValue) string {
	var words []string
	for _, a := range attributes {
		words = append(words, strings.TrimPrefix(string(a.Key), "protoauthz.")+"="+a.Value.String())
	}
	return strings.Join(words, " ")
}
