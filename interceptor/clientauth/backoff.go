package clientauth

import (
	"errors"
	"sync"
	"time"
)

// How long nothing is tried after a failure.
const (
	minRetry = 1 * time.Second // doubling
	maxRetry = 60 * time.Second
)

// A backoff keeps what fails from being tried again too soon. The zero backoff has seen no
// failure.
type backoff struct {
	mu       sync.Mutex
	failures int // since the last success
	failedAt time.Time
	retryAt  time.Time
	err      error // the last one
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

// fail notes the failure of an attempt. Those that were made side by side count as one.
func (b *backoff) fail(started time.Time, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	if b.failures > 0 && !started.After(b.failedAt) {
		return
	}
	b.failedAt, b.retryAt = now, now.Add(min(minRetry<<min(b.failures, 16), maxRetry))
	b.failures++
}

func (b *backoff) succeed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.retryAt, b.err = 0, time.Time{}, nil
}

// ofAll reports whether a failure would meet every request to the endpoint.
func ofAll(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return errors.Is(err, ErrUnavailable) || ok && refused.ofClient()
}
