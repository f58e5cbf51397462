package devissuer

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// TB is what [Start] and [Issuer.Token] need of a test. A [testing.TB] is a TB. A program may give its own TB:
// Fatalf must not return, and the program calls what Cleanup got.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(end func())
}

// Start serves an issuer until the end of a test, and ends the test if the configuration has a fault. The
// URL of the issuer has a free port of 127.0.0.1 and the path /oidc, so a verifier accepts it as Logto:
//
//	issuer := devissuer.Start(t, devissuer.Config{})
//	verifier, err := token.NewVerifier(token.Logto(issuer.URL()))
//	raw := issuer.Token(t, map[string]any{"sub": "alice", "aud": "https://api.example.com", "scope": "read:orders"})
//
// Cleanup closes the server and its connections. Goroutines of the connections may then be about to return.
func Start(t TB, config Config) *Issuer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("devissuer: no free port of 127.0.0.1: %v", err)
	}
	issuer, err := New("http://"+listener.Addr().String()+"/oidc", config)
	if err != nil {
		_ = listener.Close()
		t.Fatalf("%v", err)
	}
	var running sync.WaitGroup
	server := &http.Server{
		Handler: issuer, ReadTimeout: serverTimeout, WriteTimeout: serverTimeout,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state { //nolint:exhaustive // a connection is new once and closed once
			case http.StateNew:
				running.Add(1)
			case http.StateClosed:
				running.Done()
			}
		},
	}
	running.Go(func() { _ = server.Serve(listener) }) // until Close
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return issuer
}

// serverTimeout bounds a request and its answer.
const serverTimeout = 10 * time.Second

// Token is [Issuer.Mint] in a test: it ends the test if a claim or an option has no JSON form.
func (i *Issuer) Token(t TB, claims map[string]any, options ...MintOption) string {
	t.Helper()
	token, err := i.Mint(claims, options...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return token
}
