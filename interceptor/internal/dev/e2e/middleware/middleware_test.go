// Package middleware_test tests interceptor.DeadlineHandler with common middleware around it and inside of
// it.
package middleware_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/handlers"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// patience bounds each wait. Only a test that fails waits so long.
const patience = 2 * time.Minute

// A stack is middleware around handlers.
type stack struct {
	name   string
	wrap   func(http.Handler) http.Handler
	prefix string // of paths, which it strips
	opaque bool   // its writer supports no deadlines, so that it cannot stand around DeadlineHandler
}

var stacks = []stack{
	{name: "none", wrap: func(next http.Handler) http.Handler { return next }},
	{name: "http.TimeoutHandler", opaque: true, wrap: timeout},
	{name: "auth0/go-jwt-middleware", wrap: authenticate},
	{name: "go-chi/chi", prefix: "/api", wrap: func(next http.Handler) http.Handler {
		router := chi.NewRouter()
		router.Use(middleware.RequestID, middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: quiet{}, NoColor: true}),
			middleware.Recoverer, middleware.CleanPath, middleware.Compress(5), middleware.Timeout(time.Hour))
		router.Mount("/api", http.StripPrefix("/api", next))
		return router
	}},
	{name: "gorilla/handlers", wrap: func(next http.Handler) http.Handler {
		next = handlers.CORS()(handlers.CompressHandler(handlers.ProxyHeaders(next)))
		return handlers.CombinedLoggingHandler(io.Discard, handlers.RecoveryHandler()(next))
	}},
	{name: "otelhttp", wrap: trace},
	{name: "otelhttp, go-jwt-middleware and http.TimeoutHandler", opaque: true, wrap: func(next http.Handler) http.Handler {
		return trace(authenticate(timeout(next)))
	}},
}

func timeout(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Hour, "") }

func trace(next http.Handler) http.Handler { return otelhttp.NewHandler(next, "call") }

// authenticate copies each request.
func authenticate(next http.Handler) http.Handler {
	accept := func(context.Context, string) (any, error) { return "claims", nil }
	return jwtmiddleware.New(accept).CheckJWT(next)
}

// quiet is a logger of chi's.
type quiet struct{}

func (quiet) Print(...any) {}

// A setup is a way to serve a framework's handlers with middleware.
type setup struct {
	framework

	name, prefix string
	serve        func(*interceptor.Guard) http.Handler
}

// setups are all setups: each middleware in both places.
func setups() []setup {
	var all []setup
	for _, f := range frameworks {
		for _, s := range stacks {
			all = append(all, setup{f, f.name + ", inside: " + s.name, s.prefix, func(guard *interceptor.Guard) http.Handler {
				return interceptor.DeadlineHandler(s.wrap(f.mux(guard)))
			}})
			if !s.opaque {
				all = append(all, setup{f, f.name + ", outside: " + s.name, s.prefix, func(guard *interceptor.Guard) http.Handler {
					return s.wrap(interceptor.DeadlineHandler(f.mux(guard)))
				}})
			}
		}
	}
	return all
}

// TestOutside makes sure that the connection of a call is found behind all middleware.
func TestOutside(t *testing.T) { //nolint:paralleltest // it replaces the logger of the process
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(telling{slog.DiscardHandler, t}))
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for _, s := range setups() {
		for version := 1; version <= 2; version++ {
			calls.Go(func() { s.idle(t, version) })
			calls.Go(func() { s.refused(t, version, client) })
			if s.gated {
				calls.Go(func() { s.refused(t, version, unary) })
			}
		}
		for expectation := range expectations {
			calls.Go(func() { s.expected(t, client, expectation) })
			if s.gated {
				calls.Go(func() { s.expected(t, unary, expectation) })
			}
		}
	}
	calls.Wait()
}

// telling fails the test at a log message that a connection cannot be interrupted, or, from net/http, that a
// connection carried more than answers.
type telling struct {
	slog.Handler
	t *testing.T
}

// Enabled implements [slog.Handler].
func (telling) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (h telling) Handle(_ context.Context, record slog.Record) error {
	h.t.Errorf("somebody is told: %s", record.Message)
	return nil
}
