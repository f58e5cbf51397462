package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A ledger is an issuer that knows which tokens are active.
type ledger struct {
	active sync.Map
	exp    int64 // of active tokens, or 0 for none
	delay  time.Duration

	fakeIssuer
	running, peak atomic.Int64
	times         []time.Time // of requests
	noting        sync.Mutex
}

func newLedger(active ...string) *ledger {
	l := new(ledger)
	for _, raw := range active {
		l.active.Store(raw, true)
	}
	l.answer = func(form url.Values) (*http.Response, error) {
		l.noting.Lock()
		l.times = append(l.times, time.Now()) // the bubble's clock
		l.noting.Unlock()
		l.peak.Store(max(l.peak.Load(), l.running.Add(1)))
		defer l.running.Add(-1)
		if l.delay > 0 {
			time.Sleep(l.delay) // the bubble's clock
		}
		switch _, ok := l.active.Load(form.Get("token")); {
		case !ok:
			return says(inactive)(form)
		case l.exp > 0:
			return says(saying("exp", l.exp))(form)
		default:
			return says(saying())(form)
		}
	}
	return l
}

// expect verifies a token, and compares the error and the number of requests so far.
func expect(t testing.TB, introspector *token.Introspector, l *ledger, raw string, want error, requests int) {
	t.Helper()
	_, err := introspector.Verify(t.Context(), raw)
	checkError(t, err, want)
	if n := l.count(); n != requests {
		t.Errorf("%d requests, want %d", n, requests)
	}
}

// TestAnswerAge makes sure how long answers are good.
func TestAnswerAge(t *testing.T) {
	t.Parallel()
	for _, maxAge := range []time.Duration{0, time.Second, 10 * time.Minute, time.Hour} {
		for _, exp := range []int64{0, epoch + 100_000} {
			t.Run(fmt.Sprint(maxAge, exp), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					l := newLedger(opaqueToken)
					l.exp = exp
					introspector := newIntrospector(t, l, token.Introspection{MaxAge: maxAge})
					age := maxAge
					if age == 0 {
						age = time.Minute
					}
					claims, err := introspector.Verify(t.Context(), opaqueToken)
					if err != nil || !claims.Deadline().Equal(time.Now().Add(age)) {
						t.Errorf("the deadline is %v, %v", claims.Deadline(), err)
					}
					// The last tenth is for calls that have begun.
					time.Sleep(age/10*9 - 1) // the bubble's clock
					expect(t, introspector, l, opaqueToken, nil, 1)
					time.Sleep(time.Nanosecond) // the bubble's clock
					expect(t, introspector, l, opaqueToken, nil, 2)
					l.active.Delete(opaqueToken)
					time.Sleep(age/10*9 - 1) // the bubble's clock
					expect(t, introspector, l, opaqueToken, nil, 2)
					time.Sleep(time.Nanosecond) // the bubble's clock
					expect(t, introspector, l, opaqueToken, token.ErrInvalid, 3)
					time.Sleep(10*time.Second - 1) // the bubble's clock
					expect(t, introspector, l, opaqueToken, token.ErrInvalid, 3)
					time.Sleep(time.Nanosecond) // the bubble's clock
					l.active.Store(opaqueToken, true)
					expect(t, introspector, l, opaqueToken, nil, 4)
				})
			})
		}
	}
}

// TestAnswerExpiry makes sure that an answer is not used beyond the `exp` that it tells, and that an expired token
// draws no more requests.
func TestAnswerExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(opaqueToken)
		l.exp = epoch + 10
		introspector := newIntrospector(t, l, token.Introspection{}, token.WithLeeway(5*time.Second))
		for time.Now().Unix() < epoch+15 {
			_, err := introspector.Verify(t.Context(), opaqueToken)
			checkError(t, err, nil)
			time.Sleep(100 * time.Millisecond) // the bubble's clock
		}
		requests := l.count()
		if requests > 10 {
			t.Errorf("%d requests in 15 seconds", requests)
		}
		for range 100 {
			expect(t, introspector, l, opaqueToken, token.ErrExpired, requests)
			time.Sleep(time.Second) // the bubble's clock
		}
	})
}

