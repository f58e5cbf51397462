package token

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	maxTurn  = 1 * time.Second        // how long a call waits for its turn
	maxQueue = 1000                   // calls that wait, for each turn there is
	restOver = 3                      // times as long as it took, a turn rests after a refusal
	maxRest  = 100 * time.Millisecond // but no longer
)

// A limiter bounds how many signatures are verified at once: whoever makes up tokens pays
// nothing, and each costs a server as much as a thousand calls with a token it knows. Made-up
// tokens get a quarter of each turn's time.
type limiter struct {
	turns   chan struct{} // calls that wait to send get their turn in order
	waiting atomic.Int64
	busy    atomic.Uint64
}

func newLimiter(n int) *limiter { return &limiter{turns: make(chan struct{}, n)} }

// defaultLimit leaves at least half of the processors to calls whose tokens are known.
func defaultLimit() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// run waits for a turn and verifies. The error is that of verify, or [ErrBusy].
func (l *limiter) run(ctx context.Context, verify func() error) error {
	if err := l.begin(ctx); err != nil {
		return err
	}
	var rest time.Duration
	defer func() { l.end(rest) }()
	start := time.Now()
	err := verify()
	if err != nil {
		rest = min(restOver*time.Since(start), maxRest)
	}
	return err
}

// begin waits for a turn. The error is [ErrBusy].
func (l *limiter) begin(ctx context.Context) error {
	select {
	case l.turns <- struct{}{}:
		return nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > int64(maxQueue*cap(l.turns)) {
		return l.refuse("too many calls wait for it")
	}
	timer := time.NewTimer(maxTurn)
	defer timer.Stop()
	select {
	case l.turns <- struct{}{}:
		return nil
	case <-timer.C:
		return l.refuse("its turn did not come in time")
	case <-ctx.Done():
		return l.refuse("the call ended before its turn came")
	}
}

// end ends a turn, after a rest.
func (l *limiter) end(rest time.Duration) {
	if rest <= 0 {
		<-l.turns
		return
	}
	time.AfterFunc(rest, func() { <-l.turns })
}

func (l *limiter) refuse(why string) error {
	l.busy.Add(1)
	return fmt.Errorf("%w: %s", ErrBusy, why)
}
