package probe_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/probe"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// readyFunc is a verifier of somebody's own.
type readyFunc func(ctx context.Context, issuers ...string) error

// Ready implements [probe.Readier].
func (f readyFunc) Ready(ctx context.Context, issuers ...string) error { return f(ctx, issuers...) }

// twoIssuers returns a verifier of two issuers and what serves their keys.
func twoIssuers(t *testing.T) (*token.Verifier, *tokens.IDP) {
	t.Helper()
	idp := tokens.NewIDP(tokens.I1.EdDSA.JWK())
	idp.ServeIssuer(tokens.I2, tokens.I2.EdDSA.JWK())
	verifier, err := token.NewVerifier(issuer(tokens.I1.URL), token.WithIssuer(issuer(tokens.I2.URL)), token.WithTransport(idp), token.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	return verifier, idp
}

func issuer(url string) token.Issuer {
	issuer := token.Logto(url)
	issuer.Algorithms = tokens.Algorithms()
	return issuer
}

// ask sends a probe and returns the status and the text.
func ask(ctx context.Context, handler http.Handler, method string) (int, string, http.Header) {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, method, "/readyz", http.NoBody))
	return recorder.Code, recorder.Body.String(), recorder.Header()
}

func checkAnswer(t *testing.T, handler http.Handler, status int, text string) {
	t.Helper()
	got, body, header := ask(t.Context(), handler, http.MethodGet)
	if got != status || body != text {
		t.Errorf("%d %q, want %d %q", got, body, status, text)
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "text/plain; charset=utf-8" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the header is %q", header)
	}
}

const (
	one = "https://idp.test/oidc"
	two = "https://idp2.test/oidc"
)

// TestHandler has an issuer whose keys can be fetched, and another one that is down.
func TestHandler(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options []probe.Option
		down    int // the status while an issuer is down
		text    string
		up      string
	}{
		{"all", nil, 503, "not ready\n", "ready\n"},
		{"details", []probe.Option{probe.WithDetails()}, 503, "not ready\nready: " + one + "\nnot ready: " + two + "\n", "ready\nready: " + one + "\nready: " + two + "\n"},
		{"one", []probe.Option{probe.WithIssuers(one)}, 200, "ready\n", "ready\n"},
		{"one, details", []probe.Option{probe.WithDetails(), probe.WithIssuers(one)}, 200, "ready\nready: " + one + "\n", "ready\nready: " + one + "\n"},
		{"the other", []probe.Option{probe.WithIssuers(two)}, 503, "not ready\n", "ready\n"},
		{"each", []probe.Option{probe.WithIssuers(two), probe.WithIssuers(one)}, 503, "not ready\n", "ready\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verifier, idp := twoIssuers(t)
				idp.Serve(tokens.I2.DiscoveryURL(), tokens.Respond(http.StatusServiceUnavailable, ""))
				handler := probe.Handler(verifier, test.options...)
				checkAnswer(t, handler, test.down, test.text)
				if status, _, _ := ask(t.Context(), handler, http.MethodHead); status != test.down {
					t.Errorf("HEAD is %d", status)
				}
				idp.ServeIssuer(tokens.I2, tokens.I2.EdDSA.JWK())
				time.Sleep(2 * time.Second) // the bubble's clock
				checkAnswer(t, handler, 200, test.up)
			})
		})
	}
}

// TestMethods makes sure that a probe reads, and does nothing else.
func TestMethods(t *testing.T) {
	t.Parallel()
	handler := probe.Handler(readyFunc(func(context.Context, ...string) error {
		t.Error("the verifier is asked")
		return nil
	}))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "get"} {
		status, body, header := ask(t.Context(), handler, method)
		if status != http.StatusMethodNotAllowed || body != "" || header.Get("Allow") != "GET, HEAD" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q %q", method, status, body, header)
		}
	}
}

// TestChecker holds the states of services.
func TestChecker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		verifier, idp := twoIssuers(t)
		idp.Serve(tokens.I2.DiscoveryURL(), tokens.Respond(http.StatusServiceUnavailable, ""))
		checker := probe.Checker(verifier, probe.WithServices("shop.v1.A"), probe.WithServices("shop.v1.B"))
		check := func(want grpchealth.Status) {
			t.Helper()
			for _, service := range []string{"", "shop.v1.A", "shop.v1.B"} {
				response, err := checker.Check(t.Context(), &grpchealth.CheckRequest{Service: service})
				if err != nil || response.Status != want {
					t.Errorf("%q: %v, %v, want %v", service, response, err, want)
				}
			}
			for _, service := range []string{"shop.v1.C", "shop.v1", " "} {
				if response, err := checker.Check(t.Context(), &grpchealth.CheckRequest{Service: service}); connect.CodeOf(err) != connect.CodeNotFound {
					t.Errorf("%q: %v, %v", service, response, err)
				}
			}
		}
		check(grpchealth.StatusNotServing)
		idp.ServeIssuer(tokens.I2, tokens.I2.EdDSA.JWK())
		time.Sleep(2 * time.Second) // the bubble's clock
		check(grpchealth.StatusServing)
	})
}