// TestOneRequest makes sure that calls with one token share a request, and that a call that ends early takes nothing
// from the others.
func TestOneRequest(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]error{opaqueToken: nil, "unknown": token.ErrInvalid} {
		synctest.Test(t, func(t *testing.T) {
			l := newLedger(opaqueToken)
			l.delay = time.Second
			introspector := newIntrospector(t, l, token.Introspection{})
			ctx, cancel := context.WithCancel(t.Context())
			var calls sync.WaitGroup
			calls.Go(func() {
				_, err := introspector.Verify(ctx, raw)
				checkError(t, err, token.ErrVerifierUnavailable)
			})
			synctest.Wait() // the first call has begun
			for range 999 {
				calls.Go(func() {
					_, err := introspector.Verify(t.Context(), raw)
					checkError(t, err, want)
				})
			}
			time.Sleep(time.Millisecond) // the bubble's clock
			cancel()
			calls.Wait()
			if n := l.count(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestMadeUp makes sure that made-up tokens draw a bounded number of requests, and push out nothing that is good.
func TestMadeUp(t *testing.T) {
	t.Parallel()
	for limit, perSecond := range map[int]int{0: 50, 3: 3, 1: 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(opaqueToken)
				l.delay = 300 * time.Millisecond
				introspector := newIntrospector(t, l, token.Introspection{Limit: limit})
				expect(t, introspector, l, opaqueToken, nil, 1)
				var calls sync.WaitGroup
				var busy atomic.Int64
				start := time.Now()
				for n := range 10_000 {
					calls.Go(func() {
						_, err := introspector.Verify(t.Context(), madeUp())
						if errors.Is(err, token.ErrBusy) {
							busy.Add(1)
							checkError(t, err, token.ErrBusy)
						} else {
							checkError(t, err, token.ErrInvalid)
						}
					})
					if n%10 == 9 {
						time.Sleep(10 * time.Millisecond) // the bubble's clock
					}
				}
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("the flood takes %v", took)
				}
				calls.Wait()
				requests := l.count() - 1
				if requests > 10*perSecond || requests < 10*perSecond-1 || requests+int(busy.Load()) != 10_000 {
					t.Errorf("%d requests, %d busy", requests, busy.Load())
				}
				for n := perSecond; n < len(l.times); n++ {
					if apart := l.times[n].Sub(l.times[n-perSecond]); apart < time.Second {
						t.Errorf("request %d comes %v after the %dth before it", n, apart, perSecond)
					}
				}
				expect(t, introspector, l, opaqueToken, nil, requests+1)
			})
		})
	}
}

// TestWindow makes sure that a token beyond the limit is asked for a second after the one that it was too soon for.
func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger("b", "c")
		introspector := newIntrospector(t, l, token.Introspection{Limit: 1})
		expect(t, introspector, l, "a", token.ErrInvalid, 1)
		expect(t, introspector, l, "b", token.ErrBusy, 1)
		time.Sleep(time.Second - 1) // the bubble's clock
		expect(t, introspector, l, "b", token.ErrBusy, 1)
		time.Sleep(time.Nanosecond) // the bubble's clock
		expect(t, introspector, l, "b", nil, 2)
		expect(t, introspector, l, "c", token.ErrBusy, 2)
	})
}

// TestNoEviction makes sure that refusals push out no answer about a good token.
func TestNoEviction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var good []string
		for n := range 10 {
			good = append(good, fmt.Sprint("good", n))
		}
		l := newLedger(good...)
		introspector := newIntrospector(t, l, token.Introspection{Limit: 100_000, MaxAge: time.Hour}, token.WithCache(len(good)))
		for n, raw := range good {
			expect(t, introspector, l, raw, nil, n+1)
		}
		time.Sleep(time.Second) // the bubble's clock
		const flood = 20_000    // twenty times as many as refusals are kept
		for n := range flood {
			if _, err := introspector.Verify(t.Context(), fmt.Sprint("made-up-", n)); !errors.Is(err, token.ErrInvalid) {
				t.Fatal(err)
			}
		}
		for _, raw := range good {
			expect(t, introspector, l, raw, nil, len(good)+flood)
		}
	})
}

