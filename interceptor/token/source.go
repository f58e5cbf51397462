package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// How keys are kept. Each bound closes a way to starve or to poison the key set.
const (
	softAge       = 10 * time.Minute // from this age on refreshed in the background
	hardAge       = 15 * time.Minute // from this age on a call waits for the refresh
	maxStale      = 24 * time.Hour   // from this age on no longer used
	maxWait       = 2 * time.Second  // of a call, for any fetch
	minRetry      = 1 * time.Second  // after a failure, doubling
	maxRetry      = 60 * time.Second // to this
	coldRetry     = 2 * time.Second  // ... or to this while there are no keys at all,
	coldPeriod    = 1 * time.Minute  // which is how long after the first failure
	knownPeriod   = 2 * maxRetry     // how long after a failure an endpoint is known to fail
	unknownPeriod = 30 * time.Second // between two fetches for an unknown kid
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
	unknownAt   time.Time // when an unknown kid may cause the next fetch
	generation  uint64    // of the current keys
	lastErr     error
}

// A flight is one fetch under way.
type flight struct {
	started time.Time
	keyID   string // the kid whose call waits for it, or empty if all may
	done    chan struct{}
}

// key returns the key for a token's `kid` and `alg`. The error is
// [ErrKeysUnavailable] or [ErrInvalid].
func (s *source) key(ctx context.Context, keyID, algorithm string) (*publicKey, error) {
	asked := time.Now()
	set, err := s.usable(ctx, asked, keyID)
	if err != nil {
		return nil, err
	}
	// The fetch under way may have begun before the key was there.
	for range 2 {
		if key := set.find(keyID, algorithm); key != nil {
			return key, nil
		}
		if keyID == "" || !set.fetched.Before(asked) {
			break
		}
		s.refetchFor(ctx, keyID, asked)
		set = s.current.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch key := s.current.Load().find(keyID, algorithm); {
	case key != nil:
		return key, nil
	case s.failures > 0, s.flight != nil && keyID != "" && (s.flight.keyID == "" || s.flight.keyID == keyID):
		// The key may be one that the endpoint has and we do not have yet.
		return nil, s.unavailable()
	}
	return nil, errNoKey
}

var errNoKey = invalid("no key of the issuer's fits kid and alg")

// usable returns keys that may be used now, and sees to it that they stay fresh.
func (s *source) usable(ctx context.Context, now time.Time, keyID string) (*keySet, error) {
	set, f, patient := s.refresh(now, keyID)
	if f == nil || !patient {
		return s.stillGood(set, now)
	}
	if !f.wait(ctx, now) {
		// Whoever sets a deadline of nothing must not get old keys for it.
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
func (s *source) refresh(now time.Time, keyID string) (set *keySet, f *flight, patient bool) {
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
	return set, s.startRefresh(now, keyID), age >= maxStale || age >= hardAge && !known
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

// wait waits for the end of a flight, but no longer than a call may. It reports false
// if the call has ended before.
func (f *flight) wait(ctx context.Context, asked time.Time) bool {
	timer := time.NewTimer(time.Until(asked.Add(maxWait)))
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// startRefresh returns the flight under way or a new one, or nil while it is too
// early for another attempt. It is called with mu held.
func (s *source) startRefresh(now time.Time, keyID string) *flight {
	if s.flight == nil && !now.Before(s.retryAt) {
		if s.failures == 0 {
			keyID = "" // it is for all
		}
		s.start(now, keyID)
	}
	return s.flight
}

// refetchFor fetches the key set for an unknown kid, if its budget allows.
// Made-up kids cost one fetch per unknownPeriod, and nobody else's time. Calls wait if the
// fetch is for their very kid, or the regular one of an endpoint that works.
func (s *source) refetchFor(ctx context.Context, keyID string, now time.Time) {
	s.mu.Lock()
	f := s.flight
	switch {
	case f != nil && f.keyID != keyID && (f.keyID != "" || s.failures > 0), f == nil && now.Before(s.unknownAt):
		s.mu.Unlock()
		return
	case f == nil:
		s.unknownAt = now.Add(unknownPeriod)
		f = s.start(now, keyID)
	}
	s.mu.Unlock()
	f.wait(ctx, now)
}

// start begins a flight. It is called with mu held.
func (s *source) start(now time.Time, keyID string) *flight {
	f := &flight{started: now, keyID: keyID, done: make(chan struct{})}
	s.flight = f
	go s.run(f)
	return f
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
		set.fetched, set.generation = f.started, s.generation
		if before := s.current.Load(); before != nil {
			set.inherit(before)
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
