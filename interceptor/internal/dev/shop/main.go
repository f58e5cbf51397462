// Shop is a program as a user of protoauthz writes it: three services, each on another framework, one of them also as
// REST. Its configuration, log, metrics, spans, probes, CORS and tests are glue. Lines of glue stand in authz.json and
// in glue_internal_test.go, and in other files they end in a comment. A test counts them.
//
//	go run . -authz authz.json
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
)

func main() {
	authz := flag.String("authz", "authz.json", "`file` with the deployment") // glue
	web := flag.String("web", "127.0.0.1:8080", "`address` of OrderService, CatalogService and REST")
	stock := flag.String("stock", "127.0.0.1:8081", "`address` of StockService")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)      // a second signal ends the process at once
	d, err := deployment.Read(*authz) // glue
	if err == nil {                   // glue
		err = run(ctx, d, *web, *stock)
	} // glue
	if err != nil {
		slog.Error("the shop has failed", "cause", err)
		os.Exit(1)
	}
}

// run serves until the context ends. The environment names the collector of spans and metrics
// (OTEL_EXPORTER_OTLP_ENDPOINT).
func run(ctx context.Context, d *deployment.Deployment, web, stock string) error {
	spans, spansErr := otlptracehttp.New(ctx)                                                 // glue
	metrics, metricsErr := otlpmetrichttp.New(ctx)                                            // glue
	tracing := trace.NewTracerProvider(trace.WithBatcher(spans))                              // glue
	metering := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(metrics))) // glue
	otel.SetTracerProvider(tracing)                                                           // glue
	otel.SetMeterProvider(metering)                                                           // glue
	webListener, webErr := new(net.ListenConfig).Listen(ctx, "tcp", web)
	stockListener, stockErr := new(net.ListenConfig).Listen(ctx, "tcp", stock)
	shop, shopErr := newShop(d)
	if err := errors.Join(spansErr, metricsErr, shopErr, webErr, stockErr); err != nil {
		return err
	}
	err := shop.serve(ctx, webListener, stockListener)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)                        // glue
	defer cancel()                                                                                       // glue
	slog.Info("the telemetry ends", "error", errors.Join(tracing.Shutdown(ctx), metering.Shutdown(ctx))) // glue
	return err
}
