package clientauth

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// Pauses after a failure.
const (
	minRetry = 1 * time.Second // doubles with every failure
	maxRetry = 60 * time.Second
)

// A backoff delays the next attempt after a failure. The zero backoff has seen no failure.
type backoff struct {
	longest time.Duration // the longest pause, or 0 for maxRetry

	mu          sync.Mutex
	failures    int // since the last success
	succeededAt time.Time
	retryAt     time.Time
	err         error // of the last failure, or nil after a success
}

// blocked returns the last error if it is too early for another attempt.
func (b *backoff) blocked(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.retryAt) {
		return b.err
	}
	return nil
}

// claim is blocked for users who share a backoff: while attempts fail, claim allows one attempt in
// each minRetry.
func (b *backoff) claim(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.retryAt) {
		return b.err // nil unless attempts fail
	}
	b.retryAt = now.Add(minRetry)
	return nil
}

// fail notes the failure of an attempt, unless another attempt has succeeded since this one
// began.
func (b *backoff) fail(started time.Time, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if started.Before(b.succeededAt) {
		return
	}
	b.err, b.retryAt = err, now.Add(min(minRetry<<min(b.failures, 16), cmp.Or(b.longest, maxRetry)))
	b.failures++
}

func (b *backoff) succeed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.succeededAt, b.retryAt, b.err = 0, time.Now(), time.Time{}, nil
}

// ofAll reports whether every request to the endpoint would fail.
func ofAll(err error) bool {
	_, down := errors.AsType[downError](err)
	refused, ok := errors.AsType[*refusedError](err)
	return down || ok && (refused.ofClient() || errors.Is(refused.reason(), ErrUnavailable))
}

// A downError means that the endpoint fails for every target.
type downError struct{ error }

// Unwrap returns the cause.
func (e downError) Unwrap() error { return e.error }
