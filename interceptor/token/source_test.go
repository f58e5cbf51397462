package token_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// bubble runs a test in a bubble of testing/synctest.
func bubble(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	})
}

// slow answers after a while, unless the request ends before.
func slow(wait time.Duration, h handler) handler {
	return func(request *http.Request) (*http.Response, error) {
		select {
		case <-time.After(wait):
			return h(request)
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
}

// hang answers when the request ends.
func hang(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

func down(request *http.Request) (*http.Response, error) {
	return respond(http.StatusServiceUnavailable, "")(request)
}

// recording notes at what times requests come, since the bubble began.
func recording(times *[]time.Duration, h handler) handler {
	return func(request *http.Request) (*http.Response, error) {
		*times = append(*times, sinceEpoch())
		return h(request)
	}
}

func sinceEpoch() time.Duration { return time.Since(time.Unix(epoch, 0)) }

// sleepUntil moves the bubble's clock.
func sleepUntil(at time.Duration) {
	time.Sleep(at - sinceEpoch()) // the bubble's clock
}

// settle lets the clock run as long as a fetch may take. The bubble panics if a
// goroutine is left after that.
func settle() {
	time.Sleep(5 * time.Second) // the bubble's clock
}

// check verifies a token, and fails unless the error and the time are as wanted.
func check(t *testing.T, verifier *token.Verifier, raw string, want error, took time.Duration) {
	t.Helper()
	start := time.Now()
	_, err := verifier.Verify(t.Context(), raw)
	checkError(t, err, want)
	if got := time.Since(start); got != took {
		t.Errorf("at %v: the call took %v, want %v", sinceEpoch(), got, took)
	}
}

func checkCount(t *testing.T, idp *idp, url string, want int) {
	t.Helper()
	synctest.Wait() // for what the calls have started
	if got := idp.Count(url); got != want {
		t.Errorf("at %v: %d requests to %q, want %d", sinceEpoch(), got, url, want)
	}
}

// warm returns a verifier that has fetched the issuer's keys.
func warm(t *testing.T, opts ...token.Option) (*idp, *token.Verifier) {
	t.Helper()
	idp := newIDP(jwksOf(eddsa, es256)...)
	verifier := newVerifier(t, idp, opts...)
	check(t, verifier, scene.Token(eddsa), nil, 0)
	checkCount(t, idp, "", 2)
	time.Sleep(time.Second) // the bubble's clock
	return idp, verifier
}

func TestColdHerd(t *testing.T) {
	t.Parallel()
	bubble(t, "J17 a thousand calls at once, J18 the first is called off", func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		idp.Serve(discoveryURL, slow(time.Second, respond(200, discovery())))
		idp.Serve(keySetURL, slow(time.Second/2, respond(200, keySet(eddsa.JWK()))))
		verifier := newVerifier(t, idp)
		raw := scene.Token(eddsa)
		checkCount(t, idp, "", 0)
		var herd sync.WaitGroup
		first, cancel := context.WithCancel(t.Context())
		herd.Go(func() {
			_, err := verifier.Verify(first, raw)
			checkError(t, err, token.ErrKeysUnavailable)
			if sinceEpoch() != time.Second/4 {
				t.Errorf("the canceled call returned at %v", sinceEpoch())
			}
		})
		synctest.Wait()
		for range 999 {
			herd.Go(func() {
				if _, err := verifier.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Second / 4) // the bubble's clock
		cancel()
		herd.Wait()
		if sinceEpoch() != 3*time.Second/2 {
			t.Errorf("the herd returned at %v", sinceEpoch())
		}
		checkCount(t, idp, discoveryURL, 1)
		checkCount(t, idp, keySetURL, 1)
	})
}

// The endpoint is asked with growing pauses, and calls
// are answered at once meanwhile.
func TestEndpointDownAtStart(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{30 * time.Second, 10 * time.Minute} {
		bubble(t, "J01 down at start for "+outage.String(), func(t *testing.T) {
			idp, raw := newIDP(eddsa.JWK()), scene.Token(eddsa, "exp", never)
			var times []time.Duration
			idp.Serve(discoveryURL, recording(&times, down))
			verifier := newVerifier(t, idp)
			for ; sinceEpoch() < outage; time.Sleep(time.Second / 10) { // the bubble's clock
				check(t, verifier, raw, token.ErrKeysUnavailable, 0)
			}
			want := []time.Duration{0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29}
			within := 2 * time.Second
			if outage > time.Minute {
				for s := time.Duration(31); s <= 61; s += 2 {
					want = append(want, s)
				}
				want = append(want, 121, 181, 241, 301, 361, 421, 481, 541)
				within = time.Minute
			}
			for n := range want {
				want[n] *= time.Second
			}
			synctest.Wait()
			if !slices.Equal(times, want) {
				t.Errorf("requests at %v, want %v", times, want)
			}
			idp.Serve(discoveryURL, respond(200, discovery()))
			for ; ; time.Sleep(time.Second / 10) { // the bubble's clock
				if _, err := verifier.Verify(t.Context(), raw); err == nil {
					break
				}
				if sinceEpoch() > outage+within {
					t.Fatalf("no recovery at %v", sinceEpoch())
				}
			}
			check(t, verifier, raw, nil, 0)
		})
	}
}

// The endpoint never answers, and may even ignore the end of the request.
func TestEndpointHangs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		hang     func(release chan struct{}) handler
		requests int // in half a minute
	}{
		"header": {func(chan struct{}) handler { return hang }, 5},
		"body": {func(chan struct{}) handler {
			return func(request *http.Request) (*http.Response, error) {
				response, err := respond(200, "")(request)
				response.Body = &stuckBody{request.Context()}
				return response, err
			}
		}, 5},
		"deaf": {func(release chan struct{}) handler {
			return func(request *http.Request) (*http.Response, error) {
				<-release
				return down(request)
			}
		}, 1},
	}
	for name, test := range tests {
		bubble(t, "J02 hangs in the "+name, func(t *testing.T) {
			idp, raw := newIDP(eddsa.JWK()), scene.Token(eddsa, "exp", never)
			release := make(chan struct{})
			idp.Serve(discoveryURL, test.hang(release))
			verifier := newVerifier(t, idp)
			var callers sync.WaitGroup
			for range 20 {
				callers.Go(func() {
					for sinceEpoch() < 30*time.Second {
						start := time.Now()
						_, err := verifier.Verify(t.Context(), raw)
						checkError(t, err, token.ErrKeysUnavailable)
						if took := time.Since(start); took > 2*time.Second {
							t.Errorf("a call took %v", took)
						}
						time.Sleep(time.Second / 4) // the bubble's clock
					}
				})
			}
			callers.Wait()
			if idp.AtOnce() != 1 || idp.Count("") != test.requests {
				t.Errorf("%d requests, %d at once, want %d and 1", idp.Count(""), idp.AtOnce(), test.requests)
			}
			close(release)
			idp.Serve(discoveryURL, respond(200, discovery()))
			time.Sleep(time.Minute) // the bubble's clock
			check(t, verifier, raw, nil, 0)
		})
	}
}

type stuckBody struct{ ctx context.Context }

func (b *stuckBody) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (*stuckBody) Close() error { return nil }

// Keys are refreshed in the background from 10 minutes on, and calls wait for the refresh
// from 15 minutes on. A removed key is refused then.
func TestRefresh(t *testing.T) {
	t.Parallel()
	newer := newEd25519("kid-newer")
	old, raw := scene.Token(eddsa, "exp", never), scene.Token(newer, "exp", never)
	rotated := slow(time.Second, respond(200, keySet(newer.JWK())))
	bubble(t, "J12 in the background", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, rotated)
		sleepUntil(10*time.Minute - 1)
		check(t, verifier, old, nil, 0)
		checkCount(t, idp, keySetURL, 1)
		sleepUntil(10 * time.Minute)
		for range 10 {
			check(t, verifier, old, nil, 0)
		}
		time.Sleep(time.Second + 1) // the bubble's clock
		check(t, verifier, old, token.ErrInvalid, 1*time.Second)
		check(t, verifier, raw, nil, 0)
		checkCount(t, idp, keySetURL, 3) // the third for the old kid, which is unknown now
	})
	bubble(t, "J12 before the call", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, rotated)
		sleepUntil(15 * time.Minute)
		check(t, verifier, old, token.ErrInvalid, time.Second)
		checkCount(t, idp, keySetURL, 2)
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "J12 nearly before the call", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, rotated)
		sleepUntil(15*time.Minute - 1)
		check(t, verifier, old, nil, 0)
		time.Sleep(time.Minute) // the bubble's clock
		check(t, verifier, raw, nil, 0)
		checkCount(t, idp, keySetURL, 2)
	})
	bubble(t, "and the endpoint hangs", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, hang)
		sleepUntil(20 * time.Minute)
		check(t, verifier, old, nil, 2*time.Second)
		check(t, verifier, old, nil, 2*time.Second)
		check(t, verifier, old, nil, time.Second) // the fetch ends after 5 seconds
		check(t, verifier, old, nil, 0)
		checkCount(t, idp, keySetURL, 2)
		sleepUntil(20*time.Minute + 7*time.Second)
		check(t, verifier, old, nil, 0) // the endpoint is known to fail: nobody waits
		checkCount(t, idp, keySetURL, 3)
		settle()
	})
}

