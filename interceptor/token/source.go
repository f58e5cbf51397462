package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How keys are kept. Each bound closes a way to starve or to poison the key set.
const (
	softAge     = 10 * time.Minute // from this age on refreshed in the background
	hardAge     = 15 * time.Minute // from this age on a call waits for the refresh
	maxStale    = 24 * time.Hour   // from this age on no longer used
	maxWait     = 2 * time.Second  // of a call, for any fetch
	minRetry    = 1 * time.Second  // after a failure, doubling
	maxRetry    = 60 * time.Second // to this
	coldRetry   = 2 * time.Second  // ... or to this while there are no keys at all,
	coldPeriod  = 1 * time.Minute  // which is how long after the first failure
	knownPeriod = 2 * maxRetry     // how long after a failure an endpoint is known to fail
)

// What fetches cost that a single token draws. A budget of time pays for them, which refills as time
// goes by.
const (
	drawCost     = 30 * time.Second // of a fetch
	changeCost   = 6 * time.Second  // ... that has brought another key, as a rotation does
	drawBudget   = 5 * drawCost
	askAgain     = 1 * time.Minute // after the last drawn fetch, for a key name that is answered
	maxAnswered  = 100             // key names that are remembered: those that a fetch has brought no other key for
	maxWaitingOn = 5               // key names whose calls wait for one fetch
)

// A source keeps the key set of one issuer. Keys are fetched when a call needs
// them, by one flight at a time that all calls share; a flight has a context and
// a goroutine of its own, which end within endpoint.Timeout.
type source struct {
	issuer    *Issuer
	transport http.RoundTripper
	observer  func(KeySetEvent) // or nil
	current   atomic.Pointer[keySet]
	failing   atomic.Bool // failures > 0, read without the lock by every call

	mu          sync.Mutex
	flight      *flight
	failures    int // since the last success
	firstFailed time.Time
	failedAt    time.Time // the last of them
	retryAt     time.Time
	drawnAt     time.Time // when the last drawn fetch began
	paidAt      time.Time // when the budget for drawn fetches is whole again
	answered    []keyName // those for which a drawn fetch has brought no other key
	flights     uint64    // that have begun
	generation  uint64    // of the current keys
	lastErr     error
}

// A flight is one fetch under way.
type flight struct {
	number  uint64 // counts the flights of the issuer, from 1
	started time.Time
	regular bool      // all calls may wait for it
	drawn   bool      // a single token has caused it
	names   []keyName // whose calls wait for it, the first of which has caused it
	done    chan struct{}
}