// TestSmallCache makes sure that a token that was pushed out is asked for again.
func TestSmallCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger("a", "b", "c")
		introspector := newIntrospector(t, l, token.Introspection{}, token.WithCache(1))
		for n := range 9 {
			claims, err := introspector.Verify(t.Context(), []string{"a", "b", "c"}[n%3])
			if err != nil || claims.Subject() != "user_1" {
				t.Errorf("%v, %v", claims, err)
			}
		}
		if n := l.count(); n != 9 {
			t.Errorf("%d requests, want 9", n)
		}
	})
}

// TestKnownTokens makes sure that a token that was active is asked for in spite of a flood, until it is withdrawn.
func TestKnownTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger("a", "b")
		introspector := newIntrospector(t, l, token.Introspection{Limit: 2})
		requests := 0
		flood := func() {
			t.Helper()
			for range 2 {
				requests++
				expect(t, introspector, l, madeUp(), token.ErrInvalid, requests)
			}
			expect(t, introspector, l, madeUp(), token.ErrBusy, requests)
		}
		for _, raw := range []string{"a", "b"} {
			requests++
			expect(t, introspector, l, raw, nil, requests)
		}
		for range 3 {
			time.Sleep(2 * time.Minute) // the bubble's clock
			flood()
			requests++
			expect(t, introspector, l, "a", nil, requests)
		}
		l.active.Delete("a")
		time.Sleep(2 * time.Minute) // the bubble's clock
		flood()
		requests++
		expect(t, introspector, l, "a", token.ErrInvalid, requests) // at once
		requests++
		expect(t, introspector, l, "b", nil, requests)
		time.Sleep(10 * time.Second) // the bubble's clock
		flood()
		expect(t, introspector, l, "a", token.ErrBusy, requests) // no longer known
		expect(t, introspector, l, "b", nil, requests)
	})
}

// TestKnownAtOnce makes sure that at most a hundred known tokens are asked for at once, that the others wait, and that
// tokens that are not known do not.
func TestKnownAtOnce(t *testing.T) {
	t.Parallel()
	const known = 250
	var waited atomic.Int64 // calls that were told that others are asked for
	all := func(t *testing.T, introspector *token.Introspector) (errs [2]int) {
		t.Helper()
		var calls sync.WaitGroup
		var failed atomic.Int64
		waited.Store(0)
		for n := range known {
			calls.Go(func() {
				if _, err := introspector.Verify(t.Context(), fmt.Sprint("known", n)); err != nil {
					checkError(t, err, token.ErrVerifierUnavailable)
					failed.Add(1)
					if strings.HasSuffix(err.Error(), "too many requests are under way: the endpoint is too slow for the tokens in use") {
						waited.Add(1)
					}
				}
			})
		}
		calls.Wait()
		return [2]int{known - int(failed.Load()), int(failed.Load())}
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLedger("new")
		for n := range known {
			l.active.Store(fmt.Sprint("known", n), true)
		}
		introspector := newIntrospector(t, l, token.Introspection{Limit: 1000})
		if got := all(t, introspector); got != [2]int{known, 0} {
			t.Errorf("first %v", got)
		}
		time.Sleep(time.Minute) // the bubble's clock
		l.peak.Store(0)
		l.delay = 500 * time.Millisecond
		if got := all(t, introspector); got != [2]int{known, 0} || l.peak.Load() != 100 {
			t.Errorf("%v, %d at once", got, l.peak.Load())
		}
		time.Sleep(time.Minute)   // the bubble's clock
		l.delay = 6 * time.Second // longer than a flight takes
		before := l.count()
		if got := all(t, introspector); got != [2]int{0, known} || l.count() != before+100 {
			t.Errorf("while it hangs %v, %d requests", got, l.count()-before)
		}
		l.delay = 0
		if _, err := introspector.Verify(t.Context(), "new"); err != nil {
			t.Errorf("a new token waits: %v", err)
		}
		for n, told := range []int64{0, known - 100} { // from the second second to the fifth
			if _ = all(t, introspector); waited.Load() != told {
				t.Errorf("%d: %d calls know that others are asked for, want %d", n, waited.Load(), told)
			}
		}
		time.Sleep(10 * time.Second) // the bubble's clock
		if got := all(t, introspector); got != [2]int{known, 0} {
			t.Errorf("afterwards %v", got)
		}
	})
}

