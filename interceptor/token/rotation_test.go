package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// rotate makes the issuer sign with a new key, from one moment to the next, and checks that the first
// token is let in at once.
func rotate(t *testing.T, idp *idp, verifier *token.Verifier, newer *key) {
	t.Helper()
	idp.Serve(keySetURL, respond(200, keySet(newer.JWK())))
	check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
}

// A rotation without overlap is picked up by the call that meets it, and so is the next one.
func TestRotation(t *testing.T) {
	t.Parallel()
	bubble(t, "J14 a new key is used at once", func(t *testing.T) {
		idp, verifier := warm(t)
		second, third := newEd25519("kid-2"), newEd25519("kid-3")
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(second.JWK()))))
		var users sync.WaitGroup
		for range 100 {
			users.Go(func() { check(t, verifier, scene.Token(second), nil, time.Second) })
		}
		users.Wait()
		checkCount(t, idp, keySetURL, 2)
		rotate(t, idp, verifier, third)
		checkCount(t, idp, keySetURL, 3)
		check(t, verifier, scene.Token(second), token.ErrInvalid, 0)
	})
	bubble(t, "J14 several new keys are used at once", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := []*key{newEd25519("kid-2"), newEd25519("kid-3"), newEd25519("kid-4")}
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(jwksOf(newer...)...))))
		var users sync.WaitGroup
		for n := range 99 {
			users.Go(func() { check(t, verifier, scene.Token(newer[n%3]), nil, time.Second) })
		}
		users.Wait()
		checkCount(t, idp, keySetURL, 2)
	})
	bubble(t, "J14 back and forth", func(t *testing.T) {
		idp, verifier := warm(t)
		var refused int
		for n := range 3600 { // in an hour
			k := []*key{eddsa, newEd25519("kid-" + strconv.Itoa(n%2))}[n%2]
			idp.Serve(keySetURL, respond(200, keySet(k.JWK())))
			if _, err := verifier.Verify(t.Context(), scene.Token(k, "exp", never)); err != nil {
				refused++
			}
			time.Sleep(time.Second) // the bubble's clock
		}
		// The endpoints of an issuer may disagree. That costs it no more than ten fetches a minute.
		if got := idp.Count(keySetURL); got > 660 || refused == 0 {
			t.Errorf("%d fetches, %d tokens refused", got, refused)
		}
	})
}

