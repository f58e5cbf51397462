package provider_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

const (
	whole   = 400 // calls that lie between two rotations
	stocked = 50  // tokens of each model that are obtained before
)

// shortestWait is the shortest time after which the sample answers that its keys, or a processor, did not
// come in time.
const shortestWait = time.Second

// A load calls the sample from several goroutines while the keys rotate. A phase ends when enough
// calls have ended in it, however long they take.
type load struct {
	idp    *idp
	sample *sample
	home   tenant
	steps  [][]int // of the rotation, see idp.rotate
	oldKey string  // the kid of the first key
	after  answer  // to a token of the old key, once the new one is in use

	mu       sync.Mutex
	first    []string    // a token of each model, of the old key, that is used over and over
	unused   [][]string  // tokens of each model, of the old key, that are to be used once
	begun    int         // rotations that the identity provider was asked for
	done     int         // rotations that the identity provider has made
	calls    int         // that have begun
	ended    int         // calls of this phase that have ended in it
	over     bool        // the last phase has ended
	accepted []keyCounts // in each phase
	between  keyCounts   // accepted while the keys rotated
	refused  int         // where after is not accepted
	retried  int
	slowest  time.Duration
	faults   []string
}

// keyCounts counts calls by the key that signed their token.
type keyCounts struct{ old, new int }

func (c *keyCounts) add(ofOld bool) {
	if ofOld {
		c.old++
	} else {
		c.new++
	}
}

func (l *load) String() string {
	return fmt.Sprintf("%d calls: accepted by key %+v, while the keys rotated %+v, refused of the old key %d, retried %d, the slowest took %v",
		l.calls, l.accepted, l.between, l.refused, l.retried, l.slowest.Round(time.Millisecond))
}

func (l *load) run(t *testing.T) {
	t.Helper()
	for _, m := range models {
		var stock []string
		for range stocked {
			stock = append(stock, l.idp.obtain(t, m.grant(l.home)))
		}
		l.first, l.unused = append(l.first, stock[0]), append(l.unused, stock[1:])
	}
	l.accepted = make([]keyCounts, len(l.steps)+1)

	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for n, phase, over := l.begin(); !over; n, phase, over = l.begin() {
				what, err := l.call(t.Context(), n)
				if due := l.end(n, phase, what, err); due {
					l.rotate(t)
				}
			}
		})
	}
	group.Wait()
	if len(l.faults) > 0 {
		t.Errorf("%d of %d calls are lost, such as %q", len(l.faults), l.calls, slices.Compact(l.faults[:min(len(l.faults), 10)]))
	}
}

// begin counts a call, and returns the phase that the call begins in.
func (l *load) begin() (n, phase int, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	return l.calls, l.done, l.over
}

// An outcome is the result of a call.
type outcome struct {
	model   string
	ofOld   bool
	took    time.Duration
	retries int
}

// call makes the n-th call.
func (l *load) call(ctx context.Context, n int) (outcome, error) {
	which := n % len(models)
	token, err := l.token(ctx, which, n/len(models)%4)
	what := outcome{model: models[which].name, ofOld: keyID(token) == l.oldKey}
	if err != nil {
		return what, err
	}
	took, retries, err := insist(func() error {
		return models[which].call(ctx, l.sample, protocols[n/12%len(protocols)], token, l.home.organization)
	})
	what.took, what.retries = took, retries
	return what, err
}

// insist makes a call, and repeats the call while the sample answers, after a wait, that keys or a processor
// did not come in time. It returns the duration of the last call.
func insist(call func() error) (took time.Duration, retries int, err error) {
	for ; ; retries++ {
		began := time.Now()
		err = call()
		took = time.Since(began)
		if reason := answerOf(err).reason; reason != "KEYS_UNAVAILABLE" && reason != "VERIFIER_BUSY" || took < shortestWait {
			return took, retries, err
		}
	}
}

// end counts the outcome of the n-th call, which began in a phase. It reports whether the phase ends with
// this call.
func (l *load) end(n, phase int, what outcome, err error) (due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, what.took)
	l.retried += what.retries
	within := phase == l.begun // no rotation was under way
	switch got := answerOf(err); {
	case got == accepted && within:
		l.accepted[phase].add(what.ofOld)
	case got == accepted:
		l.between.add(what.ofOld)
	case got == l.after && what.ofOld && l.begun > 0:
		l.refused++
	default:
		l.faults = append(l.faults, fmt.Sprintf("call %d: %+v: %v", n, what, err))
	}
	if within {
		l.ended++
	}
	return within && l.ended == whole
}

// rotate ends a phase, while other goroutines go on calling.
func (l *load) rotate(t *testing.T) {
	l.mu.Lock()
	step := l.begun
	if l.over = step == len(l.steps); l.over {
		l.mu.Unlock()
		return
	}
	l.begun++
	l.mu.Unlock()
	err := l.idp.rotate(t.Context(), l.steps[step]...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.ended = l.begun, 0
	if l.over = err != nil; l.over {
		t.Errorf("rotation %d: %v", step, err)
	}
}

// token returns a token of a model: in two of four calls a new token, in one call the same token as always,
// and in one call an old token that was never used.
func (l *load) token(ctx context.Context, which, turn int) (string, error) {
	if turn < 2 {
		return l.idp.token(ctx, models[which].grant(l.home))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if unused := l.unused[which]; turn == 2 && len(unused) > 1 { // the last one is for after the load
		l.unused[which] = unused[:len(unused)-1]
		return unused[len(unused)-1], nil
	}
	return l.first[which], nil
}
