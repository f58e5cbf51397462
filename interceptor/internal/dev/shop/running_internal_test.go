package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/protoauthz/protoauthz/interceptor/guardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// A running is a shop that serves, with clients.
type running struct {
	url    string // of the web server
	client *http.Client
	conn   *grpc.ClientConn // to the server of grpc-go
	stop   func()           // waits for the calls
}

// start serves a shop until the end of the test. All its connections are HTTP/2.
func start(t *testing.T, issuer string) *running {
	t.Helper()
	s, err := newShop(guardtest.Deployment(t, "authz.json", token.Logto(issuer)))
	if err != nil {
		t.Fatal(err)
	}
	web, stock := listen(t), listen(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.serve(ctx, web, stock) }()
	conn, err := grpc.NewClient(stock.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	r := &running{"http://" + web.Addr().String(), &http.Client{Transport: bearer{transport}}, conn, sync.OnceFunc(func() {
		transport.CloseIdleConnections() // net/http waits a second for a client to leave
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		_ = conn.Close() // the server has closed the connection
	})}
	t.Cleanup(r.stop)
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// A record is what the process tells by its log, its spans and its metrics.
type record struct {
	lines  chan line
	spans  chan trace.ReadOnlySpan
	reader *metric.ManualReader
}

// A line is a line of the log.
type line map[string]any

// listenIn replaces the logger and the providers of the process, until the end of the test.
func listenIn(t *testing.T) *record {
	t.Helper()
	r := &record{make(chan line, 16), make(chan trace.ReadOnlySpan, 16), metric.NewManualReader()}
	logger := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(r, nil)))
	tracing := trace.NewTracerProvider(trace.WithSyncer(r))
	otel.SetTracerProvider(tracing)
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(r.reader)))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		otel.SetTracerProvider(nooptrace.NewTracerProvider())
		otel.SetMeterProvider(noopmetric.NewMeterProvider())
	})
	return r
}

// Write takes a line of the log.
func (r *record) Write(text []byte) (int, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return 0, err
	}
	r.lines <- l
	return len(text), nil
}

// ExportSpans takes spans that have ended.
func (r *record) ExportSpans(_ context.Context, spans []trace.ReadOnlySpan) error {
	for _, span := range spans {
		r.spans <- span
	}
	return nil
}

// Shutdown implements [trace.SpanExporter].
func (*record) Shutdown(context.Context) error { return nil }

// line returns the line that the log has got, or nil.
func (r *record) line() line {
	select {
	case l := <-r.lines:
		return l
	default:
		return nil
	}
}

// refusals returns the reason that the event on each span tells, and the code of the span, sorted.
func (r *record) refusals() []string {
	var all []string
	for {
		select {
		case span := <-r.spans:
			reason := ""
			for _, event := range span.Events() {
				if event.Name == "protoauthz.refused" {
					reason = values(event.Attributes)["protoauthz.reason"]
				}
			}
			all = append(all, reason+" "+values(span.Attributes())["rpc.response.status_code"])
		default:
			slices.Sort(all)
			return all
		}
	}
}

// decisions returns the counter of decisions: by procedure, outcome and reason.
func (r *record) decisions(t *testing.T) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, instrument := range scope.Metrics {
			if sum, ok := instrument.Data.(metricdata.Sum[int64]); ok && instrument.Name == "protoauthz.decisions" {
				for _, point := range sum.DataPoints {
					of := values(point.Attributes.ToSlice())
					counts[of["protoauthz.procedure"]+" "+of["protoauthz.outcome"]+" "+of["protoauthz.reason"]] += point.Value
				}
			}
		}
	}
	return counts
}

func values(attributes []attribute.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		all[string(a.Key)] = a.Value.String()
	}
	return all
}
