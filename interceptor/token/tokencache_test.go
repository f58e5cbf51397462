package token_test

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// answering returns a function that reduces a result to its claims or its sentinel.
func answering(t *testing.T) func(claims *token.Claims, err error) any {
	return func(claims *token.Claims, err error) any {
		t.Helper()
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) {
				return sentinel
			}
		}
		if err != nil || claims == nil {
			t.Errorf("claims %v, error %v", claims, err)
		}
		return viewOf(claims)
	}
}

// TestCacheChangesNoAnswer asks a verifier with a cache and one without about every
// token, again and again while time goes by.
func TestCacheChangesNoAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		idp := newIDP(jwksOf(all...)...)
		caching, uncached := newVerifier(t, idp), newVerifier(t, idp, token.WithoutCache())
		trials := scene.Trials()
		for _, seconds := range []int{5, 300, 325, 330, 335} { // good tokens expire after 330
			trials = append(trials, tokens.Trial{
				Name: strconv.Itoa(seconds), Raw: scene.Token(eddsa, "exp", epoch+seconds-30, "nbf", epoch+1),
			})
		}
		accepted := map[time.Duration]int{}
		answer := answering(t)
		for _, at := range []time.Duration{0, 1, 2, 5, 299, 329, 330, 331, 336} {
			sleepUntil(at * time.Second)
			for _, trial := range trials {
				want := answer(caching.Verify(t.Context(), trial.Raw))
				if _, refused := want.(error); !refused {
					accepted[at]++
				}
				again := answer(caching.Verify(t.Context(), trial.Raw))
				authenticated := answer(caching.Authenticate(t.Context(), []string{"Bearer " + trial.Raw}))
				without := answer(uncached.Verify(t.Context(), trial.Raw))
				for name, got := range map[string]any{"a second time": again, "by Authenticate": authenticated, "without cache": without} {
					if !reflect.DeepEqual(got, want) {
						t.Errorf("at %v, %v: %s %v, first %v", at, trial, name, got, want)
					}
				}
			}
		}
		if accepted[0] < 20 || accepted[2] <= accepted[5] || accepted[299] <= accepted[331] || accepted[336] == 0 {
			t.Errorf("accepted %v", accepted)
		}
		if stats := caching.Stats(); stats.Hits == 0 || stats.Entries < accepted[0] {
			t.Errorf("%+v", stats)
		}
	})
}

// TestAuthenticate makes sure that Authenticate refuses what Bearer refuses, also with a cached
// token.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		_, verifier := warm(t)
		raw := scene.Token(eddsa)
		answer := answering(t)
		for _, values := range [][]string{
			nil, {}, {""}, {raw}, {"Bearer"}, {"Bearer "}, {"Bearer  " + raw}, {"bearer " + raw}, {"Bearer " + raw + " "}, {"Bearer " + raw + "="},
			{"Bearer " + raw + "," + raw}, {"Bearer " + raw, "Bearer " + raw}, {"Basic " + raw}, {"Bearer\t" + raw}, {" Bearer " + raw},
			{"Bearer " + raw + "\x00"}, {"Bearer " + encode([]byte(`{"alg":"none"}`)) + ". ,\x00.x"}, {"Bearer " + strings.Repeat("a", token.MaxBytes+1)}, {"Bearer " + strings.Repeat(" ", token.MaxBytes) + raw},
		} {
			var want any
			bearer, err := token.Bearer(values)
			if err == nil {
				want = answer(verifier.Verify(t.Context(), bearer))
			} else {
				want = answer(nil, err)
			}
			if got := answer(verifier.Authenticate(t.Context(), values)); !reflect.DeepEqual(got, want) {
				t.Errorf("%.40q: %v, want %v", values, got, want)
			}
		}
	})
}

