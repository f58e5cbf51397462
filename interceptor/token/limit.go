package token

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	maxSlotWait = 2 * time.Second // for a slot
	maxQueue    = 2000            // waiting calls for each slot
	restFactor  = 9               // rest of a slot after a forged token, in times of the token's cost
	minRest     = 2 * time.Millisecond
	maxRest     = 50 * time.Millisecond
)

// WithSignatureLimit sets how many signatures are verified at once. Calls with a cached token (see
// [WithCache]) verify no signature. Up to 2,000 times n other calls wait in order. A call that finds the queue
// full, or has waited for two seconds, is refused with [ErrBusy].
//
// Forged tokens get a tenth of the time: after a forged token, its place stays empty for nine times as long
// as the verification took. So a flood of forged tokens leaves the processors to calls with a cached token,
// and honest callers with a new token, such as all callers after a restart, may have all n places.
//
// A smaller n leaves more time to calls with a cached token, and makes callers with a new token wait longer.
// The default is GOMAXPROCS.
func WithSignatureLimit(n int) Option {
	return func(o *options) {
		if n < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithSignatureLimit: %d is not positive", n))
		}
		o.signatureLimit = n
	}
}

// A limiter bounds how many signatures are verified at once, and rests after forged ones. An attacker
// pays nothing for a forged token, and the server as much as for a thousand calls with a cached token.
type limiter struct {
	slots   chan struct{} // full of calls that verify: senders wait in order
	waiting atomic.Int64
	busy    atomic.Uint64
	due     atomic.Int64 // the short rests that slots still owe, in nanoseconds
}

func newLimiter(n int) *limiter { return &limiter{slots: make(chan struct{}, n)} }

// acquire waits for a slot. The error is [ErrBusy].
func (l *limiter) acquire(ctx context.Context) error {
	if l.try() {
		return nil
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > int64(maxQueue*cap(l.slots)) {
		return l.refuse("the queue is full: " + tryAgain)
	}
	timer := time.NewTimer(maxSlotWait)
	defer timer.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return l.refuse("no slot came free in time: " + tryAgain)
	case <-ctx.Done():
		return fmt.Errorf("%w: the call ended before a slot came free", ErrBusy)
	}
}

// try takes a slot if one is free and no call waits for it.
func (l *limiter) try() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// release gives a slot back, after a rest if the verification has failed. Short rests add up first, since
// timers are not finer than a millisecond.
func (l *limiter) release(cost time.Duration, err error) {
	rest := min(restFactor*cost, maxRest)
	if err != nil && rest < minRest {
		if rest = time.Duration(l.due.Add(int64(rest))); rest >= minRest {
			rest = time.Duration(l.due.Swap(0))
		}
	}
	if err == nil || rest < minRest {
		<-l.slots
		return
	}
	time.AfterFunc(rest, func() { <-l.slots })
}

// tryAgain tells what to do.
const tryAgain = "the client must try again; if the tokens are good, give token.WithSignatureLimit more signatures at once, or the server more processors"

func (l *limiter) refuse(why string) error {
	l.busy.Add(1)
	return fmt.Errorf("%w: %s", ErrBusy, why)
}