// TestRawNotKept makes sure that an Introspector keeps no token in memory, whatever the issuer says.
func TestRawNotKept(t *testing.T) { //nolint:paralleltest // it searches the memory of the process
	const mark = "NOTKEPT"
	l := tokens.Handler(func(r *http.Request) (*http.Response, error) {
		form, err := io.ReadAll(r.Body)
		switch {
		case bytes.Contains(form, []byte("good")):
			return respond(200, saying())(r)
		case bytes.Contains(form, []byte("bad")):
			return respond(200, inactive)(r)
		}
		return nil, errors.Join(err, errors.New("down"))
	})
	introspector := newIntrospector(t, l, token.Introspection{})
	verify := func(kind string) string {
		raw := strings.ToLower(mark) + kind + strings.Repeat("x", 64)
		raw = strings.Replace(raw, strings.ToLower(mark), strings.ToUpper(mark[:3])+mark[3:], 1)
		_, _ = introspector.Verify(t.Context(), raw)
		return raw
	}
	for _, kind := range []string{"good", "bad", "down"} {
		verify(kind)
	}
	kept := verify("control")
	for name, found := range map[string]bool{"good": false, "bad": false, "down": false, "control": true} {
		if got := bytes.Contains(heap(t), []byte(mark+name+"xxxx")); got != found {
			t.Errorf("the memory holds the token %q: %t", name, got)
		}
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(introspector)
}

// heap returns the memory of the process.
func heap(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "heap")
	file := must(os.Create(name))
	for range 3 {
		runtime.GC()
	}
	debug.WriteHeapDump(file.Fd())
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return must(os.ReadFile(name))
}

// TestFailingEndpoint makes sure that calls with known tokens do not flood an endpoint that fails at once, that the
// first success ends the bound, and that a made-up token that fails does not begin the bound.
func TestFailingEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fails, slow atomic.Bool
		endpoint := &fakeIssuer{answer: func(form url.Values) (*http.Response, error) {
			if fails.Load() || strings.HasPrefix(form.Get("token"), "made-up") {
				return answers(500, "")(form)
			}
			if slow.Load() {
				time.Sleep(time.Second) // the bubble's clock
			}
			return says(saying())(form)
		}}
		introspector := newIntrospector(t, endpoint, token.Introspection{Limit: 3})
		ask := func(raw string) error {
			_, err := introspector.Verify(t.Context(), raw)
			return err
		}
		known := []string{"a", "b", "c"}
		again := func(want error) (requests int) {
			t.Helper()
			time.Sleep(2 * time.Minute) // the bubble's clock
			before := endpoint.count()
			for range 100 {
				for _, raw := range known {
					if err := ask(raw); want == nil && err != nil || want != nil && !errors.Is(err, want) {
						t.Fatal(err)
					}
				}
			}
			return endpoint.count() - before
		}
		for _, raw := range known {
			if err := ask(raw); err != nil {
				t.Fatal(err)
			}
		}
		fails.Store(true)
		if requests := again(token.ErrVerifierUnavailable); requests != 4 { // the first failure, and three in the second
			t.Errorf("%d requests at an endpoint that fails", requests)
		}
		if before := endpoint.count(); !errors.Is(ask("new"), token.ErrVerifierUnavailable) || endpoint.count() != before+1 {
			t.Error("a new token is not asked for")
		}
		fails.Store(false)
		if requests := again(nil); requests != len(known) {
			t.Errorf("%d requests at an endpoint that works again", requests)
		}
		known = append(known, "d", "e")
		time.Sleep(time.Second) // the bubble's clock
		for _, raw := range known[3:] {
			if err := ask(raw); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute) // the bubble's clock
		if err := ask("made-up"); !errors.Is(err, token.ErrVerifierUnavailable) {
			t.Error(err)
		}
		slow.Store(true)
		var calls sync.WaitGroup
		for _, raw := range known {
			calls.Go(func() {
				if err := ask(raw); err != nil {
					t.Errorf("%s, after a made-up token has failed: %v", raw, err)
				}
			})
		}
		calls.Wait()
	})
}