// TestBrokenVerifiers makes sure that a server is not ready unless its verifier says so.
func TestBrokenVerifiers(t *testing.T) {
	t.Parallel()
	for name, ready := range map[string]readyFunc{
		"fails":  func(context.Context, ...string) error { return errors.New("no database") },
		"panics": func(context.Context, ...string) error { panic("secret") },
		"exits":  func(context.Context, ...string) error { runtime.Goexit(); return nil },
	} {
		for kind, options := range map[string][]probe.Option{
			"":            nil,
			"details":     {probe.WithDetails()}, // of a verifier that does not tell its issuers
			"all details": {probe.WithDetails(), probe.WithIssuers(one, two)},
		} {
			text := "not ready\n"
			if kind == "all details" {
				text += "not ready: " + one + "\nnot ready: " + two + "\n"
			}
			handler := probe.Handler(ready, options...)
			for range 2 {
				checkAnswer(t, handler, 503, text)
			}
		}
		response, err := probe.Checker(ready).Check(t.Context(), new(grpchealth.CheckRequest))
		if err != nil || response.Status != grpchealth.StatusNotServing {
			t.Errorf("%s: %v, %v", name, response, err)
		}
	}
	checkAnswer(t, probe.Handler(new(token.Verifier), probe.WithDetails()), 503, "not ready\n")
}

// TestHangingVerifier makes sure that probes are answered, and that they share one call of a verifier that hangs.
func TestHangingVerifier(t *testing.T) {
	t.Parallel()
	for kind, options := range map[string][]probe.Option{"": nil, "details": {probe.WithDetails(), probe.WithIssuers(one)}} {
		synctest.Test(t, func(t *testing.T) {
			release, calls := make(chan struct{}), new(atomic.Int64)
			handler := probe.Handler(readyFunc(func(context.Context, ...string) error {
				calls.Add(1)
				<-release
				return nil
			}), options...)
			text := "not ready\n"
			if kind != "" {
				text += "not ready: " + one + "\n"
			}
			for range 3 {
				start := time.Now()
				var probes sync.WaitGroup
				for range 100 {
					probes.Go(func() { checkAnswer(t, handler, 503, text) })
				}
				gone, cancel := context.WithCancel(t.Context())
				probes.Go(func() {
					if status, _, _ := ask(gone, handler, http.MethodGet); status != 503 || time.Since(start) != time.Second {
						t.Errorf("a probe that was called off: %d after %v", status, time.Since(start))
					}
				})
				time.Sleep(time.Second) // the bubble's clock
				cancel()
				probes.Wait()
				if took := time.Since(start); took != 3*time.Second || calls.Load() != 1 {
					t.Errorf("answered after %v, by %d calls", took, calls.Load())
				}
			}
			close(release)
			synctest.Wait()
			checkAnswer(t, handler, 200, strings.ReplaceAll(text, "not ready", "ready"))
		})
	}
}

// TestContextEnds makes sure that a verifier has the time in which a probe is answered, and no more.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := probe.Handler(readyFunc(func(ctx context.Context, _ ...string) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		start := time.Now()
		checkAnswer(t, handler, 503, "not ready\n")
		if took := time.Since(start); took != 5*time.Second/2 {
			t.Errorf("answered after %v", took)
		}
	})
}

// TestProbesFetchNoMore makes sure that a flood of probes asks an issuer no more often than one call of Ready does.
func TestProbesFetchNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		verifier, idp := twoIssuers(t)
		idp.Serve(tokens.I1.DiscoveryURL(), tokens.Respond(http.StatusServiceUnavailable, ""))
		handler := probe.Handler(verifier, probe.WithDetails())
		count := func(want int) {
			t.Helper()
			for range 100 {
				_, _, _ = ask(t.Context(), handler, http.MethodGet)
			}
			synctest.Wait()
			if got := idp.Count(tokens.I1.DiscoveryURL()); got != want {
				t.Errorf("%d requests, want %d", got, want)
			}
			if got := idp.Count(tokens.I2.KeySetURL()); got != 1 {
				t.Errorf("%d requests for keys that are there", got)
			}
		}
		count(1)
		time.Sleep(time.Second) // the bubble's clock
		count(2)
		time.Sleep(time.Second) // the bubble's clock
		count(2)
		time.Sleep(time.Second) // the bubble's clock
		count(3)
	})
}

