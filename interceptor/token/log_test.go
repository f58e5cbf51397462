package token_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A lineLog is a handler that remembers lines, each with the time since the bubble began.
type lineLog struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func newLineLog() *lineLog { return &lineLog{Handler: slog.DiscardHandler} }

// Enabled implements [slog.Handler].
func (*lineLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l *lineLog) Handle(_ context.Context, record slog.Record) error {
	line := fmt.Sprintf("%v %v %s", sinceEpoch(), record.Level, record.Message)
	record.Attrs(func(attr slog.Attr) bool {
		line += fmt.Sprintf("; %s=%s", attr.Key, attr.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

// take returns the lines since the last call.
func (l *lineLog) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func checkLines(t *testing.T, log *lineLog, want ...string) {
	t.Helper()
	for n, line := range want {
		if strings.Contains(line, "; cause=") {
			want[n] += "; help=https://github.com/protoauthz/protoauthz/blob/main/interceptor/docs/troubleshooting.md#keys_unavailable"
		}
	}
	got := log.take()
	if !slices.Equal(got, want) {
		t.Errorf("the log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	checkSilent(t, errors.New(strings.Join(got, "\n")), eddsa.JWK())
}

// TestLog holds the lines about an issuer, from its first failure on.
func TestLog(t *testing.T) {
	t.Parallel()
	const (
		failed  = " WARN protoauthz: the keys of an issuer cannot be fetched; issuer=https://idp.test/oidc; cause="
		again   = " INFO protoauthz: the keys of an issuer are fetched again; issuer=https://idp.test/oidc"
		unused  = " INFO protoauthz: some keys of an issuer are not used; issuer=https://idp.test/oidc; cause="
		down503 = `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the endpoint answered with status 503: it is tried again later`
	)
	raw := scene.Token(eddsa, "exp", never)
	bubble(t, "down, up, down", func(t *testing.T) {
		log, idp := newLineLog(), newIDP(eddsa.JWK())
		idp.Serve(discoveryURL, down)
		verifier := newVerifier(t, idp, token.WithLogger(slog.New(log)))
		checkLines(t, log)
		for range 35 {
			check(t, verifier, raw, token.ErrKeysUnavailable, 0)
			time.Sleep(time.Second / 10) // the bubble's clock
		}
		checkLines(t, log, "0s"+failed+down503, "1s"+failed+down503, "3s"+failed+down503)
		idp.Serve(discoveryURL, respond(200, discovery()))
		sleepUntil(10 * time.Second)
		check(t, verifier, raw, nil, 0)
		checkLines(t, log, "10s"+again)
		sleepUntil(30 * time.Minute)
		check(t, verifier, raw, nil, 0)
		checkLines(t, log)
		idp.Serve(keySetURL, respond(200, "{}"))
		sleepUntil(time.Hour)
		check(t, verifier, raw, nil, 0)
		checkLines(t, log, "1h0m0s"+failed+`key set: "https://idp.test/oidc/jwks": it has no array "keys": is it a key set (RFC 7517 section 5)?`)
	})
	bubble(t, "keys that are not used", func(t *testing.T) {
		log, idp := newLineLog(), newIDP(rs256.JWK("use", "enc"), eddsa.JWK())
		verifier := newVerifier(t, idp, token.WithLogger(slog.New(log)))
		serve := func(keys ...string) {
			idp.Serve(keySetURL, respond(200, keySet(keys...)))
			time.Sleep(20 * time.Minute) // the bubble's clock
			check(t, verifier, raw, nil, 0)
		}
		check(t, verifier, raw, nil, 0)
		checkLines(t, log, "0s"+unused+"key 0: its use is not sig")
		serve(rs256.JWK("use", "enc"), eddsa.JWK())
		checkLines(t, log)
		serve(eddsa.JWK())
		checkLines(t, log)
		serve(slices.Concat([]string{eddsa.JWK()}, slices.Repeat([]string{rs256.JWK("use", "enc")}, 7))...)
		checkLines(t, log, "1h0m0s"+unused+"key 1: its use is not sig; key 2: its use is not sig; key 3: its use is not sig; key 4: its use is not sig; key 5: its use is not sig; and 2 more")
		serve(slices.Concat([]string{eddsa.JWK()}, slices.Repeat([]string{rs256.JWK("use", "enc")}, 5))...)
		checkLines(t, log, "1h20m0s"+unused+"key 1: its use is not sig; key 2: its use is not sig; key 3: its use is not sig; key 4: its use is not sig; key 5: its use is not sig")
	})
	bubble(t, "no key can be used", func(t *testing.T) {
		log, idp := newLineLog(), newIDP(rs256.JWK("use", "enc"))
		check(t, newVerifier(t, idp, token.WithLogger(slog.New(log))), raw, token.ErrKeysUnavailable, 0)
		checkLines(t, log, "0s"+failed+`key set: "https://idp.test/oidc/jwks": none of its keys (1) can be used; key 0: its use is not sig`)
	})
	bubble(t, "two fetches fail in one second", func(t *testing.T) {
		log, idp := newLineLog(), newIDP(eddsa.JWK())
		verifier := newVerifier(t, idp, token.WithLogger(slog.New(log)))
		check(t, verifier, raw, nil, 0)
		idp.Serve(discoveryURL, down)
		unknown := scene.Token(newEd25519("kid-newer"), "exp", never)
		const soft = 10 * time.Minute
		sleepUntil(soft - 1)
		check(t, verifier, unknown, token.ErrKeysUnavailable, 0) // fetches for this token
		checkCount(t, idp, discoveryURL, 2)
		sleepUntil(soft)
		check(t, verifier, raw, nil, 0) // refreshes the keys
		checkCount(t, idp, discoveryURL, 3)
		checkLines(t, log, "9m59.999999999s"+failed+down503)
		idp.Serve(discoveryURL, respond(200, discovery()))
		sleepUntil(soft + time.Second)
		check(t, verifier, raw, nil, 0)
		checkLines(t, log, "10m1s"+again)
	})
}

// TestLogChoice holds where the lines go.
func TestLogChoice(t *testing.T) { //nolint:paralleltest // replaces the logger of the process
	observer := token.WithKeySetObserver(func(token.KeySetEvent) {})
	before := slog.Default()
	defer slog.SetDefault(before)
	for name, test := range map[string]struct {
		options         func(own, other *slog.Logger) []token.Option
		byDefault, owns bool
	}{
		"nothing":             {func(_, _ *slog.Logger) []token.Option { return nil }, true, false},
		"nil":                 {func(_, _ *slog.Logger) []token.Option { return []token.Option{token.WithDefaultLog()} }, true, false},
		"observer":            {func(_, _ *slog.Logger) []token.Option { return []token.Option{observer} }, false, false},
		"observer and nil":    {func(_, _ *slog.Logger) []token.Option { return []token.Option{observer, token.WithDefaultLog()} }, true, false},
		"logger":              {func(own, _ *slog.Logger) []token.Option { return []token.Option{token.WithLogger(own)} }, false, true},
		"logger and observer": {func(own, _ *slog.Logger) []token.Option { return []token.Option{token.WithLogger(own), observer} }, false, true},
		"nil, logger": {func(own, _ *slog.Logger) []token.Option {
			return []token.Option{token.WithDefaultLog(), token.WithLogger(own)}
		}, false, true},
		"logger, nil": {func(own, _ *slog.Logger) []token.Option {
			return []token.Option{token.WithLogger(own), token.WithDefaultLog()}
		}, false, true},
		"another logger, then": {func(own, other *slog.Logger) []token.Option {
			return []token.Option{token.WithLogger(other), token.WithLogger(own)}
		}, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			idp, byDefault, own, other := newIDP(), newLineLog(), newLineLog(), newLineLog()
			idp.Serve(discoveryURL, down)
			verifier := newVerifier(t, idp, test.options(slog.New(own), slog.New(other))...)
			slog.SetDefault(slog.New(byDefault)) // after NewVerifier: the logger is found when a line is written
			check(t, verifier, scene.Token(eddsa), token.ErrKeysUnavailable, 0)
			for log, want := range map[*lineLog]bool{byDefault: test.byDefault, own: test.owns, other: false} {
				if got := log.take(); len(got) > 0 != want {
					t.Errorf("%s: the logs hold %q", name, got)
				}
			}
		})
	}
}

// TestLogOfIntrospector makes sure that the keys of signed answers are logged too.
func TestLogOfIntrospector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, idp := newLineLog(), newIDP()
		idp.Serve(discoveryURL, down)
		endpoint := &fakeIssuer{answer: saysSigned(signed(eddsa, envelope())), idp: idp}
		how := token.Introspection{SignedResponseAudience: apiID}
		_, err := newIntrospector(t, endpoint, how, token.WithLogger(slog.New(log))).Verify(t.Context(), opaqueToken)
		checkError(t, err, token.ErrVerifierUnavailable)
		checkLines(t, log, `0s WARN protoauthz: the keys of an issuer cannot be fetched; issuer=https://idp.test/oidc; cause=discovery: "https://idp.test/oidc/.well-known/openid-configuration": the endpoint answered with status 503: it is tried again later`)
	})
}

// hookHandler calls a function for each line.
type hookHandler struct {
	slog.Handler
	hook func()
}

// Enabled implements [slog.Handler].
func (hookHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (h hookHandler) Handle(context.Context, slog.Record) error {
	h.hook()
	return nil
}

// TestMisbehavingLogger makes sure that calls survive a bad logger, and that observers are called all the same.
func TestMisbehavingLogger(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]func(){
		"panics": func() { panic("a logger's panic") },
		"exits":  runtime.Goexit,
		"sleeps": func() { time.Sleep(time.Hour) }, // the bubble's clock
	} {
		bubble(t, name, func(t *testing.T) {
			events, idp := new(eventLog), newIDP(eddsa.JWK())
			idp.Serve(discoveryURL, down)
			logger := slog.New(hookHandler{slog.DiscardHandler, hook})
			verifier := newVerifier(t, idp, token.WithLogger(logger), token.WithKeySetObserver(events.observe))
			check(t, verifier, scene.Token(eddsa, "exp", never), token.ErrKeysUnavailable, 0)
			checkError(t, events.next(t).Err, token.ErrKeysUnavailable)
			idp.Serve(discoveryURL, respond(200, discovery()))
			time.Sleep(time.Second) // the bubble's clock
			check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
			checkError(t, events.next(t).Err, nil)
			time.Sleep(2 * time.Hour) // the bubble's clock
		})
	}
}

// TestObservers makes sure that all observers and the log learn of an event, whatever each of them does.
func TestObservers(t *testing.T) {
	t.Parallel()
	for name, misbehave := range map[string]func(){"returns": func() {}, "panics": func() { panic("an observer's panic") }, "exits": runtime.Goexit} {
		bubble(t, name, func(t *testing.T) {
			var mu sync.Mutex
			var called []int
			observer := func(n int) token.Option {
				return token.WithKeySetObserver(func(token.KeySetEvent) {
					mu.Lock()
					called = append(called, n)
					mu.Unlock()
					misbehave()
				})
			}
			log, idp := newLineLog(), newIDP(eddsa.JWK())
			idp.Serve(discoveryURL, slow(time.Second, down))
			events := new(eventLog)
			verifier := newVerifier(t, idp, observer(1), observer(2), token.WithKeySetObserver(events.observe), token.WithLogger(slog.New(log)))
			check(t, verifier, scene.Token(eddsa), token.ErrKeysUnavailable, time.Second)
			if event := events.next(t); event.Duration != time.Second {
				t.Errorf("the attempt took %v", event.Duration)
			}
			if lines := log.take(); len(lines) != 1 {
				t.Errorf("the log has %q", lines)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(called, []int{1, 2}) {
				t.Errorf("observers %v were called", called)
			}
		})
	}
}