// await waits until there is a key for a token, if a fetch may bring one. The error is
// [ErrKeysUnavailable] or [ErrInvalid].
func (s *source) await(ctx context.Context, name keyName, asked time.Time) error {
	if set := s.current.Load(); s.fresh(set, asked) && len(set.find(name)) > 0 {
		return nil
	}
	s.mu.Lock()
	before := s.flights
	s.mu.Unlock()
	set, err := s.usable(ctx, asked, name)
	if err != nil {
		return err
	}
	// A fetch that was under way may have begun before the key was there.
	for len(set.find(name)) == 0 && set.flight <= before && s.draw(ctx, name, asked) {
		set = s.current.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.flight; {
	case len(s.current.Load().find(name)) > 0:
		return nil
	case s.failures > 0, f != nil && (f.regular || slices.Contains(f.names, name)):
		// The key may be one that the endpoint has and we do not have yet.
		return s.unavailable()
	}
	return errNoKey
}

var errNoKey = invalid("no key of the issuer's fits kid and alg")

// draw waits for a fetch that may bring a key which is not there yet, and reports whether one has
// ended. The budget pays for fetches that no other call waits for. Calls wait for a fetch that is
// for all, and for that of a few key names: those of a flood of made-up ones are refused at once.
func (s *source) draw(ctx context.Context, name keyName, asked time.Time) bool {
	s.mu.Lock()
	f := s.flight
	switch {
	case f != nil && (f.regular || slices.Contains(f.names, name)):
	case !s.affords(name, time.Now()):
		f = nil
	case f == nil:
		f = s.start(time.Now(), name, true)
	case len(f.names) < maxWaitingOn:
		f.names = append(f.names, name.clone())
	default:
		f = nil
	}
	s.mu.Unlock()
	return f != nil && f.wait(ctx, asked)
}

// changed fetches the key set for a token that the keys of its name did not sign, and reports whether
// the issuer has others under that name: it may use a kid again, or none at all. Such a fetch costs
// what one for an unknown kid costs, and only the call that has caused it waits.
func (s *source) changed(ctx context.Context, name keyName, tried []*publicKey, asked time.Time) bool {
	if !sameKeys(s.current.Load().find(name), tried) {
		return true // meanwhile
	}
	s.mu.Lock()
	if s.flight != nil || !s.affords(name, time.Now()) {
		s.mu.Unlock()
		return false
	}
	f := s.start(time.Now(), name, true)
	s.mu.Unlock()
	return f.wait(ctx, asked) && !sameKeys(s.current.Load().find(name), tried)
}

// affords reports whether a token may draw a fetch. Key names that are answered draw again only from the
// whole budget, or after a minute without a drawn fetch: however many there are, they leave most of the
// budget to others, and an attacker who guesses the kid of the next key does not keep it out for long.
// It is called with mu held.
func (s *source) affords(name keyName, now time.Time) bool {
	left := drawBudget - max(0, s.paidAt.Sub(now))
	switch {
	case s.failures > 0: // a failing endpoint has retries of its own
		return false
	case slices.Contains(s.answered, name):
		return left == drawBudget || left >= drawCost && now.Sub(s.drawnAt) >= askAgain
	}
	return left >= drawCost
}

// usable returns keys that may be used now, and sees to it that they stay fresh.
func (s *source) usable(ctx context.Context, now time.Time, name keyName) (*keySet, error) {
	set, f, patient := s.refresh(now, name)
	if f == nil || !patient {
		return s.stillGood(set, now)
	}
	if !f.wait(ctx, now) && ctx.Err() != nil {
		// A deadline that ends at once must not be a way to old keys.
		return nil, s.keysUnavailable(errors.New("the call ended before they were fetched"))
	}
	return s.stillGood(s.current.Load(), time.Now())
}

// fresh reports whether keys need no refresh.
func (s *source) fresh(set *keySet, now time.Time) bool {
	return set != nil && now.Sub(set.fetched) < softAge && !s.failing.Load()
}

// refresh returns the keys and, if they should be fetched, the flight that does, and
// whether to wait for it. The keys are nil if there are none yet.
func (s *source) refresh(now time.Time, name keyName) (set *keySet, f *flight, patient bool) {
	set = s.current.Load()
	if s.fresh(set, now) {
		return set, nil, false
	}
	age := maxStale
	if set != nil {
		age = now.Sub(set.fetched)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Old keys serve on at once while the endpoint is known to fail.
	known := s.failures > 0 && now.Sub(s.failedAt) < knownPeriod
	return set, s.startRefresh(now, name), age >= maxStale || age >= hardAge && !known
}

// stillGood returns keys unless they are too old, or none.
func (s *source) stillGood(set *keySet, now time.Time) (*keySet, error) {
	if set == nil || now.Sub(set.fetched) >= maxStale {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.unavailable()
	}
	return set, nil
}

// unavailable returns why there are no keys. It is called with mu held.
func (s *source) unavailable() error {
	if s.lastErr == nil {
		return s.keysUnavailable(errors.New("they are still being fetched"))
	}
	return s.lastErr
}

func (s *source) keysUnavailable(cause error) error {
	return fmt.Errorf("%w: issuer %q: %w", ErrKeysUnavailable, s.issuer.URL, cause)
}

// wait waits for the end of a flight, but no longer than a call may, and reports whether it has
// ended.
func (f *flight) wait(ctx context.Context, asked time.Time) bool {
	timer := time.NewTimer(time.Until(asked.Add(maxWait)))
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// startRefresh returns the flight under way or a new one, or nil while it is too
// early for another attempt. It is called with mu held.
func (s *source) startRefresh(now time.Time, name keyName) *flight {
	if s.flight == nil && !now.Before(s.retryAt) {
		s.start(now, name, false)
	}
	return s.flight
}

// start begins a flight. It is called with mu held.
func (s *source) start(now time.Time, name keyName, drawn bool) *flight {
	s.flights++
	f := &flight{number: s.flights, started: now, names: []keyName{name.clone()}, drawn: drawn, done: make(chan struct{})}
	f.regular = !drawn && s.failures == 0
	if drawn {
		if s.drawnAt = now; s.paidAt.Before(now) {
			s.paidAt = now
		}
		s.paidAt = s.paidAt.Add(drawCost)
	}
	s.flight = f
	go s.run(f)
	return f
}

// learn settles what a drawn fetch has cost, and whether its key name is answered. It is called with mu
// held.
func (s *source) learn(f *flight, before, set *keySet) {
	name := f.names[0]
	s.answered = slices.DeleteFunc(s.answered, func(answered keyName) bool { return answered == name })
	if !sameKeys(before.find(name), set.find(name)) {
		s.paidAt = s.paidAt.Add(changeCost - drawCost)
		return
	}
	if len(s.answered) == maxAnswered {
		s.answered = slices.Delete(s.answered, 0, 1)
	}
	s.answered = append(s.answered, name)
}

func (s *source) run(f *flight) {
	set, err := (*keySet)(nil), errExited
	defer func() { s.observe(s.land(f, set, err)) }()
	set, err = s.fetch()
}

var errExited = errors.New("the HTTP transport called runtime.Goexit")

// land ends a flight.
func (s *source) land(f *flight, set *keySet, err error) KeySetEvent {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	event := KeySetEvent{Issuer: s.issuer.URL}
	if err == nil {
		s.generation++
		set.flight, set.fetched, set.generation = f.number, f.started, s.generation
		if before := s.current.Load(); before != nil {
			set.inherit(before)
			if f.drawn {
				s.learn(f, before, set)
			}
		}
		s.current.Store(set)
		s.failures, s.lastErr = 0, nil
		event.Skipped = set.skipped
	} else {
		if s.failures == 0 {
			s.firstFailed = now
		}
		s.lastErr = s.keysUnavailable(err)
		retry := min(minRetry<<min(s.failures, 16), maxRetry)
		if s.current.Load() == nil && now.Sub(s.firstFailed) < coldPeriod {
			retry = min(retry, coldRetry)
		}
		s.failures++
		s.failedAt, s.retryAt = now, now.Add(retry)
		event.Err = s.lastErr
		if unusable, ok := errors.AsType[*unusableError](err); ok {
			event.Skipped = unusable.skipped
		}
	}
	s.failing.Store(s.failures > 0)
	if set := s.current.Load(); set != nil {
		event.Fetched = set.fetched
		if now.Sub(set.fetched) < maxStale {
			event.Keys = len(set.keys)
		}
	}
	s.flight = nil
	close(f.done)
	return event
}
