package token_test

import (
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// An eventLog is an observer that remembers.
type eventLog struct {
	mu     sync.Mutex
	events []token.KeySetEvent
}

func (l *eventLog) observe(event token.KeySetEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
}

// next returns the one event since it was last called.
func (l *eventLog) next(t *testing.T) token.KeySetEvent {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.events
	l.events = nil
	if len(events) != 1 {
		t.Fatalf("at %v: %d events, want 1: %+v", sinceEpoch(), len(events), events)
	}
	if events[0].Issuer != issuerURL {
		t.Errorf("the issuer is %q", events[0].Issuer)
	}
	checkSilent(t, events[0].Err, eddsa.JWK())
	return events[0]
}

func TestKeySetEvents(t *testing.T) {
	t.Parallel()
	checkEvent := func(t *testing.T, got token.KeySetEvent, err error, keys, skipped int, fetched time.Duration) {
		t.Helper()
		checkError(t, got.Err, err)
		at := time.Unix(epoch, 0).Add(fetched)
		if got.Keys != keys || len(got.Skipped) != skipped || !got.Fetched.Equal(at) {
			t.Errorf("at %v: %+v, want %d keys of %v, and %d skipped", sinceEpoch(), got, keys, at, skipped)
		}
	}
	raw := scene.Token(eddsa, "exp", never)
	bubble(t, "J09 keys are skipped, J24 keys grow old", func(t *testing.T) {
		log := new(eventLog)
		idp := newIDP(rs256.JWK("use", "enc"), eddsa.JWK(), es256.JWK("crv", "P-521"), es384.JWK())
		verifier := newVerifier(t, idp, token.WithKeySetObserver(log.observe))
		check(t, verifier, raw, nil, 0)
		event := log.next(t)
		checkEvent(t, event, nil, 2, 2, 0)
		if got, want := errors.Join(event.Skipped...).Error(), "key 0: its use is not sig\nkey 2: it is not a valid key"; got != want {
			t.Errorf("skipped because\n%s\nwant\n%s", got, want)
		}

		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(eddsa.JWK()))))
		sleepUntil(10 * time.Minute)
		check(t, verifier, raw, nil, 0)
		time.Sleep(time.Second) // the bubble's clock
		checkEvent(t, log.next(t), nil, 1, 0, 10*time.Minute)

		idp.Serve(keySetURL, respond(200, "{}"))
		sleepUntil(time.Hour)
		check(t, verifier, raw, nil, 0)
		checkEvent(t, log.next(t), token.ErrKeysUnavailable, 1, 0, 10*time.Minute)
		const stale = 24*time.Hour + 10*time.Minute
		sleepUntil(stale - 1)
		check(t, verifier, raw, nil, 0)
		checkEvent(t, log.next(t), token.ErrKeysUnavailable, 1, 0, 10*time.Minute)
		sleepUntil(stale + time.Minute)
		check(t, verifier, raw, token.ErrKeysUnavailable, 0)
		checkEvent(t, log.next(t), token.ErrKeysUnavailable, 0, 0, 10*time.Minute)
	})
	bubble(t, "J01 there never were keys", func(t *testing.T) {
		log := new(eventLog)
		idp := newIDP()
		idp.Serve(discoveryURL, down)
		check(t, newVerifier(t, idp, token.WithKeySetObserver(log.observe)), raw, token.ErrKeysUnavailable, 0)
		event := log.next(t)
		checkError(t, event.Err, token.ErrKeysUnavailable)
		if event.Keys != 0 || !event.Fetched.IsZero() {
			t.Errorf("%+v, want no keys", event)
		}
		if !strings.Contains(event.Err.Error(), `discovery: "https://idp.test/oidc/.well-known/openid-configuration": the endpoint answered with status 503`) {
			t.Errorf("the error does not tell what to do: %v", event.Err)
		}
	})
}

// TestUnusableKeys makes sure that the error for a set of bad keys names only the first key.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := new(eventLog)
		idp := newIDP(slices.Repeat([]string{rs256.JWK("alg", absent{})}, 100)...)
		_, err := newVerifier(t, idp, token.WithKeySetObserver(log.observe)).Verify(t.Context(), scene.Token(rs256))
		checkError(t, err, token.ErrKeysUnavailable)
		const want = `key set: "https://idp.test/oidc/jwks": none of its keys (100) can be used; key 0: it names no alg, and ["RS256" "PS256"] fit it: leave only one of them in Issuer.Algorithms, or have the issuer write alg into the key`
		if event := log.next(t); len(event.Skipped) != 100 || !errors.Is(err, event.Err) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%d skipped, and the error is %v", len(event.Skipped), err)
		}
	})
}

// TestMisbehavingHooks makes sure that calls survive a bad observer and a bad transport.
func TestMisbehavingHooks(t *testing.T) {
	t.Parallel()
	for name, observer := range map[string]func(token.KeySetEvent){
		"panics": func(token.KeySetEvent) { panic("observer") },
		"exits":  func(token.KeySetEvent) { runtime.Goexit() },
	} {
		bubble(t, "observer "+name, func(t *testing.T) {
			idp, verifier := warm(t, token.WithKeySetObserver(observer))
			sleepUntil(20 * time.Minute)
			check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
			checkCount(t, idp, keySetURL, 2)
		})
	}
	bubble(t, "observer hangs", func(t *testing.T) {
		release := make(chan struct{})
		idp, verifier := warm(t, token.WithKeySetObserver(func(token.KeySetEvent) { <-release }))
		sleepUntil(20 * time.Minute)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		checkCount(t, idp, keySetURL, 2)
		close(release)
	})
	bubble(t, "transport exits", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, func(*http.Request) (*http.Response, error) {
			runtime.Goexit()
			return nil, nil
		})
		newer := newEd25519("kid-newer")
		check(t, verifier, scene.Token(newer, "exp", never), token.ErrKeysUnavailable, 0)
		idp.Serve(keySetURL, respond(200, keySet(newer.JWK())))
		time.Sleep(30 * time.Second) // the bubble's clock
		check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
	})
}
