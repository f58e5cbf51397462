package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go/http3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// listening is a server on a port of loopback.
type listening struct {
	port int
	done <-chan error // why the server ended by itself
	stop func() error
}

const address = "127.0.0.1:0"

// The numbers of HTTP versions.
const (
	version1 protoreflect.EnumNumber = 1 + iota
	version2
	version3
)

func listen(ctx context.Context, version protoreflect.EnumNumber, config *tls.Config, handler http.Handler) (*listening, error) {
	if version == version3 {
		return listenQUIC(ctx, config, handler)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler: handler, TLSConfig: config, Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second,
	}
	server.Protocols.SetHTTP1(version == version1)
	server.Protocols.SetHTTP2(version == version2)
	server.Protocols.SetUnencryptedHTTP2(version == version2)
	run := func() error { return server.Serve(listener) }
	if config != nil {
		run = func() error { return server.ServeTLS(listener, "", "") }
	}
	return start(listener.Addr(), run, server), nil
}

func listenQUIC(ctx context.Context, config *tls.Config, handler http.Handler) (*listening, error) {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	server := &http3.Server{Handler: handler, TLSConfig: http3.ConfigureTLSConfig(config)}
	return start(conn.LocalAddr(), func() error { return server.Serve(conn) }, server), nil
}

// shutdown is how long calls may take to end once the runner has ended the server. The runner kills the
// server after 5 seconds.
const shutdown = 3 * time.Second

func start(at net.Addr, run func() error, server interface {
	Shutdown(context.Context) error
	Close() error
}) *listening {
	done := make(chan error, 1)
	go func() { done <- run() }()
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdown)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			return server.Close()
		}
		return nil
	}
	var port int
	switch at := at.(type) {
	case *net.TCPAddr:
		port = at.Port
	case *net.UDPAddr:
		port = at.Port
	}
	return &listening{port: port, done: done, stop: stop}
}
