package clientauth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// replacePeriod is how long a token is kept that took the place of a refused one, even if it
// is refused too.
const replacePeriod = 1 * time.Minute

// A keeper keeps one token. It is fetched when a call needs it, by one flight at a time that
// all calls share.
type keeper struct {
	fetch  func() (grant, error)
	shared *backoff // with other keepers

	mu         sync.Mutex
	held       grant
	refused    bool // the token that is held, by a server
	replacedAt time.Time
	flight     *flight
	own        backoff
}

// A flight is one fetch under way.
type flight struct {
	started time.Time
	done    chan struct{}
	token   *oauth2.Token // once it is done, or
	err     error
}

// token returns a token that is good now, and waits for it if it must.
func (k *keeper) token(ctx context.Context) (*oauth2.Token, error) {
	token, f, err := k.current(time.Now())
	if f == nil {
		return token, err
	}
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("clientauth: the call ended while it waited for a token: %w", ctx.Err())
	}
}

// current returns the token if it may be handed out at once, else the flight to wait for,
// else why there is none.
func (k *keeper) current(now time.Time) (*oauth2.Token, *flight, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	good := now.Before(k.held.endAt)
	if good && now.Before(k.held.refreshAt) && !k.refused {
		return k.held.token, nil, nil
	}
	err := k.start(now)
	switch {
	case good && (!k.refused || k.flight == nil):
		return k.held.token, nil, nil
	case k.flight != nil:
		return nil, k.flight, nil
	default:
		return nil, nil, err
	}
}

// start begins a flight, unless there is one or it is too early for another: then it returns
// why. It is called with mu held.
func (k *keeper) start(now time.Time) error {
	if k.flight != nil {
		return nil
	}
	if err := k.own.blocked(now); err != nil {
		return err
	}
	if err := k.shared.claim(now); err != nil {
		return err
	}
	k.flight = &flight{started: time.Now(), done: make(chan struct{})}
	go k.run(k.flight)
	return nil
}

func (k *keeper) run(f *flight) {
	g, err := grant{}, errDied
	defer func() {
		if recover() != nil { // what it says may be a secret
			g, err = grant{}, errDied
		}
		k.land(f, g, err)
	}()
	g, err = k.fetch()
}

var errDied error = downError{fmt.Errorf("clientauth: %w: what fetches it panicked or exited", ErrUnavailable)}

// land ends a flight.
func (k *keeper) land(f *flight, g grant, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f.token, f.err = g.token, err
	if err == nil {
		g.token = heldBy(k, g.token)
		f.token, k.held, k.refused = g.token, g, false
		k.own.succeed()
		k.shared.succeed()
	} else {
		if time.Now().Before(k.held.endAt) {
			// One server refuses it, others may not. No further call waits for the next one.
			k.refused, k.held.refreshAt = false, time.Time{}
			f.token, f.err = k.held.token, nil
		}
		k.own.fail(f.started, err)
		if ofAll(err) {
			k.shared.fail(f.started, err)
		} else {
			k.shared.succeed() // the endpoint is there
		}
	}
	k.flight = nil
	close(f.done)
}

// drop has the token replaced if it is the one that a server refused.
func (k *keeper) drop(refused *oauth2.Token) {
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refused || k.held.token == nil || k.held.token.AccessToken != refused.AccessToken ||
		!k.replacedAt.IsZero() && now.Sub(k.replacedAt) < replacePeriod {
		return
	}
	k.refused, k.replacedAt = true, now
}