// TestOutside has cases that testers from outside the project have found.
func TestOutside(t *testing.T) {
	t.Parallel()
	// Strangers send tokens with kids that the issuer does not have.
	next := func(n int) string { return fmt.Sprintf("kid-next-%d", n) }
	for name, test := range map[string]struct {
		every time.Duration
		kid   func(n int) string
	}{
		"a made-up kid every 30 s":         {30 * time.Second, func(n int) string { return fmt.Sprint("made up ", n) }},
		"one kid of another environment":   {time.Second, func(int) string { return "kid-staging" }},
		"kids of another environment":      {time.Second / 10, func(n int) string { return fmt.Sprint("kid-staging-", n%4) }},
		"a forged token of the known kid":  {time.Second, func(int) string { return "known" }},
		"nobody":                           {time.Hour, func(int) string { return "made up" }},
		"made-up kids and none in between": {30 * time.Second, func(n int) string { return []string{"", fmt.Sprint("made up ", n)}[n%2] }},
	} {
		for _, phase := range []time.Duration{0, time.Millisecond, 15 * time.Second, 30*time.Second - time.Millisecond} {
			bubble(t, fmt.Sprintf("B2 rotations amid %s, %v", name, phase), func(t *testing.T) {
				idp, verifier := warm(t)
				current := eddsa
				send := func(n int) {
					kid := test.kid(n)
					if kid == "known" {
						kid = current.ID
					}
					_, err := verifier.Verify(t.Context(), scene.Token(newEd25519(kid), "exp", never))
					checkError(t, err, token.ErrInvalid)
				}
				sent := 0
				strangers := func(until time.Duration) {
					for ; time.Duration(sent)*test.every+phase < until; sent++ {
						sleepUntil(max(sinceEpoch(), time.Duration(sent)*test.every+phase))
						send(sent)
					}
					sleepUntil(max(sinceEpoch(), until))
				}
				for n := range 8 {
					at := time.Duration(min(n, 6)+1)*time.Minute + time.Duration(n/7)*time.Second // two in a row
					strangers(at)
					current = newEd25519(next(n))
					rotate(t, idp, verifier, current)
				}
			})
		}
	}
	bubble(t, "B2 a spent budget", func(t *testing.T) {
		idp, verifier := warm(t)
		for n := range 5 {
			check(t, verifier, scene.Token(newEd25519(fmt.Sprint("made up ", n))), token.ErrInvalid, 0)
		}
		checkCount(t, idp, keySetURL, 6)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, respond(200, keySet(newer.JWK(), eddsa.JWK())))
		for range 30 {
			check(t, verifier, scene.Token(newer), token.ErrInvalid, 0) // and not unavailable
			check(t, verifier, scene.Token(eddsa), nil, 0)
			checkCount(t, idp, keySetURL, 6)
			time.Sleep(time.Second) // the bubble's clock
		}
		check(t, verifier, scene.Token(newer), nil, 0)
	})
	bubble(t, "B2 an endpoint that has enough of strangers", func(t *testing.T) {
		idp, verifier := warm(t)
		var last time.Duration
		idp.Serve(keySetURL, func(request *http.Request) (*http.Response, error) {
			if now := sinceEpoch(); now-last >= 10*time.Second {
				last = now
				return respond(200, keySet(eddsa.JWK()))(request)
			}
			return respond(http.StatusTooManyRequests, "")(request)
		})
		unavailable := 0
		for n := range 1200 {
			if _, err := verifier.Verify(t.Context(), scene.Token(newEd25519(fmt.Sprint("made up ", n)))); errors.Is(err, token.ErrKeysUnavailable) {
				unavailable++
			}
			check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
			time.Sleep(time.Second / 10) // the bubble's clock
		}
		if drawn := idp.Count(keySetURL) - 1; drawn > 20 || unavailable > drawn {
			t.Errorf("%d fetches, %d calls get 5xx", drawn, unavailable)
		}
	})
	bubble(t, "B2 an issuer that fails for a moment at a rotation", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, down)
		check(t, verifier, scene.Token(newer), token.ErrKeysUnavailable, 0)
		idp.Serve(keySetURL, respond(200, keySet(newer.JWK())))
		check(t, verifier, scene.Token(newer), token.ErrInvalid, 0)
		time.Sleep(time.Second) // the bubble's clock
		check(t, verifier, scene.Token(newer), nil, 0)
	})
	bubble(t, "B2 a slow endpoint, which a stranger has asked just before", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(eddsa.JWK()))))
		var stranger sync.WaitGroup
		stranger.Go(func() { check(t, verifier, scene.Token(newEd25519("made up")), token.ErrInvalid, time.Second) })
		synctest.Wait()
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(newer.JWK()))))
		var users sync.WaitGroup
		for range 100 {
			users.Go(func() { check(t, verifier, scene.Token(newer), nil, 2*time.Second) })
		}
		users.Wait()
		stranger.Wait()
		checkCount(t, idp, keySetURL, 3)
	})
	bubble(t, "B2 a stranger who does not wait", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, slow(300*time.Millisecond, respond(200, keySet(eddsa.JWK()))))
		for range 100 {
			hurried, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			_, err := verifier.Verify(hurried, scene.Token(newEd25519("made up")))
			cancel()
			checkError(t, err, token.ErrInvalid)
		}
		settle()
	})
	bubble(t, "B2 strangers share few kids", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, slow(300*time.Millisecond, respond(200, keySet(eddsa.JWK()))))
		var strangers sync.WaitGroup
		for n := range 1000 {
			strangers.Go(func() {
				_, err := verifier.Verify(t.Context(), scene.Token(newEd25519(fmt.Sprint("made up ", n%6)), "exp", never))
				checkError(t, err, token.ErrInvalid)
			})
			time.Sleep(3 * time.Millisecond) // the bubble's clock
		}
		strangers.Wait()
	})
	bubble(t, "B2 two keys of a kid in another order", func(t *testing.T) {
		one, two := newEd25519("kid"), newEd25519("kid")
		idp := newIDP(one.JWK(), two.JWK())
		verifier := newVerifier(t, idp)
		fetches := 0
		idp.Serve(keySetURL, func(request *http.Request) (*http.Response, error) {
			keys := []*key{one, two}
			if fetches++; fetches%2 == 0 {
				slices.Reverse(keys)
			}
			return respond(200, keySet(jwksOf(keys...)...))(request)
		})
		for range 600 {
			check(t, verifier, scene.Token(newEd25519("kid"), "exp", never), token.ErrInvalid, 0)
			time.Sleep(time.Second / 20) // the bubble's clock
		}
		if misses := verifier.Stats().Misses; misses != 2*600 || fetches > 3 {
			t.Errorf("%d fetches, %d signatures verified", fetches, misses)
		}
	})
	bubble(t, "B2 an absent kid draws nothing more", func(t *testing.T) {
		idp, verifier := warm(t)
		for range 29 {
			check(t, verifier, scene.Token(newEd25519("made up")), token.ErrInvalid, 0)
			time.Sleep(time.Second) // the bubble's clock
		}
		checkCount(t, idp, keySetURL, 2)
	})
	bubble(t, "B2 a guessed kid", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("2027-01")
		for range 600 {
			check(t, verifier, scene.Token(newEd25519(newer.ID), "exp", never), token.ErrInvalid, 0)
			time.Sleep(time.Second) // the bubble's clock
		}
		idp.Serve(keySetURL, respond(200, keySet(newer.JWK())))
		time.Sleep(30 * time.Second) // the bubble's clock
		check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
	})
	for name, header := range map[string][]any{"its kid": nil, "no kid": {"kid", absent{}}} {
		bubble(t, "B4 a new key under "+name, func(t *testing.T) { testReusedKid(t, header) })
	}
	bubble(t, "B4 only the call that draws the fetch waits", func(t *testing.T) {
		idp, verifier := warm(t)
		again := newEd25519(eddsa.ID)
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(again.JWK()))))
		var first sync.WaitGroup
		first.Go(func() { check(t, verifier, scene.Token(again), nil, time.Second) })
		time.Sleep(time.Second / 2) // the bubble's clock
		check(t, verifier, scene.Token(again, "jti", "another"), token.ErrInvalid, 0)
		first.Wait()
		checkCount(t, idp, keySetURL, 2)
		if idp.AtOnce() != 1 {
			t.Errorf("%d requests at once", idp.AtOnce())
		}
	})
	t.Run("B5 two keys of one kid", testTwoKeys)
	t.Run("C5 network", testNetworkTexts)
	for name, test := range texts {
		bubble(t, name, test)
	}
}

