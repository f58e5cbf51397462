package token

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	maxSlotWait   = 1 * time.Second // of a call, for a slot
	maxQueue      = 1000            // calls that wait, for each slot
	penaltyFactor = 3               // times as long as it took, a slot stays empty after a refusal
	maxPenalty    = 100 * time.Millisecond
)

// WithSignatureLimit sets how many signatures are verified at once. A flood of forged
// tokens then leaves the other processors to calls whose token is cached (see [WithCache]),
// which never wait. Up to 1,000 calls per signature wait, in order and for at most a second;
// others are refused with [ErrBusy]. A slot whose token was refused stays empty for three
// times as long as that took, at most 100 milliseconds. The default is half of GOMAXPROCS,
// at least one.
func WithSignatureLimit(n int) Option {
	return func(o *options) {
		if n < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithSignatureLimit: %d is not positive", n))
		}
		o.signatureLimit = n
	}
}

// defaultSignatureLimit leaves half of the processors, where there are two or more, to
// calls whose tokens are cached.
func defaultSignatureLimit() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// A limiter bounds how many signatures are verified at once: whoever forges tokens pays
// nothing, and each costs a server as much as a thousand calls with a cached one. Forged
// tokens get about a quarter of each slot's time.
type limiter struct {
	slots   chan struct{} // calls that wait to send get theirs in order
	waiting atomic.Int64
	busy    atomic.Uint64
}

func newLimiter(n int) *limiter { return &limiter{slots: make(chan struct{}, n)} }

// run waits for a slot and verifies. The error is that of verify, or [ErrBusy].
func (l *limiter) run(ctx context.Context, verify func() error) error {
	if err := l.acquire(ctx); err != nil {
		return err
	}
	var penalty time.Duration
	defer func() { l.release(penalty) }()
	start := time.Now()
	err := verify()
	if err != nil {
		penalty = min(penaltyFactor*time.Since(start), maxPenalty)
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
		return l.refuse("the call ended before a slot came free")
	}
}

func (l *limiter) release(penalty time.Duration) {
	if penalty <= 0 {
		<-l.slots
		return
	}
	time.AfterFunc(penalty, func() { <-l.slots })
}

func (l *limiter) refuse(why string) error {
	l.busy.Add(1)
	return fmt.Errorf("%w: %s", ErrBusy, why)
}
