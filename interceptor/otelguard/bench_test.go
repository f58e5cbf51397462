package otelguard_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A load is a call that is made again and again, with a token in the cache.
type load struct {
	guard   *interceptor.Guard
	header  http.Header
	refused bool
}

func (l *load) call(ctx context.Context, t testing.TB) {
	t.Helper()
	if _, denial := l.guard.Admit(ctx, catalogue.Procedure("Read", catalogue.Unary), l.header); (denial != nil) != l.refused {
		t.Fatal(denial)
	}
}

func newLoad(t testing.TB, refused bool, options ...interceptor.Option) *load {
	t.Helper()
	verifier, err := token.NewVerifier(token.Logto(tokens.I1.URL), token.WithTransport(tokens.NewIDP(tokens.I1.ES256.JWK())))
	if err != nil {
		t.Fatal(err)
	}
	scope := map[bool]string{true: "write:b", false: "read:a"}[refused]
	raw := tokens.Scene{}.Token(tokens.I1.ES256, "scope", scope, "exp", tokens.MaxDate)
	options = append(options, interceptor.WithLogger(slog.New(slog.DiscardHandler))) // as the default, and quiet
	return &load{interceptor.New(verifier, harness.Rules(t), options...), http.Header{"Authorization": {"Bearer " + raw}}, refused}
}

func telemetry(t testing.TB, options ...otelguard.Option) []interceptor.Option {
	t.Helper()
	telemetry, err := otelguard.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.GuardOptions()
}

// BenchmarkAdmit compares guards that tell nobody with guards that tell OpenTelemetry. With the reader the
// metrics are kept, and with the span the span is recorded.
func BenchmarkAdmit(b *testing.B) {
	reader := otelguard.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())))
	silent := []interceptor.Option{interceptor.WithObserver(func(context.Context, interceptor.Event) {})}
	for _, bench := range []struct {
		name     string
		options  []interceptor.Option
		recorded bool
	}{
		{name: "bare"},
		{name: "observer that does nothing", options: silent},
		{name: "no reader, no span", options: telemetry(b, otelguard.WithMeterProvider(noop.NewMeterProvider()))},
		{name: "reader, no span", options: telemetry(b, reader)},
		{name: "reader and span", options: telemetry(b, reader), recorded: true},
	} {
		for name, refused := range map[string]bool{"allowed": false, "refused": true} {
			b.Run(name+"/"+bench.name, func(b *testing.B) {
				load, tracer := newLoad(b, refused, bench.options...), sdktrace.NewTracerProvider().Tracer("test")
				ctx := b.Context()
				b.ReportAllocs()
				for b.Loop() {
					if bench.recorded { // a span per call: a span keeps 128 events
						var span trace.Span
						ctx, span = tracer.Start(b.Context(), "call")
						load.call(ctx, b)
						span.End()
						continue
					}
					load.call(ctx, b)
				}
			})
		}
	}
}

// TestAllocations makes sure that a call allocates no more with a Telemetry than with an observer that does
// nothing, with and without a reader, unless a span is recorded.
func TestAllocations(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	for _, refused := range []bool{false, true} {
		perCall := func(options ...interceptor.Option) float64 {
			load := newLoad(t, refused, options...)
			return testing.AllocsPerRun(1000, func() { load.call(t.Context(), t) })
		}
		want := perCall(interceptor.WithObserver(func(context.Context, interceptor.Event) {}))
		for name, meters := range map[string]otelguard.Option{
			"without a reader": otelguard.WithMeterProvider(noop.NewMeterProvider()),
			"with a reader":    otelguard.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))),
		} {
			if got := perCall(telemetry(t, meters)...); got > want {
				t.Errorf("refused: %t: %s %v allocations, want %v", refused, name, got, want)
			}
		}
	}
}