// testReusedKid has an issuer that uses the kid of its old key for a new key.
func testReusedKid(t *testing.T, header []any) {
	again := newEd25519(eddsa.ID)
	sign := func(k *key, changes ...any) string {
		return k.Mint(k.Header(header...), payload(append(changes, "exp", never)...))
	}
	idp := newIDP(eddsa.JWK(header...), es256.JWK())
	verifier := newVerifier(t, idp, token.WithSignatureLimit(1))
	check(t, verifier, sign(eddsa), nil, 0)
	time.Sleep(time.Second) // the bubble's clock
	misses := verifier.Stats().Misses

	// Its old key is still there: nothing else is fetched or verified for 1,000 forged tokens.
	for n := range 1000 {
		check(t, verifier, sign(again, "jti", n%7), token.ErrInvalid, 0)
		checkCount(t, idp, keySetURL, 2)
	}
	if got := verifier.Stats().Misses - misses; got != 1000 {
		t.Errorf("%d signatures verified", got)
	}
	time.Sleep(time.Minute) // the bubble's clock
	idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(again.JWK(header...), es256.JWK()))))
	misses = verifier.Stats().Misses
	var first sync.WaitGroup
	first.Go(func() { check(t, verifier, sign(again), nil, time.Second) })
	time.Sleep(time.Second / 2)                                            // the bubble's clock
	check(t, verifier, sign(again, "jti", "another"), token.ErrInvalid, 0) // only the first waits
	check(t, verifier, scene.Token(es256), nil, 0)                         // and takes nobody's place
	first.Wait()
	if got := verifier.Stats().Misses - misses; got != 4 {
		t.Errorf("%d signatures verified", got)
	}
	check(t, verifier, sign(again, "jti", "another"), nil, 0)
	check(t, verifier, sign(eddsa), token.ErrInvalid, time.Second) // which draws one more, that changes nothing
	check(t, verifier, sign(eddsa), token.ErrInvalid, 0)
	checkCount(t, idp, keySetURL, 4)

	// Unknown kids spend the budget of wrong signatures too.
	idp.Serve(keySetURL, respond(200, keySet(again.JWK(header...), es256.JWK())))
	for n := range 5 {
		_, err := verifier.Verify(t.Context(), scene.Token(newEd25519(fmt.Sprint("made up ", n)), "exp", never))
		checkError(t, err, token.ErrInvalid)
	}
	last := newEd25519(eddsa.ID)
	idp.Serve(keySetURL, respond(200, keySet(last.JWK(header...))))
	check(t, verifier, sign(last), token.ErrInvalid, 0)
	time.Sleep(time.Minute) // the bubble's clock
	check(t, verifier, sign(last), nil, 0)
	idp.Serve(keySetURL, down)
	check(t, verifier, sign(again, "jti", "after an outage"), token.ErrInvalid, 0) // strangers draw no 5xx
	time.Sleep(5 * time.Minute)                                                    // the bubble's clock
	check(t, verifier, sign(again, "jti", "amid an outage"), token.ErrInvalid, 0)
}

