package provider_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/e2e"
)

const (
	total   = 1200 // calls of a load
	stocked = 50   // tokens of each model that are obtained before
)

// A load calls the sample from several goroutines while the keys rotate, until a number of calls is
// made.
type load struct {
	idp    *idp
	sample *sample
	home   tenant
	steps  [][]int // of the rotation, see idp.rotate
	oldKey string  // the kid of the first key
	after  answer  // to a token of the old key, once the new one is in use

	calls atomic.Int64

	mu       sync.Mutex
	first    []string    // a token of each model, of the old key, that is used over and over
	unused   [][]string  // tokens of each model, of the old key, that are to be used once
	accepted []keyCounts // before each step, and after the last one
	refused  int         // where after is not accepted
	slowest  time.Duration
	faults   []string
}

// keyCounts counts calls by the key that signed their token.
type keyCounts struct{ old, new int }

func (l *load) String() string {
	return fmt.Sprintf("%d calls: accepted by key %+v, refused of the old key %d, the slowest took %v",
		total, l.accepted, l.refused, l.slowest.Round(time.Millisecond))
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

	ctx, cancel := context.WithTimeout(t.Context(), 3*e2e.Patience)
	defer cancel()
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for n := int(l.calls.Add(1)); n <= total; n = int(l.calls.Add(1)) {
				if err := l.call(ctx, n); err != nil {
					l.mu.Lock()
					l.faults = append(l.faults, fmt.Sprintf("call %d: %v", n, err))
					l.mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if len(l.faults) > 0 {
		t.Errorf("%d of %d calls are lost, such as %q", len(l.faults), total, slices.Compact(l.faults[:min(len(l.faults), 10)]))
	}
}

// call makes the n-th call. One that begins a phase rotates before, while the others go on.
func (l *load) call(ctx context.Context, n int) error {
	phase := min(n*len(l.accepted)/total, len(l.steps))
	if phase > 0 && (n-1)*len(l.accepted)/total < phase {
		if err := l.idp.rotate(ctx, l.steps[phase-1]...); err != nil {
			return err
		}
	}
	which := n % len(models)
	token, err := l.token(ctx, which, n/len(models)%4)
	if err != nil {
		return err
	}
	began := time.Now()
	err = models[which].call(ctx, l.sample, protocols[n/12%len(protocols)], token, l.home.organization)
	took := time.Since(began)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = max(l.slowest, took)
	ofOld := keyID(token) == l.oldKey
	switch got := answerOf(err); {
	case got == accepted && ofOld:
		l.accepted[phase].old++
	case got == accepted:
		l.accepted[phase].new++
	case got == l.after && ofOld && phase > 0:
		l.refused++
	default:
		return fmt.Errorf("%s, old key %t, after %v: %w", models[which].name, ofOld, took, err)
	}
	return nil
}

// token returns a token of a model: in two of four calls a fresh one, in one the same as always, and
// in one an old one that was never used.
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
