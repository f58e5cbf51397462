package token

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// An outcome is how a call of acquire ended.
type outcome struct {
	took time.Duration
	err  error
}

func acquire(ctx context.Context, l *limiter) outcome {
	start := time.Now()
	err := l.acquire(ctx)
	return outcome{time.Since(start), err}
}

// TestQueue makes sure that slots come in the order in which they were asked for.
func TestQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2)
		for range 2 {
			if err := l.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var order []int
		for n := range 5 {
			go func() {
				if err := l.acquire(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, n)
			}()
			synctest.Wait()
		}
		for range 5 {
			time.Sleep(100 * time.Millisecond) // the bubble's clock
			l.release(0, nil)
			synctest.Wait()
		}
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order, want) {
			t.Errorf("slots came as %d", order)
		}
		if busy, waiting := l.busy.Load(), l.waiting.Load(); busy != 0 || waiting != 0 {
			t.Errorf("%d refused, %d wait", busy, waiting)
		}
	})
}

func TestBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		if err := l.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		outcomes := make([]outcome, maxQueue)
		for n := range outcomes[1:] {
			waiting.Go(func() { outcomes[n+1] = acquire(t.Context(), l) })
		}
		left, leave := context.WithTimeout(t.Context(), maxSlotWait/4)
		defer leave()
		waiting.Go(func() { outcomes[0] = acquire(left, l) })
		synctest.Wait()

		if one := acquire(t.Context(), l); !errors.Is(one.err, ErrBusy) || one.took != 0 {
			t.Errorf("behind a full queue: %v after %v", one.err, one.took)
		}
		waiting.Wait()
		for n, got := range outcomes {
			want := maxSlotWait
			if n == 0 {
				want = maxSlotWait / 4
			}
			if !errors.Is(got.err, ErrBusy) || got.took != want {
				t.Fatalf("%d: %v after %v, want %v", n, got.err, got.took, want)
			}
		}
		if busy := l.busy.Load(); busy != maxQueue { // those who left do not count
			t.Errorf("%d refused", busy)
		}

		// Nobody who has left holds a slot or a place in the queue.
		l.release(0, nil)
		if one := acquire(t.Context(), l); one.err != nil || one.took != 0 {
			t.Errorf("afterwards: %v after %v", one.err, one.took)
		}
	})
}

// TestForgedTokenRests makes sure that each forged token adds its rest, and that good tokens add none. In a
// bubble a signature would cost no time.
func TestForgedTokenRests(t *testing.T) {
	t.Parallel()
	verifier, err := NewVerifier(Issuer{URL: tokens.I1.URL, Algorithms: []string{"ES512"}, ScopeClaims: []string{"scope"}},
		WithTransport(tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)), WithSignatureLimit(1), WithoutCache())
	if err != nil {
		t.Fatal(err)
	}
	scene := tokens.Scene{Now: time.Now().Unix()}
	const cost = time.Microsecond // a signature takes longer
	check := func(raw string, wantErr error, want time.Duration) {
		t.Helper()
		_, err := verifier.Verify(t.Context(), raw)
		if due := time.Duration(verifier.limit.due.Load()); !errors.Is(err, wantErr) || due != want {
			t.Fatalf("%v, and a rest of %v is due, want %v, and %v", err, due, wantErr, want)
		}
	}
	for range 3 {
		check(scene.Token(tokens.I1.ES512), nil, 0)
	}
	keys := verifier.issuers[tokens.I1.URL].keys.current.Load()
	for _, key := range keys.find(keyName{tokens.I1.ES512.ID, "ES512"}) {
		key.fastest.Store(int64(cost))
	}
	forged := tokens.I2.ES512.Mint(tokens.I1.ES512.Header(), scene.Payload(tokens.I1.URL))
	for n := range time.Duration(100) {
		check(forged, ErrInvalid, (n+1)*restFactor*cost)
	}
	check(scene.Token(tokens.I1.ES512), nil, 100*restFactor*cost)
}

// TestRest makes sure that forged tokens get a tenth of a slot's time, and that other tokens
// cause no rest.
func TestRest(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		err  error
		cost time.Duration
		want time.Duration // of 100 calls
	}{
		"good":               {nil, 4 * time.Millisecond, 400 * time.Millisecond},
		"refused unverified": {refused, 0, 400 * time.Millisecond},
		"forged":             {refused, 4 * time.Millisecond, 4000 * time.Millisecond},
		"forged, cheap":      {refused, 2 * time.Microsecond, 400 * time.Millisecond},
		"forged, on average": {refused, time.Millisecond / 2, 850 * time.Millisecond},
		"the longest rest":   {refused, time.Hour, 5400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(1)
				start := time.Now()
				for range 100 {
					if err := l.acquire(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(4 * time.Millisecond) // the bubble's clock
					l.release(test.cost, test.err)
				}
				if next := acquire(t.Context(), l); next.err != nil || time.Since(start) != test.want {
					t.Errorf("the next slot: %v after %v, want %v", next.err, time.Since(start), test.want)
				}
			})
		})
	}
}