// testTwoKeys has a kid that names two keys.
func testTwoKeys(t *testing.T) {
	one, two, three := newEd25519("kid"), newEd25519("kid"), newEd25519("kid")
	otherAlg := &key{ID: "kid", Alg: "ES256", Issuer: issuerURL, Private: es256.Private}
	for _, test := range []struct {
		name         string
		jwks         []string
		good, forged []*key
		misses       uint64 // for all of these
	}{
		{"two", jwksOf(one, two), []*key{one, two}, []*key{three}, 1 + 2 + 2},
		{"the other way round", jwksOf(two, one), []*key{one, two}, []*key{three}, 2 + 1 + 2},
		{"three", jwksOf(one, two, three), []*key{one, two}, []*key{three}, 1 + 2 + 2},
		{"one twice", jwksOf(one, one, two), []*key{one, two}, []*key{three}, 1 + 2 + 2},
		{"one for encryption", []string{one.JWK("use", "enc"), two.JWK()}, []*key{two}, []*key{one}, 1 + 1},
		{"one of another type", jwksOf(otherAlg, one, two), []*key{otherAlg, one, two}, []*key{three}, 1 + 1 + 2 + 2},
		{"one that is broken", []string{one.JWK("x", "AA"), two.JWK()}, []*key{two}, []*key{one}, 1 + 1},
	} {
		bubble(t, test.name, func(t *testing.T) {
			idp := newIDP(test.jwks...)
			verifier := newVerifier(t, idp)
			for _, k := range test.good {
				raw := scene.Token(k, "exp", never)
				for range 2 { // the second time from the cache
					check(t, verifier, raw, nil, 0)
				}
			}
			for _, k := range test.forged {
				check(t, verifier, scene.Token(k, "exp", never), token.ErrInvalid, 0)
			}
			if got := verifier.Stats(); got.Misses != test.misses || got.Hits != uint64(len(test.good)) {
				t.Errorf("%+v, want %d misses", got, test.misses)
			}
			// A key that is taken out is refused, the one beside it is not.
			last := test.good[len(test.good)-1]
			idp.Serve(keySetURL, respond(200, keySet(last.JWK())))
			sleepUntil(15 * time.Minute)
			for _, k := range test.good {
				want := token.ErrInvalid
				if k == last {
					want = nil
				}
				check(t, verifier, scene.Token(k, "exp", never), want, 0)
			}
		})
	}
}

// A token with a new key that meets the regular refresh waits for it.
func TestRotationDuringRefresh(t *testing.T) {
	t.Parallel()
	bubble(t, "J14 during the refresh", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(newer.JWK(), eddsa.JWK()))))
		sleepUntil(10 * time.Minute)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		check(t, verifier, scene.Token(newer, "exp", never), nil, time.Second)
		checkCount(t, idp, keySetURL, 2)
	})
}

// A call with a new key gets ErrKeysUnavailable, and not ErrInvalid, if the regular refresh
// takes longer than the call may wait.
func TestRotationDuringSlowRefresh(t *testing.T) {
	t.Parallel()
	bubble(t, "J14 during a slow refresh", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, slow(3*time.Second, respond(200, keySet(newer.JWK(), eddsa.JWK()))))
		sleepUntil(10 * time.Minute)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		check(t, verifier, scene.Token(newer, "exp", never), token.ErrKeysUnavailable, 2*time.Second)
		settle()
		check(t, verifier, scene.Token(newer, "exp", never), nil, 0)
	})
}