// TestFaults makes sure that a mistake in the configuration ends the program at its start.
func TestFaults(t *testing.T) {
	t.Parallel()
	verifier, _ := twoIssuers(t)
	own := readyFunc(func(context.Context, ...string) error { return nil })
	handler := func(verifier probe.Readier, options ...probe.Option) func() {
		return func() { probe.Handler(verifier, options...) }
	}
	checker := func(verifier probe.Readier, options ...probe.Option) func() {
		return func() { probe.Checker(verifier, options...) }
	}
	const absent = "WithIssuers: a URL is missing or blank: give the URLs of issuers, or leave the option out"
	for _, test := range []struct {
		make func()
		want string // "" without a fault
	}{
		{handler(verifier, probe.WithIssuers(one, two)), ""},
		{handler(own, probe.WithIssuers("https://any.test")), ""},
		{handler(nil), "probe: Handler: the verifier is nil: check the error of NewVerifier"},
		{checker((*token.Verifier)(nil), probe.WithIssuers(one)), "probe: Checker: the verifier is nil: check the error of NewVerifier"},
		{handler(own, nil), "probe: Handler: an option is nil: leave it out"},
		{handler(own, probe.WithIssuers()), "probe: Handler: " + absent},
		{checker(own, probe.WithIssuers(one, " "), probe.WithDetails()), "probe: Checker: " + absent + "\nWithDetails: a Checker has no place for details: leave the option out"},
		{checker(verifier, probe.WithIssuers("https://c.test"), probe.WithDetails()), "probe: Checker: WithDetails: a Checker has no place for details: leave the option out\n" +
			`WithIssuers: "https://c.test" is the Issuer.URL of no issuer of the verifier, whose issuers are ["` + one + `" "` + two + `"]`},
		{handler(own, probe.WithServices("a")), "probe: Handler: WithServices: a Handler has no services: give the option to Checker"},
		{
			handler(verifier, probe.WithIssuers("https://idp.test/oidc/", one, "https://user:secret@c.test?key=secret")),
			`probe: Handler: WithIssuers: "https://idp.test/oidc/" is the Issuer.URL of no issuer of the verifier, whose issuers are ["` + one + `" "` + two + `"]` + "\n" +
				`WithIssuers: "xxxxx@c.test?…" is the Issuer.URL of no issuer of the verifier, whose issuers are ["` + one + `" "` + two + `"]`,
		},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); got != test.want {
					t.Errorf("\n got %s\nwant %s", got, test.want)
				}
			}()
			test.make()
		}()
	}
}

// panicking is a handler of lines that panics.
type panicking struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (panicking) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (panicking) Handle(context.Context, slog.Record) error { panic("a logger's panic") }

// TestPanickingLogger makes sure that probes are answered whatever the logger does.
func TestPanickingLogger(t *testing.T) { //nolint:paralleltest // replaces the logger of the process
	harness.Logged(t) // puts the logger back
	slog.SetDefault(slog.New(panicking{slog.DiscardHandler}))
	checkAnswer(t, probe.Handler(readyFunc(func(context.Context, ...string) error { return errors.New("no database") })), 503, "not ready\n")
}

// TestLog makes sure that the log tells each change, and no more.
func TestLog(t *testing.T) { //nolint:paralleltest // replaces the logger of the process
	text := harness.Logged(t)
	synctest.Test(t, func(t *testing.T) {
		var failure error
		handler := probe.Handler(readyFunc(func(context.Context, ...string) error { return failure }), probe.WithIssuers("https://unknown.test"))
		told := func(want string) {
			t.Helper()
			for range 5 {
				_, _, _ = ask(t.Context(), handler, http.MethodGet)
			}
			_, got, _ := strings.Cut(strings.TrimSpace(text.String()), " ") // the time
			if got != want {
				t.Errorf("the log is %q, want %q", got, want)
			}
			text.Reset()
		}
		told("")
		failure = errors.New("unknown issuer")
		told(`level=WARN msg="protoauthz: the server is not ready" cause="unknown issuer"`)
		failure = errors.New("another failure")
		told("")                // within a second
		time.Sleep(time.Second) // the bubble's clock
		told(`level=WARN msg="protoauthz: the server is not ready" cause="another failure"`)
		time.Sleep(time.Second) // the bubble's clock
		told("")
		failure = nil
		told(`level=INFO msg="protoauthz: the server is ready again"`)

		time.Sleep(time.Second) // the bubble's clock
		handler = probe.Handler(readyFunc(func(context.Context, ...string) error { panic("secret") }))
		told(`level=WARN msg="protoauthz: the server is not ready" cause="the verifier panicked with a value of type string: repair its Ready"`)
		handler = probe.Handler(readyFunc(func(ctx context.Context, _ ...string) error {
			<-ctx.Done()
			time.Sleep(time.Hour) // the bubble's clock
			return nil
		}))
		told(`level=WARN msg="protoauthz: the server is not ready" cause="the verifier has not answered within 3s: its Ready must return soon after its context ends"`)
		time.Sleep(2 * time.Hour) // the bubble's clock
	})
}