// A call that does not wait for the refresh of old keys gets no keys: a short deadline must not
// make a removed key good.
func TestOldKeysOfTheHurried(t *testing.T) {
	t.Parallel()
	for _, patience := range []time.Duration{0, time.Nanosecond, time.Second / 2, 3 * time.Second} {
		bubble(t, "J12 after "+patience.String(), func(t *testing.T) {
			idp, verifier := warm(t)
			idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(es256.JWK()))))
			sleepUntil(23 * time.Hour)
			hurried, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			want := token.ErrKeysUnavailable
			if patience > time.Second {
				want = token.ErrInvalid
			}
			_, err := verifier.Verify(hurried, scene.Token(eddsa, "exp", never))
			checkError(t, err, want)
			if patience < time.Second {
				checkError(t, verifier.Ready(hurried), want)
			}
			settle()
		})
	}
}

// After a failure long ago, calls wait for the refresh of old keys again.
func TestOldFailure(t *testing.T) {
	t.Parallel()
	fail := func(t *testing.T, idp *idp, verifier *token.Verifier) {
		t.Helper()
		idp.Serve(discoveryURL, down)
		check(t, verifier, scene.Token(newEd25519("made up")), token.ErrKeysUnavailable, 0)
		checkCount(t, idp, discoveryURL, 2)
		idp.Serve(discoveryURL, respond(200, discovery()))
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(es256.JWK()))))
	}
	bubble(t, "J12 a key that has been taken out", func(t *testing.T) {
		idp, verifier := warm(t)
		fail(t, idp, verifier)
		sleepUntil(23 * time.Hour)
		check(t, verifier, scene.Token(eddsa, "exp", never), token.ErrInvalid, time.Second)
	})
	// failAt lets the refresh at a time fail. After that the endpoint has another key set.
	failAt := func(t *testing.T, at time.Duration) (*idp, *token.Verifier) {
		t.Helper()
		idp, verifier := warm(t)
		idp.Serve(discoveryURL, down)
		sleepUntil(at)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		checkCount(t, idp, discoveryURL, 2)
		idp.Serve(discoveryURL, respond(200, discovery()))
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(es256.JWK()))))
		return idp, verifier
	}
	for after, test := range map[time.Duration]struct {
		want error
		took time.Duration
	}{2*time.Minute - 1: {nil, 0}, 2 * time.Minute: {token.ErrInvalid, 2 * time.Second}} {
		bubble(t, fmt.Sprintf("J12 a key that has been taken out, %v after a failure", after), func(t *testing.T) {
			_, verifier := failAt(t, 14*time.Minute)
			time.Sleep(after) // the bubble's clock
			check(t, verifier, scene.Token(eddsa, "exp", never), test.want, test.took)
			settle()
		})
	}
	bubble(t, "J15 made-up keys are invalid again", func(t *testing.T) {
		idp, verifier := failAt(t, 10*time.Minute)
		without := eddsa.Mint(eddsa.Header("kid", absent{}, "alg", "ES384"), payload("exp", never))
		check(t, verifier, without, token.ErrKeysUnavailable, 0)
		time.Sleep(time.Second) // the bubble's clock
		check(t, verifier, without, token.ErrInvalid, time.Second)
		checkCount(t, idp, discoveryURL, 3)
	})
}