// All calls may wait for the regular refresh, and calls with eleven names for the fetch that one of them has drawn.
func TestRotationToManyKeys(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]int{"during the refresh": 0, "during a drawn fetch": 1} {
		bubble(t, "J14 "+name, func(t *testing.T) {
			idp, verifier := warm(t)
			var newer []*key
			for n := range 12 {
				newer = append(newer, newEd25519("kid-newer-"+strconv.Itoa(n)))
			}
			idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(append(jwksOf(newer...), eddsa.JWK())...))))
			if refused == 0 {
				sleepUntil(10 * time.Minute)
				check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
			}
			var users sync.WaitGroup
			for n, k := range newer {
				if n == len(newer)-refused {
					check(t, verifier, scene.Token(k, "exp", never), token.ErrInvalid, 0)
					break
				}
				users.Go(func() { check(t, verifier, scene.Token(k, "exp", never), nil, time.Second) })
				synctest.Wait()
			}
			users.Wait()
			checkCount(t, idp, keySetURL, 2)
		})
	}
}

// A key name for which a drawn fetch has brought nothing may draw again when the budget is whole. A regular refresh
// does not count as such a fetch.
func TestAnsweredName(t *testing.T) {
	t.Parallel()
	newer := newEd25519("kid-newer")
	raw, published := scene.Token(newer, "exp", never), respond(200, keySet(newer.JWK(), eddsa.JWK()))
	bubble(t, "J14 the budget is whole again", func(t *testing.T) {
		idp, verifier := warm(t)
		check(t, verifier, raw, token.ErrInvalid, 0)
		idp.Serve(keySetURL, published)
		time.Sleep(30*time.Second - 1) // the bubble's clock
		check(t, verifier, raw, token.ErrInvalid, 0)
		time.Sleep(time.Nanosecond) // the bubble's clock
		check(t, verifier, raw, nil, 0)
	})
	bubble(t, "J14 after a regular refresh", func(t *testing.T) {
		idp, verifier := warm(t)
		sleepUntil(10 * time.Minute)
		check(t, verifier, raw, token.ErrInvalid, 0)
		checkCount(t, idp, keySetURL, 2)
		check(t, verifier, scene.Token(newEd25519("made up"), "exp", never), token.ErrInvalid, 0)
		idp.Serve(keySetURL, published)
		check(t, verifier, raw, nil, 0)
	})
}

// A refresh that began before the rotation is followed by another.
func TestRotationAfterRefreshBegan(t *testing.T) {
	t.Parallel()
	bubble(t, "J14 after the refresh began", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(eddsa.JWK()))))
		sleepUntil(10 * time.Minute)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		time.Sleep(time.Second / 2) // the bubble's clock
		idp.Serve(keySetURL, respond(200, keySet(newer.JWK(), eddsa.JWK())))
		check(t, verifier, scene.Token(newer, "exp", never), nil, time.Second/2)
		checkCount(t, idp, keySetURL, 3)
	})
}

// Made-up kids cost five fetches in a row and one in half a minute, and the time of few calls. Amid them
// a real rotation is picked up with the next such fetch.
func TestUnknownKeyFlood(t *testing.T) {
	t.Parallel()
	bubble(t, "J15 10,000 a second from 100 callers, and a rotation", func(t *testing.T) {
		idp, verifier := warm(t)
		newer := newEd25519("kid-newer")
		var times []time.Duration
		idp.Serve(keySetURL, recording(&times, slow(time.Second, respond(200, keySet(jwksOf(eddsa, es256)...)))))
		good, rotated := scene.Token(eddsa), scene.Token(newer)
		_, signature := tokens.CutSignature(good)
		made := func(n int) string {
			return encode([]byte(eddsa.Header("kid", "made up "+strconv.Itoa(n)))) + "." + encode([]byte(payload())) + "." + signature
		}
		var callers sync.WaitGroup
		var waited atomic.Int64
		for n := range 100 {
			callers.Go(func() {
				for m := range 350 {
					start := time.Now()
					if _, err := verifier.Verify(t.Context(), made(1000*n+m)); time.Since(start) <= time.Second {
						checkError(t, err, token.ErrInvalid) // a fetch that takes longer than a call has may bring a key
					}
					if time.Since(start) > 0 {
						waited.Add(1)
					}
					if m%25 == 0 {
						check(t, verifier, good, nil, 0)
					}
					time.Sleep(time.Second / 10) // the bubble's clock
				}
			})
		}
		sleepUntil(10 * time.Second)
		idp.Serve(keySetURL, recording(&times, slow(time.Second, respond(200, keySet(newer.JWK(), eddsa.JWK())))))
		for sinceEpoch() < 31*time.Second {
			check(t, verifier, rotated, token.ErrInvalid, 0)
			time.Sleep(time.Second / 4) // the bubble's clock
		}
		sleepUntil(32*time.Second + 1)
		check(t, verifier, rotated, nil, 0)
		callers.Wait()
		if want := []time.Duration{1, 2, 3, 4, 5, 31}; !slices.EqualFunc(times, want, func(got, want time.Duration) bool { return got.Round(time.Second) == want*time.Second }) {
			t.Errorf("fetches at %v, want %d s", times, want)
		}
		if waited.Load() > 6*11 {
			t.Errorf("%d calls waited, want the calls of eleven kids for each fetch", waited.Load())
		}
	})
}

