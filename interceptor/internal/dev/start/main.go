// Shop serves orders. authz.json tells whose tokens it takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"

	"example.com/shop/gen/order/v1/orderv1connect"
)

func main() {
	authz := flag.String("authz", "authz.json", "`file` of the deployment")
	listen := flag.String("listen", "127.0.0.1:8080", "`address` of the services")
	flag.Parse()
	if err := run(*authz, *listen); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(authz, listen string) error {
	d, err := deployment.Read(authz)
	if err != nil {
		return err
	}
	handler, _, err := newServer(d)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, Protocols: new(http.Protocols),
		ReadHeaderTimeout: 10 * time.Second, HTTP2: &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC needs HTTP/2: behind TLS it is there anyway
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
	if err != nil {
		return err
	}
	slog.Info("the shop serves", "address", listen)
	return server.Serve(listener)
}

// newServer returns the services behind their guard, and the rules of the guard.
func newServer(d *deployment.Deployment) (http.Handler, *policy.Table, error) {
	verifier, verifierErr := d.NewVerifier(token.WithLogger(slog.Default()))
	table, tableErr := d.Compile(policy.Linked("order.v1"))
	if err := errors.Join(verifierErr, tableErr); err != nil {
		return nil, nil, err // every fault at once
	}
	guard := interceptor.New(verifier, table, interceptor.WithLogger(slog.Default()))
	mux := http.NewServeMux()
	mux.Handle(orderv1connect.NewOrderServiceHandler(
		orders{"acme": {"tea"}}, guard.HandlerOption(), connect.WithReadMaxBytes(4<<20),
	))
	return interceptor.DeadlineHandler(mux), table, nil
}
