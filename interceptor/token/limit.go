package token

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	maxSlotWait = 2 * time.Second // of a call, for a slot
	maxQueue    = 2000            // calls that wait, for each slot
	minRest     = 2 * time.Millisecond
	maxRest     = 25 * time.Millisecond
)

// WithSignatureLimit sets how many signatures are verified at once, in peace and while somebody
// forges tokens. Calls whose token is cached (see [WithCache]) wait for no signature. Up to 2,000
// times n other calls wait in order. A call that finds the queue full, or has waited for two
// seconds, is refused with [ErrBusy].
//
// After a forged token its place stays empty for twice as long as the token took, so that forged
// tokens get a third of the n places.
//
// The default is GOMAXPROCS, and forged tokens get a third of half the processors: all processors
// verify the tokens of honest callers, as after a restart, and a flood of forged tokens leaves most
// of the time to calls whose token is cached.
func WithSignatureLimit(n int) Option {
	return func(o *options) {
		if n < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithSignatureLimit: %d is not positive", n))
		}
		o.signatureLimit = n
	}
}

// A limiter bounds how many signatures are verified at once, and rests after forged ones: an
// attacker pays nothing for a forged token, which costs a server as much as a thousand calls with a
// cached one.
type limiter struct {
	slots   chan struct{} // calls that wait to send get theirs in order
	rest    time.Duration // of a slot, for each nanosecond that a forged token has taken
	waiting atomic.Int64
	busy    atomic.Uint64
	due     atomic.Int64 // rest of slots that is still to come, in nanoseconds
}

// newLimiter makes a limiter of n slots, or of one for each processor if n is 0. Forged tokens get a
// third of the n slots, or of half the processors.
func newLimiter(n, processors int) *limiter {
	forged := n
	if n == 0 {
		n, forged = processors, max(1, processors/2)
	}
	return &limiter{slots: make(chan struct{}, n), rest: time.Duration((3*n+forged-1)/forged - 1)}
}

// run waits for a slot and calls verify, which returns what that costs. The error is that
// of verify, or [ErrBusy].
func (l *limiter) run(ctx context.Context, verify func() (cost time.Duration, err error)) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	var rest time.Duration
	defer func() { l.release(rest) }()
	cost, err := verify()
	if err != nil {
		rest = min(l.rest*cost, maxRest)
	}
	return err
}

func (l *limiter) acquire(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > int64(maxQueue*cap(l.slots)) {
		return l.refuse("the queue is full: see WithSignatureLimit")
	}
	timer := time.NewTimer(maxSlotWait)
	defer timer.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return l.refuse("no slot came free in time: see WithSignatureLimit")
	case <-ctx.Done():
		return fmt.Errorf("%w: the call ended before a slot came free", ErrBusy)
	}
}

// release gives a slot back, after a rest. Timers are no finer than a millisecond, so short
// ones add up first.
func (l *limiter) release(rest time.Duration) {
	if rest <= 0 || l.due.Add(int64(rest)) < int64(minRest) {
		<-l.slots
		return
	}
	due := time.Duration(l.due.Swap(0))
	time.AfterFunc(due, func() { <-l.slots })
}

func (l *limiter) refuse(why string) error {
	l.busy.Add(1)
	return fmt.Errorf("%w: %s", ErrBusy, why)
}
