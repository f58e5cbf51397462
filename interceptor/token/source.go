package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How keys are kept. Each bound closes a way to starve or to poison the key set.
const (
	fetchTimeout  = 5 * time.Second  // for discovery and key set together
	maxBody       = 1 << 20          // of a response, in bytes, decompressed
	softAge       = 10 * time.Minute // from then on refreshed in the background
	hardAge       = 15 * time.Minute // from then on a call waits for the refresh
	maxStale      = 24 * time.Hour   // from then on the keys are no longer used
	maxWait       = 2 * time.Second  // of a call, for any fetch
	minRetry      = 1 * time.Second  // after a failure, doubling
	maxRetry      = 60 * time.Second // to this
	coldRetry     = 2 * time.Second  // ... or to this while there are no keys at all,
	coldPeriod    = 1 * time.Minute  // for so long after the first failure
	unknownPeriod = 30 * time.Second // between two fetches for an unknown kid
	maxErrorText  = 512              // of what net/http says, in bytes
)

// A source keeps the key set of one issuer. Keys are fetched when a call needs
// them, by one flight at a time that all calls share; a flight has a context and
// a goroutine of its own, which end within fetchTimeout.
type source struct {
	issuer    *Issuer
	transport http.RoundTripper
	current   atomic.Pointer[keySet]

	mu          sync.Mutex
	flight      *flight
	failures    int // since the last success
	firstFailed time.Time
	retryAt     time.Time
	unknownAt   time.Time // when an unknown kid may cause the next fetch
	lastErr     error
}

// A flight is one fetch under way.
type flight struct {
	started time.Time
	keyID   string // the unknown kid that caused it, if one did
	done    chan struct{}
}

// key returns the key for a token's `kid` and `alg`. The error is
// [ErrKeysUnavailable] or [ErrInvalid].
func (s *source) key(ctx context.Context, keyID, algorithm string) (*publicKey, error) {
	asked := time.Now()
	set, err := s.usable(ctx, asked)
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
	return nil, invalid("no key of the issuer's fits kid and alg")
}

// usable returns keys that may be used now, and sees to it that they stay fresh.
func (s *source) usable(ctx context.Context, now time.Time) (*keySet, error) {
	set := s.current.Load()
	age := maxStale
	if set != nil {
		age = now.Sub(set.fetched)
	}
	if age < softAge {
		return set, nil
	}
	s.mu.Lock()
	f := s.startRefresh(now)
	failing := s.failures > 0
	s.mu.Unlock()
	// Old keys serve on at once while the endpoint is known to fail.
	if f != nil && (age >= maxStale || age >= hardAge && !failing) {
		s.wait(ctx, f, now)
	}
	set = s.current.Load()
	if set == nil || now.Sub(set.fetched) >= maxStale {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, s.unavailable()
	}
	return set, nil
}

// unavailable is called with mu held.
func (s *source) unavailable() error {
	if s.lastErr == nil {
		return fmt.Errorf("%w: still being fetched", ErrKeysUnavailable)
	}
	return s.lastErr
}

// wait waits for the end of a flight, but no longer than a call may.
func (s *source) wait(ctx context.Context, f *flight, asked time.Time) {
	timer := time.NewTimer(time.Until(asked.Add(maxWait)))
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// startRefresh returns the flight under way or a new one, or nil while it is too
// early for another attempt. It is called with mu held.
func (s *source) startRefresh(now time.Time) *flight {
	if s.flight == nil && !now.Before(s.retryAt) {
		s.start(now, "")
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
	s.wait(ctx, f, now)
}

// start is called with mu held.
func (s *source) start(now time.Time, keyID string) *flight {
	f := &flight{started: now, keyID: keyID, done: make(chan struct{})}
	s.flight = f
	go s.run(f)
	return f
}

func (s *source) run(f *flight) {
	set, err := s.fetch()
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		set.fetched = f.started
		s.current.Store(set)
		s.failures, s.lastErr = 0, nil
	} else {
		if s.failures == 0 {
			s.firstFailed = now
		}
		s.lastErr = fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		retry := min(minRetry<<min(s.failures, 16), maxRetry)
		if s.current.Load() == nil && now.Sub(s.firstFailed) < coldPeriod {
			retry = min(retry, coldRetry)
		}
		s.failures++
		s.retryAt = now.Add(retry)
	}
	s.flight = nil
	close(f.done)
}

// fetch gets the key set, after discovery if its URL is not fixed.
func (s *source) fetch() (set *keySet, err error) {
	defer func() {
		if recover() != nil { // a transport that panics must not end the process
			err = errors.New("the HTTP transport panicked")
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	keySetURL := s.issuer.KeySetURL
	if keySetURL == "" {
		if keySetURL, err = s.discover(ctx); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	body, err := s.get(ctx, keySetURL)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if set, err = parseKeySet(body); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return set, nil
}

// discover finds the key set as OpenID Connect Discovery 1.0 section 4 says.
func (s *source) discover(ctx context.Context) (string, error) {
	body, err := s.get(ctx, strings.TrimSuffix(s.issuer.URL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	document, err := parseObject(body)
	if err != nil {
		return "", err
	}
	if issuer, _, err := document.text("issuer"); err != nil || issuer != s.issuer.URL {
		return "", errors.New("the document is another issuer's: check the issuer's URL, slash by slash")
	}
	keySetURL, _, err := document.text("jwks_uri")
	if err != nil {
		return "", errors.New("jwks_uri is not a string")
	}
	if err := checkKeySetURL(s.issuer.URL, keySetURL); err != nil {
		return "", fmt.Errorf("jwks_uri: %w", err)
	}
	return keySetURL, nil
}

func (s *source) get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json, application/jwk-set+json")
	client := &http.Client{
		Transport: s.transport,
		// Who follows a redirect lets another host choose the keys.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, requestError(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the endpoint answered with status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxBody:
		return nil, fmt.Errorf("the response is larger than %d bytes", maxBody)
	}
	return body, nil
}

// requestError is the cause of a failed request. It leaves the URL out, whose query
// may hold a key, and what may be a whole response that net/http quotes.
func requestError(err error) error {
	for wrapped, ok := errors.AsType[*url.Error](err); ok; wrapped, ok = errors.AsType[*url.Error](err) {
		err = wrapped.Err
	}
	if len(err.Error()) > maxErrorText {
		return errors.New("the response is malformed")
	}
	return err
}