func keyOf(k *tokens.Key) *publicKey {
	return &publicKey{Key: jose.Key{Public: k.Private.Public()}}
}

// TestCost makes sure that the cost of a verification contains no wait for a processor, and
// that bad signatures do not lower it.
func TestCost(t *testing.T) {
	t.Parallel()
	key := keyOf(tokens.I1.EdDSA)
	for _, test := range []struct {
		took time.Duration
		good bool
		want time.Duration
	}{{9, false, 9}, {5, true, 5}, {9, true, 5}, {9, false, 5}, {1, false, 1}, {9, false, 5}, {4, true, 4}, {100, true, 4}} {
		if got := key.cost(test.took, test.good); got != test.want {
			t.Errorf("%d after %d, good %t: want %d", got, test.took, test.good, test.want)
		}
	}
	other, otherAlgorithm := keyOf(tokens.I2.EdDSA), keyOf(tokens.I1.EdDSA)
	otherAlgorithm.Algorithm = "other"
	for _, k := range []*publicKey{other, otherAlgorithm} {
		k.cost(4, true)
	}
	for _, test := range []struct {
		before *publicKey
		want   time.Duration
	}{{key, 4}, {other, 50}, {otherAlgorithm, 50}} {
		refreshed := &publicKey{Key: key.Key}
		(&keySet{keys: []*publicKey{refreshed}}).inherit(&keySet{keys: []*publicKey{test.before}})
		if got := refreshed.cost(50, false); got != test.want {
			t.Errorf("%d after a refresh, want %d", got, test.want)
		}
	}
}

// TestWaitedTooLong makes sure that a token is refused if its validity ends while its call waits
// for a slot.
func TestWaitedTooLong(t *testing.T) {
	t.Parallel()
	eddsa, es256 := tokens.I1.EdDSA, tokens.I1.ES256
	down := tokens.Respond(503, "")
	for name, test := range map[string]struct {
		moment  time.Duration
		expires bool          // at the moment
		keys    []*tokens.Key // of the key set that comes at the moment
		down    bool
		want    error
	}{
		"good":             {moment: softAge, keys: []*tokens.Key{eddsa}},
		"expired":          {moment: softAge, expires: true, want: ErrExpired},
		"its key is gone":  {moment: softAge, keys: []*tokens.Key{es256}, want: ErrInvalid},
		"another key came": {moment: softAge, keys: []*tokens.Key{es256, eddsa}},
		"J24 keys too old": {moment: maxStale, down: true, want: ErrKeysUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				moment := time.Now().Add(test.moment)
				scene := tokens.Scene{Now: moment.Unix()}
				raw := scene.Token(eddsa)
				if test.expires {
					raw = scene.Token(eddsa, "exp", moment.Add(-defaultLeeway).Unix())
				}
				idp := tokens.NewIDP(tokens.JWKs(eddsa)...)
				v := limited(t, WithTransport(idp))
				if err := v.Ready(t.Context()); err != nil {
					t.Fatal(err)
				}
				if test.down {
					idp.Serve(tokens.I1.DiscoveryURL(), down)
				}
				time.Sleep(time.Until(moment) - time.Second/2) // the bubble's clock
				if err := v.limit.acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
				var err error
				var waiting sync.WaitGroup
				waiting.Go(func() { _, err = v.Verify(t.Context(), raw) })
				time.Sleep(time.Until(moment)) // the bubble's clock
				if test.keys != nil {
					idp.ServeIssuer(tokens.I1, tokens.JWKs(test.keys...)...)
					if err := v.Ready(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Second / 4) // the bubble's clock
				v.limit.release(0, nil)
				waiting.Wait()
				if !errors.Is(err, test.want) || errors.Is(err, errSignature) {
					t.Errorf("%v, want %v", err, test.want)
				}
				if misses := v.Stats().Misses; (misses == 0) != (test.want != nil) { // no other key is tried
					t.Errorf("%d signatures were verified, and then %v", misses, err)
				}
			})
		})
	}
}