// TestCachedKeys changes the key set after a token was verified.
func TestCachedKeys(t *testing.T) {
	t.Parallel()
	another := newEd25519(eddsa.ID)
	anonymous := eddsa.Mint(eddsa.Header("kid", absent{}), payload("exp", never))
	named := scene.Token(eddsa, "exp", never)
	for name, test := range map[string]struct {
		raw    string
		before []string
		after  []string
		want   error
	}{
		"the same":                       {named, jwksOf(eddsa), jwksOf(eddsa), nil},
		"one more, before it":            {named, jwksOf(eddsa), jwksOf(es256, eddsa), nil},
		"one less, another":              {named, jwksOf(es256, eddsa), jwksOf(eddsa), nil},
		"gone":                           {named, jwksOf(eddsa, es256), jwksOf(es256), token.ErrInvalid},
		"another with its kid":           {named, jwksOf(eddsa), jwksOf(another), token.ErrInvalid},
		"another with its kid before it": {named, jwksOf(eddsa), jwksOf(another, eddsa), nil},
		"another with its kid after it":  {named, jwksOf(eddsa), jwksOf(eddsa, another), nil},
		"another kid":                    {named, jwksOf(eddsa), []string{eddsa.JWK("kid", "renamed")}, token.ErrInvalid},
		"for encryption now":             {named, jwksOf(eddsa, es256), []string{eddsa.JWK("use", "enc"), es256.JWK()}, token.ErrInvalid},
		"without kid: the same":          {anonymous, jwksOf(eddsa), jwksOf(eddsa), nil},
		"without kid: one more":          {anonymous, jwksOf(eddsa), jwksOf(eddsa, newEd25519("one more")), token.ErrInvalid},
		"without kid: another":           {anonymous, jwksOf(eddsa), jwksOf(newEd25519("another")), token.ErrInvalid},
		"without kid: renamed":           {anonymous, jwksOf(eddsa), []string{eddsa.JWK("kid", "renamed")}, nil},
	} {
		bubble(t, name, func(t *testing.T) {
			idp := newIDP(test.before...)
			verifier, uncached := newVerifier(t, idp), newVerifier(t, idp, token.WithoutCache())
			check(t, verifier, test.raw, nil, 0)
			check(t, verifier, test.raw, nil, 0)
			if got := verifier.Stats(); got.Hits != 1 {
				t.Errorf("%+v", got)
			}
			idp.Serve(keySetURL, respond(200, keySet(test.after...)))
			sleepUntil(15 * time.Minute) // from now on calls wait for the refresh
			for range 2 {
				check(t, verifier, test.raw, test.want, 0)
				check(t, uncached, test.raw, test.want, 0)
			}
			idp.Serve(keySetURL, respond(200, keySet(test.before...)))
			sleepUntil(31 * time.Minute)
			check(t, verifier, test.raw, nil, 0)
		})
	}
	bubble(t, "J24 too old", func(t *testing.T) {
		idp, verifier := warm(t)
		raw := scene.Token(eddsa, "exp", never)
		check(t, verifier, raw, nil, 0)
		idp.Serve(keySetURL, down)
		sleepUntil(24*time.Hour - time.Second)
		check(t, verifier, raw, nil, 0)
		sleepUntil(24 * time.Hour)
		check(t, verifier, raw, token.ErrKeysUnavailable, 0)
	})
	bubble(t, "J24 too old while it waited for keys", func(t *testing.T) {
		idp, verifier := warm(t)
		raw := scene.Token(eddsa, "exp", never)
		check(t, verifier, raw, nil, 0)
		idp.Serve(discoveryURL, hang)
		sleepUntil(24*time.Hour - time.Second)
		check(t, verifier, raw, token.ErrKeysUnavailable, 2*time.Second)
		settle()
	})
	bubble(t, "expired while it waited for keys", func(t *testing.T) {
		idp, verifier := warm(t)
		raw := scene.Token(eddsa, "exp", int64(epoch+15*60+1-30))
		check(t, verifier, raw, nil, 0)
		idp.Serve(discoveryURL, slow(3*time.Second/2, respond(200, discovery())))
		sleepUntil(15 * time.Minute)
		check(t, verifier, raw, token.ErrExpired, 3*time.Second/2)
	})
	bubble(t, "J12 refreshed by those whose token is cached", func(t *testing.T) {
		idp, verifier := warm(t)
		raw := scene.Token(eddsa, "exp", never)
		check(t, verifier, raw, nil, 0)
		sleepUntil(10*time.Minute - time.Second)
		check(t, verifier, raw, nil, 0)
		checkCount(t, idp, keySetURL, 1)
		sleepUntil(10 * time.Minute)
		check(t, verifier, raw, nil, 0)
		checkCount(t, idp, keySetURL, 2)
	})
}

