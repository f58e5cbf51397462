// Package telemetry_test tries orders of the guard, the instrumentation of OpenTelemetry and protovalidate.
package telemetry_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
	"github.com/protoauthz/protoauthz/interceptor/token"

	"buf.build/go/protovalidate"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// All methods have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

const elsewhere = "globex" // where the callers have no permission

// A backend collects spans and metrics.
type backend struct {
	*otelguard.Telemetry

	exporter *tracetest.InMemoryExporter
	tracers  *sdktrace.TracerProvider
	reader   *metric.ManualReader
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	b := &backend{exporter: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	b.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.exporter))
	var err error
	if b.Telemetry, err = otelguard.New(otelguard.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(b.reader)))); err != nil {
		t.Fatal(err)
	}
	return b
}

// guard returns a guard that admits every token for [harness.Acme].
func (b *backend) guard(t *testing.T) *interceptor.Guard {
	t.Helper()
	return harness.Expiring(t, time.Hour, append(b.GuardOptions(), quiet)...)
}

// unavailable returns a guard that cannot verify any token.
func (b *backend) unavailable(t *testing.T) *interceptor.Guard {
	t.Helper()
	return interceptor.New(harness.VerifierFunc(func(context.Context, string) (*token.Claims, error) {
		return nil, token.ErrVerifierUnavailable
	}), harness.Rules(t), append(b.GuardOptions(), quiet)...)
}

var quiet = interceptor.WithLogger(slog.New(slog.DiscardHandler))

// refusals returns the reasons that the counter has of refused calls, each as often as it was counted.
func (b *backend) refusals(t *testing.T) (reasons []string) {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := b.reader.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != "protoauthz.decisions" {
				continue
			}
			for _, point := range tokens.As[metricdata.Sum[int64]](m.Data).DataPoints {
				if reason, refused := point.Attributes.Value("protoauthz.reason"); refused {
					reasons = append(reasons, slices.Repeat([]string{reason.AsString()}, int(point.Value))...)
				}
			}
		}
	}
	return reasons
}

// spans describes the spans: "http" is otelhttp's, and "rpc" is otelconnect's or otelgrpc's. The code follows,
// or "–" without a code. A + marks the span with the event of the refusal.
func (b *backend) spans(t *testing.T) string {
	t.Helper()
	var described []string
	for _, span := range b.exporter.GetSpans() {
		name, code, codes := "rpc", "–", 0
		if strings.HasSuffix(span.InstrumentationScope.Name, "/otelhttp") {
			name = "http"
		}
		for range span.Events {
			name += "+"
		}
		for _, attribute := range span.Attributes {
			if attribute.Key == "rpc.response.status_code" {
				code = attribute.Value.AsString()
				codes++
			}
		}
		if codes > 1 {
			t.Errorf("a span of %s has %d codes", span.InstrumentationScope.Name, codes)
		}
		described = append(described, name+" "+code)
	}
	if len(described) == 0 {
		return "no span"
	}
	slices.Sort(described)
	return strings.Join(described, ", ")
}

// picky is a validator that knows one invalid name of a document, in place of constraints of a .proto file.
type picky struct{ protovalidate.Validator }

const invalid = "invalid"

var errInvalid = errors.New("document.name: it is invalid")

// Validate implements [protovalidate.Validator].
func (picky) Validate(m proto.Message, _ ...protovalidate.ValidationOption) error {
	if tokens.As[*message](m).GetDocument().GetName() == invalid {
		return errInvalid
	}
	return nil
}
