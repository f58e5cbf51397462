package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"connectrpc.com/connect"
	connectv2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	connectcors "connectrpc.com/cors"
	"connectrpc.com/grpchealth"
	"connectrpc.com/vanguard"
	"github.com/rs/cors"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/grpcprobe"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/catalog/v1/catalogv1connect"
	"github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/order/v1/orderv1connect"
	stockv1 "github.com/protoauthz/protoauthz/interceptor/internal/dev/shop/gen/stock/v1"
	"github.com/protoauthz/protoauthz/interceptor/otelguard"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/probe"
)

// A shop has a server of HTTP, for OrderService, CatalogService and REST, and a server of grpc-go, for StockService.
type shop struct {
	web   http.Handler
	stock *grpc.Server

	// The rules of each server.
	webRules, stockRules *policy.Table
}

func newShop(d *deployment.Deployment) (*shop, error) {
	telemetry, telemetryErr := otelguard.New()                             // glue
	verifier, verifierErr := d.NewVerifier(telemetry.VerifierOptions()...) // glue
	webRules, webErr := d.Compile(policy.Linked("order", "catalog"))
	stockRules, stockErr := d.Compile(policy.Linked("stock"))
	if err := errors.Join(telemetryErr, verifierErr, webErr, stockErr, telemetry.Watch(verifier)); err != nil {
		return nil, err
	}
	options := append(telemetry.GuardOptions(), interceptor.WithLogger(slog.Default())) // glue
	webGuard := interceptor.New(verifier, webRules, options...)
	stockGuard := interceptor.New(verifier, stockRules, options...)

	orders, err := vanguard.NewTranscoder([]*vanguard.Service{
		vanguard.NewService(orderv1connect.NewOrderServiceHandler(
			newOrders(), webGuard.HandlerOption(), connect.WithReadMaxBytes(4<<20), // connect-go has no limit of its own
		)),
	})
	if err != nil {
		return nil, err
	}
	catalog := connectv2.NewServer(connectv2guard.Interceptor(webGuard))
	catalogv1connect.RegisterCatalogServiceHandler(catalog, newCatalog())
	mux := http.NewServeMux()
	mux.Handle("/", orders)
	connecthttp.Mount(mux, catalog)
	mux.Handle("/readyz", probe.Handler(verifier))                                       // glue
	mux.Handle(grpchealth.NewHandler(probe.Checker(verifier), webGuard.HandlerOption())) // glue
	pages := cors.New(cors.Options{                                                      // glue
		AllowedOrigins: []string{"https://shop.example.com"},                     // glue
		AllowedMethods: append(connectcors.AllowedMethods(), "DELETE"),           // glue
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization"),    // glue
		ExposedHeaders: append(connectcors.ExposedHeaders(), "WWW-Authenticate"), // glue
	}) // glue
	web := pages.Handler(otelhttp.NewHandler(interceptor.DeadlineHandler(mux), "shop")) // glue

	serverOptions := grpcguard.ServerOptions(stockGuard)
	serverOptions = append(serverOptions, grpc.StatsHandler(otelgrpc.NewServerHandler())) // glue
	stock := grpc.NewServer(serverOptions...)
	stockv1.RegisterStockServiceServer(stock, newStock())
	healthpb.RegisterHealthServer(stock, grpcprobe.Server(verifier)) // glue
	return &shop{web, stock, webRules, stockRules}, grpcguard.Check(stock, stockRules)
}

// serve answers calls until the context ends. Calls that are under way have five seconds then.
func (s *shop) serve(ctx context.Context, web, stock net.Listener) error {
	server := &http.Server{
		Handler: s.web, Protocols: new(http.Protocols),
		ReadHeaderTimeout: 10 * time.Second, HTTP2: &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC needs HTTP/2
	served := make(chan error, 2)
	go func() { served <- server.Serve(web) }()
	go func() { served <- s.stock.Serve(stock) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	defer context.AfterFunc(ending, s.stock.Stop)()
	s.stock.GracefulStop()
	return errors.Join(err, server.Shutdown(ending))
}
