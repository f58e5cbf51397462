package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// gracePeriod is how long calls may go on after the server was told to stop.
const gracePeriod = 5 * time.Second

var errStopping = errors.New("the server is stopping")

// runServer serves until the context ends.
func runServer(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parseConfig(args, stdout)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, c, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	if err := s.greet(stdout); err != nil {
		return errors.Join(err, s.listener.Close())
	}
	return s.serve(ctx)
}

// A server listens on its address, and answers calls once serve runs.
type server struct {
	audience string
	issuer   *devissuer.Issuer // the embedded issuer, or nil
	listener net.Listener
	http     *http.Server

	// endCalls ends the contexts of all calls.
	endCalls context.CancelCauseFunc
}

func newServer(ctx context.Context, c config, logger *slog.Logger) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.address.String())
	if err != nil {
		return nil, fmt.Errorf("-listen: %w", err)
	}
	s := &server{audience: c.deployment.Audience, listener: listener}
	handler, err := s.handler(c, logger)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	calls, endCalls := context.WithCancelCause(context.WithoutCancel(ctx))
	s.endCalls = endCalls
	s.http = &http.Server{
		Handler:     handler,
		Protocols:   new(http.Protocols),
		BaseContext: func(net.Listener) context.Context { return calls },
		ErrorLog:    slog.NewLogLogger(logger.Handler(), slog.LevelError),
		// ReadTimeout and WriteTimeout would end streams.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: 10 * time.Second},
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(true) // gRPC needs HTTP/2
	return s, nil
}

// handler returns the services, with the embedded issuer if the config has no issuer. Web pages of other origins
// cannot call the embedded issuer: it is for the person who runs the sample.
func (s *server) handler(c config, logger *slog.Logger) (http.Handler, error) {
	if len(c.deployment.Issuers) > 0 {
		return newHandler(c.deployment, c.origins, logger)
	}
	issuer, err := devissuer.New(s.url()+"/oidc", seedIssuer(c.deployment.Audience))
	if err != nil {
		return nil, err
	}
	c.deployment.Issuers = []token.Issuer{token.Logto(issuer.URL())}
	services, err := newHandler(c.deployment, c.origins, logger)
	if err != nil {
		return nil, err
	}
	s.issuer = issuer
	mux := http.NewServeMux()
	mux.Handle("/", services)
	mux.Handle("/oidc/", issuer)
	mux.Handle("POST "+userTokenPath, serveUserTokens(issuer))
	return mux, nil
}

// serve answers calls until the context ends. Then it ends streams, waits for the other calls, and returns nil.
func (s *server) serve(ctx context.Context) error {
	defer s.endCalls(nil)
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.endCalls(errStopping)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gracePeriod)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // on clients that do not end their streams
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// url returns the server's URL for clients on the same machine.
func (s *server) url() string {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	if ok && address.IP.IsUnspecified() {
		return "http://localhost:" + strconv.Itoa(address.Port)
	}
	return "http://" + s.listener.Addr().String()
}
