package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// How keys are kept. Each bound closes a way to starve or to poison the key set.
const (
	softAge     = 10 * time.Minute // older keys are refreshed in the background
	hardAge     = 15 * time.Minute // calls wait for the refresh of older keys
	maxStale    = 24 * time.Hour   // older keys are not used
	maxWait     = 2 * time.Second  // of a call for fetches
	minRetry    = 1 * time.Second  // pause after the first failure, which then doubles
	maxRetry    = 60 * time.Second // longest pause
	coldRetry   = 2 * time.Second  // longest pause while there are no keys, until coldPeriod is over
	coldPeriod  = 1 * time.Minute  // from the first failure
	knownPeriod = 2 * maxRetry     // from a failure: the time in which an endpoint is known to fail
	fileAge     = 3 * time.Second  // softAge, hardAge and maxRetry of a file, which costs little to read
)

// A source keeps the key set of one issuer. A call that needs keys starts a flight, and all
// calls share one flight. A flight has a context and a goroutine of its own, which end within
// endpoint.Timeout.
type source struct {
	issuer    *Issuer
	transport http.RoundTripper
	observers []func(KeySetEvent)
	logger    func() *slog.Logger // nil if nothing is logged
	current   atomic.Pointer[keySet]
	failing   atomic.Bool // failures > 0, for calls that do not lock mu

	softAge, hardAge, maxRetry, knownPeriod time.Duration // the bounds of these names, unless the keys are in a file

	mu          sync.Mutex
	flight      *flight
	failures    int // since the last success
	firstFailed time.Time
	failedAt    time.Time // the last failure
	retryAt     time.Time
	flights     uint64 // begun so far
	lastErr     error
	told        keyLog
	budget
}

// A flight is one fetch under way.
type flight struct {
	number  uint64 // counts the flights of the issuer, from 1
	started time.Time
	regular bool      // all calls may wait for the flight
	drawn   bool      // a single token has caused the flight
	name    keyName   // of the token that has caused the flight
	others  []keyName // of other tokens that wait for the flight
	done    chan struct{}
	err     error // set before done is closed, and nil if the flight has brought keys
}

func newSource(issuer *Issuer, o *options) *source {
	s := &source{issuer: issuer, transport: o.transport, observers: o.observers, logger: o.log(), softAge: softAge, hardAge: hardAge, maxRetry: maxRetry, knownPeriod: knownPeriod}
	if issuer.hasKeySetFile() {
		s.softAge, s.hardAge, s.maxRetry, s.knownPeriod = fileAge, fileAge, fileAge, 0 // a file answers at once
	}
	return s
}

// usable returns keys that may be used now, and refreshes old ones.
func (s *source) usable(ctx context.Context, now time.Time, name keyName) (*keySet, error) {
	set, f, patient := s.refresh(now, name)
	if f == nil || !patient {
		return s.stillGood(set, now)
	}
	if !f.wait(ctx, now) && ctx.Err() != nil {
		// A caller must not reach old keys by a short deadline.
		return nil, s.keysUnavailable(errors.New("the call ended before they were fetched"))
	}
	return s.stillGood(s.current.Load(), time.Now())
}

// fresh reports whether the keys need no refresh.
func (s *source) fresh(set *keySet, now time.Time) bool {
	return set != nil && now.Sub(set.fetched) < s.softAge && !s.failing.Load()
}

// refresh returns the keys, the flight that refreshes them, and whether the call should wait
// for the flight. The keys are nil if there are none yet. The flight is nil if the keys are
// fresh, or if it is too early for another attempt.
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
	// Calls do not wait for an endpoint that is known to fail.
	known := now.Sub(s.failedAt) < s.knownPeriod
	if s.flight == nil && !now.Before(s.retryAt) {
		s.start(now, name, false)
	}
	return set, s.flight, age >= maxStale || age >= s.hardAge && !known
}

// stillGood returns the keys, or an error if there are none or they are too old.
func (s *source) stillGood(set *keySet, now time.Time) (*keySet, error) {
	if set == nil || now.Sub(set.fetched) >= maxStale {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.unavailable()
	}
	return set, nil
}

// unavailable returns the error that explains why there are no keys. The caller holds mu.
func (s *source) unavailable() error {
	if s.lastErr == nil {
		return s.keysUnavailable(errors.New("they are still being fetched: if that goes on, the issuer does not answer: can this server reach it?"))
	}
	return s.lastErr
}

func (s *source) keysUnavailable(cause error) error {
	return fmt.Errorf("%w: issuer %q: %w", ErrKeysUnavailable, s.issuer.URL, cause)
}

// wait waits for the end of a flight until maxWait after asked, and reports whether the flight
// has ended.
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

// start begins a flight. The caller holds mu.
func (s *source) start(now time.Time, name keyName, drawn bool) *flight {
	s.flights++
	f := &flight{number: s.flights, started: now, name: name.clone(), drawn: drawn, done: make(chan struct{})}
	f.regular = !drawn && s.failures == 0
	if drawn {
		s.pay(now)
	}
	s.flight = f
	go s.run(f)
	return f
}

func (s *source) run(f *flight) {
	set, err := (*keySet)(nil), errors.New("the HTTP transport called runtime.Goexit")
	defer func() {
		if recover() != nil { // a transport that panics must not end the process
			err = errors.New("the HTTP transport panicked")
		}
		repeated := s.repeats(set, err)
		event, lines := s.finish(f, set, err)
		defer s.write(lines) // also if an observer ends this goroutine
		if !repeated {
			s.observe(event)
		}
	}()
	set, err = s.fetch()
}

// repeats reports whether a file still has the text of the keys in use, which the observer knows already.
func (s *source) repeats(set *keySet, err error) bool {
	current := s.current.Load()
	return err == nil && s.issuer.hasKeySetFile() && current != nil && !s.failing.Load() && bytes.Equal(set.text, current.text)
}

// finish ends a flight. It returns what observers and the log are told.
func (s *source) finish(f *flight, set *keySet, err error) (KeySetEvent, []keyLine) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		f.err = s.keysUnavailable(err)
	}
	event := KeySetEvent{Issuer: s.issuer.URL, Err: f.err, Duration: now.Sub(f.started)}
	if set != nil { // there may be an error too, if no key can be used
		event.Skipped = set.skipped
	}
	switch {
	case err == nil:
		set.flight, set.fetched = f.number, f.started
		if before := s.current.Load(); before != nil {
			set.inherit(before)
			if f.drawn {
				s.learn(f.name, sameKeys(before.find(f.name), set.find(f.name)))
			}
		}
		s.current.Store(set)
		s.failures, s.lastErr, s.failed = 0, nil, 0
	case f.drawn: // the endpoint may fail for this fetch alone
		s.fail(now)
	default:
		if s.failures == 0 {
			s.firstFailed = now
		}
		s.lastErr = f.err
		retry := min(minRetry<<min(s.failures, 16), s.maxRetry)
		if s.current.Load() == nil && now.Sub(s.firstFailed) < coldPeriod {
			retry = min(retry, coldRetry)
		}
		s.failures++
		s.failedAt, s.retryAt = now, now.Add(retry)
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
	if s.logger == nil {
		return event, nil
	}
	return event, s.told.lines(event, err, now)
}
