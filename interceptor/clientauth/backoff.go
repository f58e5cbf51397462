package clientauth

import (
	"cmp"
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
	longest time.Duration // if not maxRetry

	mu          sync.Mutex
	failures    int // since the last success
	succeededAt time.Time
	retryAt     time.Time
	err         error // the last one
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

// claim is blocked for those who share a backoff: while attempts fail, it lets one through in
// each minRetry.
func (b *backoff) claim(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.retryAt) {
		return b.err
	}
	if b.failures > 0 {
		b.retryAt = now.Add(minRetry)
	}
	return nil
}

// fail notes the failure of an attempt. One that has succeeded since it began counts for
// more.
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

// ofAll reports whether a failure would meet every request to the endpoint.
func ofAll(err error) bool {
	_, down := errors.AsType[downError](err)
	refused, ok := errors.AsType[*refusedError](err)
	return down || ok && (refused.ofClient() || errors.Is(refused.reason(), ErrUnavailable))
}

// A downError is why the endpoint is of no use now, whatever it is asked for.
type downError struct{ error }

// Unwrap is for [errors.Is].
func (e downError) Unwrap() error { return e.error }