// TestRemovedKey has many callers while the key of their token is taken out of the key set.
func TestRemovedKey(t *testing.T) {
	t.Parallel()
	bubble(t, "J12", func(t *testing.T) {
		idp := newIDP(jwksOf(eddsa, es256)...)
		var removed, done atomic.Bool
		verifier := newVerifier(t, idp, token.WithKeySetObserver(func(event token.KeySetEvent) {
			if event.Keys == 1 {
				removed.Store(true)
			}
		}))
		raw := scene.Token(eddsa, "exp", never)
		check(t, verifier, raw, nil, 0)
		var before, after atomic.Int64
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				for !done.Load() {
					late := removed.Load()
					switch _, err := verifier.Verify(t.Context(), raw); {
					case err == nil && !late:
						before.Add(1)
					case err == nil:
						t.Error("accepted after the refresh")
					case late:
						after.Add(1)
					}
					time.Sleep(time.Second) // the bubble's clock
				}
			})
		}
		idp.Serve(keySetURL, slow(time.Second, respond(200, keySet(es256.JWK()))))
		sleepUntil(9 * time.Minute)
		if got := verifier.Stats(); removed.Load() || before.Load() == 0 || got.Misses != 1 {
			t.Errorf("removed %t, accepted %d, %+v", removed.Load(), before.Load(), got)
		}
		sleepUntil(11 * time.Minute)
		if !removed.Load() || before.Load() == 0 || after.Load() == 0 {
			t.Errorf("removed %t, accepted %d, refused %d", removed.Load(), before.Load(), after.Load())
		}
		done.Store(true)
		callers.Wait()
		settle()
	})
}

func TestCacheSize(t *testing.T) {
	t.Parallel()
	tokens := make([]string, 50)
	for n := range tokens {
		tokens[n] = scene.Token(eddsa, "exp", never, "jti", strconv.Itoa(n))
	}
	for name, test := range map[string]struct {
		option token.Option
		want   token.Stats
	}{
		"default": {token.WithLeeway(0), token.Stats{Hits: 149, Misses: 50, Entries: 50}},
		"enough":  {token.WithCache(50), token.Stats{Hits: 149, Misses: 50, Entries: 50}},
		// All have left by the time they come again, but for the one in use.
		"few":  {token.WithCache(10), token.Stats{Hits: 100, Misses: 99, Entries: 10, Evictions: 89}},
		"none": {token.WithoutCache(), token.Stats{Misses: 199}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verifier := newVerifier(t, newIDP(jwksOf(all...)...), test.option)
			verify := func(raw string) {
				if _, err := verifier.Verify(t.Context(), raw); err != nil {
					t.Fatal(err)
				}
			}
			verify(tokens[0])
			for range 2 {
				for _, raw := range tokens[1:] {
					verify(tokens[0])
					verify(raw)
				}
			}
			for range 2 {
				verify(tokens[0])
			}
			if got := verifier.Stats(); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// TestCachedSize makes sure that a token takes what [token.WithCache] documents, and that the cache does
// not keep alive the text that held the token.
//
// The test is not parallel: memory of other tests would count.
func TestCachedSize(t *testing.T) { //nolint:paralleltest // memory is counted for the whole process
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // pools keep what they hold for one
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	scopes := func(n, digits int) (text string) {
		for k := range n {
			text += fmt.Sprintf(" read:%0*d", digits, k)
		}
		return text[1:]
	}
	for _, test := range []struct {
		name   string
		change [2]string // of the payload
		size   int       // of the token, at least
		most   int       // that the token takes, its size included
	}{
		{"700 bytes", [2]string{"pad", strings.Repeat("p", 250)}, 700, 700 + 800},
		{"16 KiB", [2]string{"pad", strings.Repeat("p", 11_500)}, 15_500, 17_500},
		{"110 scopes", [2]string{"scope", scopes(110, 5)}, 1_900, 1_900 + 800 + 100*50},
		{"16 KiB of 300 scopes", [2]string{"scope", scopes(300, 33)}, 15_500, 40_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			verifier := newVerifier(t, newIDP(jwksOf(eddsa)...))
			verify := func(n int) int {
				raw := scene.Token(eddsa, "exp", never, "jti", strconv.Itoa(n), test.change[0], test.change[1])
				part := (strings.Repeat("x", 32<<10) + raw)[32<<10:]
				if _, err := verifier.Verify(t.Context(), part); err != nil {
					t.Fatal(err)
				}
				return len(part)
			}
			size := verify(0)
			before := heap()
			const tokens = 1000
			for n := range tokens {
				verify(n + 1)
			}
			each := int(heap()-before) / tokens
			if size < test.size || each < size || each > test.most {
				t.Errorf("a token of %d bytes takes %d", size, each)
			}
			if got := verifier.Stats(); got.Entries != tokens+1 {
				t.Errorf("%+v", got)
			}
		})
	}
}
