package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// A server serves a handler on loopback, over HTTP/1.1 and HTTP/2 without TLS.
type server struct {
	url  string
	stop func() error
}

func serve(ctx context.Context, handler http.Handler) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: handler, Protocols: new(http.Protocols), ReadHeaderTimeout: 10 * time.Second}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	stop := func() error {
		err := s.Close()
		if served := <-served; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}
	return &server{url: "http://" + listener.Addr().String(), stop: stop}, nil
}

// newClient makes a client with a single HTTP/2 connection of its own.
func newClient() *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: transport}
}