// limited returns a verifier of one signature at once.
func limited(t *testing.T, opts ...Option) *Verifier {
	t.Helper()
	issuer := Logto(tokens.I1.URL)
	issuer.Algorithms = tokens.Algorithms()
	idp := tokens.NewIDP(tokens.JWKs(tokens.I1.Keys()...)...)
	v, err := NewVerifier(issuer, append([]Option{WithTransport(idp), WithSignatureLimit(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWhoWaits makes sure that during a flood only calls wait whose signature must be verified.
func TestWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		scene := tokens.Scene{Now: time.Now().Unix(), Leeway: 30}
		eddsa := tokens.I1.EdDSA
		known, unknown := scene.Token(eddsa), scene.Token(eddsa, "jti", "another")
		v := limited(t)
		if _, err := v.Verify(t.Context(), known); err != nil {
			t.Fatal(err)
		}
		if err := v.limit.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			name, raw string
			want      error
			took      time.Duration
		}{
			{"cached", known, nil, 0},
			{"not cached", unknown, ErrBusy, maxSlotWait},
			{"forged", scene.Token(tokens.I2.EdDSA, "iss", tokens.I1.URL), ErrBusy, maxSlotWait},
			{"malformed", "a.b.c", ErrMalformed, 0},
			{"another issuer", scene.Token(eddsa, "iss", tokens.I2.URL), ErrInvalid, 0},
			{"expired", scene.Token(eddsa, "exp", scene.Now-30), ErrExpired, 0},
			{"not valid yet", scene.Token(eddsa, "nbf", scene.Now+60), ErrNotYetValid, 0},
			{"unknown kid", eddsa.Mint(eddsa.Header("kid", "unknown"), scene.Payload(tokens.I1.URL)), ErrInvalid, 0},
		} {
			start := time.Now()
			_, err := v.Verify(t.Context(), test.raw)
			if took := time.Since(start); !errors.Is(err, test.want) || took != test.took {
				t.Errorf("%s: %v after %v, want %v after %v", test.name, err, took, test.want, test.took)
			}
		}
		if got := v.Stats().Busy; got != 2 {
			t.Errorf("%d refused", got)
		}
		v.limit.release(0, nil)
		if _, err := v.Verify(t.Context(), unknown); err != nil {
			t.Error(err)
		}
	})
}

// TestWarmHerd makes sure that a token of many calls at once is verified once.
func TestWarmHerd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := limited(t)
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.limit.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		scene := tokens.Scene{Now: time.Now().Unix()}
		raw := scene.Token(tokens.I1.EdDSA)
		var herd sync.WaitGroup
		for range 100 {
			herd.Go(func() {
				if _, err := v.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		v.limit.release(0, nil)
		herd.Wait()
		if got, want := v.Stats(), (Stats{Hits: 99, Misses: 1, Entries: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// TestSlots makes sure that honest tokens get all slots, and forged ones a tenth of their time.
func TestSlots(t *testing.T) {
	t.Parallel()
	const cost = 2 * time.Millisecond
	for _, slots := range []int{1, 2, 3, 64} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter(slots)
			const rounds = 30
			run := func(verdict error) float64 {
				start := time.Now()
				var calls sync.WaitGroup
				for range rounds * slots {
					calls.Go(func() {
						if l.acquire(t.Context()) == nil {
							time.Sleep(cost) // the bubble's clock
							l.release(cost, verdict)
						}
					})
				}
				calls.Wait()
				for range slots { // until none rests
					if err := l.acquire(t.Context()); err != nil {
						t.Error(err)
					}
				}
				defer func() {
					for range slots {
						l.release(0, nil)
					}
				}()
				return float64(rounds*cost) / float64(time.Since(start))
			}
			for _, verdict := range []error{nil, ErrInvalid, nil} {
				want := 1.
				if verdict != nil {
					want = 1. / 10
				}
				if got := run(verdict); got != want {
					t.Errorf("%d slots: calls that end with %v get %v of their time, want %v", slots, verdict, got, want)
				}
			}
		})
	}
}

// TestDefaultLimit makes sure that a verifier has a slot for each processor unless it is given a limit.
func TestDefaultLimit(t *testing.T) {
	t.Parallel()
	for want, opts := range map[int][]Option{runtime.GOMAXPROCS(0): nil, 100: {WithSignatureLimit(100)}} {
		v, err := NewVerifier(Logto(tokens.I1.URL), opts...)
		if err != nil || cap(v.limit.slots) != want {
			t.Errorf("%v, want %d slots", err, want)
		}
	}
}

// TestCostOfCandidates makes sure that a forged token rests for every key that was tried.
func TestCostOfCandidates(t *testing.T) {
	t.Parallel()
	forged, err := jose.ParseJWS(tokens.Scene{}.Token(tokens.I1.EdDSA))
	if err != nil {
		t.Fatal(err)
	}
	candidates := []*publicKey{keyOf(tokens.NewEd25519("a")), keyOf(tokens.NewEd25519("b"))}
	for _, key := range candidates {
		key.fastest.Store(1)
	}
	v := new(Verifier)
	if signer, cost, err := v.signer(&forged, issuedBy{}, candidates); signer != nil || cost != 2 || !errors.Is(err, errSignature) || v.misses.Load() != 2 {
		t.Errorf("it costs %d for %d keys, %v", cost, v.misses.Load(), err)
	}
}