// A kid that is unknown while the endpoint fails may be a good one.
func TestUnknownKeyWhileDown(t *testing.T) {
	t.Parallel()
	bubble(t, "J15 the endpoint fails", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(discoveryURL, down)
		newer := newEd25519("kid-newer")
		for n, pause := range []time.Duration{1, 2, 4} {
			check(t, verifier, scene.Token(newer), token.ErrKeysUnavailable, 0)
			check(t, verifier, scene.Token(newer), token.ErrInvalid, 0) // until the next fetch
			check(t, verifier, scene.Token(eddsa), nil, 0)
			time.Sleep(pause*time.Second - 1) // the bubble's clock
			check(t, verifier, scene.Token(newer), token.ErrInvalid, 0)
			checkCount(t, idp, discoveryURL, n+2)
			time.Sleep(time.Nanosecond) // the bubble's clock
		}
		idp.Serve(discoveryURL, respond(200, discovery()))
		rotate(t, idp, verifier, newer)
		check(t, verifier, scene.Token(newEd25519("made up")), token.ErrInvalid, 0)
	})
	bubble(t, "J15 another attempt hangs", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, down)
		sleepUntil(10 * time.Minute)
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		checkCount(t, idp, keySetURL, 2)
		idp.Serve(keySetURL, hang)
		time.Sleep(time.Second) // the bubble's clock
		check(t, verifier, scene.Token(eddsa, "exp", never), nil, 0)
		checkCount(t, idp, keySetURL, 3)
		check(t, verifier, scene.Token(newEd25519("kid-newer"), "exp", never), token.ErrKeysUnavailable, 0)
		settle()
	})
	bubble(t, "J15 the endpoint hangs", func(t *testing.T) { // ... or the endpoint may hang
		idp, verifier := warm(t)
		idp.Serve(keySetURL, hang)
		newer := newEd25519("kid-newer")
		check(t, verifier, scene.Token(newer), token.ErrKeysUnavailable, 2*time.Second)
		check(t, verifier, scene.Token(eddsa), nil, 0)
		check(t, verifier, scene.Token(newEd25519("kid-other")), token.ErrInvalid, 2*time.Second)
		hurried, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		_, err := verifier.Verify(hurried, scene.Token(newer))
		checkError(t, err, token.ErrInvalid) // a deadline that ends at once draws no 5xx
		if idp.AtOnce() != 1 {
			t.Errorf("%d requests at once", idp.AtOnce())
		}
		settle()
	})
}

// A token with a wrong signature draws one fetch, and a token without a key draws another.
func TestWrongSignature(t *testing.T) {
	t.Parallel()
	bubble(t, "J31 a fetch for each kid and alg in 4,000 calls", func(t *testing.T) {
		idp, verifier := warm(t)
		forger := newEd25519(eddsa.ID)
		for n, raw := range []string{
			scene.Token(forger), forger.Mint(forger.Header("kid", absent{}), payload()), scene.Token(eddsa, "exp", 1),
			foreign.Mint(foreign.Header("kid", absent{}), payload()), // no key has its alg
		} {
			for range 1000 {
				if _, err := verifier.Verify(t.Context(), raw); err == nil {
					t.Fatal("accepted")
				}
			}
			checkCount(t, idp, keySetURL, []int{2, 3, 3, 4}[n])
		}
	})
}