// Keys of an endpoint that is down serve for a day.
func TestStaleKeys(t *testing.T) {
	t.Parallel()
	bubble(t, "J04 eight attempts in two minutes, J24 a day of old keys", func(t *testing.T) {
		idp, verifier := warm(t)
		raw := scene.Token(eddsa, "exp", never)
		var times []time.Duration
		idp.Serve(discoveryURL, recording(&times, down))
		for ; sinceEpoch() < 13*time.Minute; time.Sleep(time.Second) { // the bubble's clock
			check(t, verifier, raw, nil, 0)
		}
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123}
		for n := range want {
			want[n] = 10*time.Minute + want[n]*time.Second
		}
		synctest.Wait()
		if !slices.Equal(times, want) {
			t.Errorf("requests at %v, want %v", times, want)
		}
		for ; sinceEpoch() < 24*time.Hour-time.Minute; time.Sleep(time.Minute) { // the bubble's clock
			check(t, verifier, raw, nil, 0)
		}
		sleepUntil(24*time.Hour - 1)
		check(t, verifier, raw, nil, 0)
		sleepUntil(24 * time.Hour)
		check(t, verifier, raw, token.ErrKeysUnavailable, 0)
		check(t, verifier, scene.Token(es256, "exp", never), token.ErrKeysUnavailable, 0)
		idp.Serve(discoveryURL, respond(200, discovery()))
		time.Sleep(time.Minute) // the bubble's clock
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "J24 nobody called in the meantime", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(discoveryURL, down)
		sleepUntil(24*time.Hour - 1)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		sleepUntil(24 * time.Hour)
		check(t, verifier, scene.Token(eddsa, "exp", never), token.ErrKeysUnavailable, 0)
	})
}

// The process, or a test, may end while a fetch runs.
func TestFetchEnds(t *testing.T) {
	t.Parallel()
	bubble(t, "J27 nothing is left after the fetch timeout", func(t *testing.T) {
		idp := newIDP()
		idp.Serve(discoveryURL, hang)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newVerifier(t, idp).Verify(canceled, scene.Token(eddsa))
		checkError(t, err, token.ErrKeysUnavailable)
		time.Sleep(5*time.Second - 1) // the bubble's clock
		if n := idp.UnderWay(); n != 1 {
			t.Errorf("%d requests are under way, want 1", n)
		}
		time.Sleep(time.Nanosecond) // the bubble's clock
		synctest.Wait()
		if n := idp.UnderWay(); n != 0 {
			t.Errorf("%d requests are under way", n)
		}
	})
}
