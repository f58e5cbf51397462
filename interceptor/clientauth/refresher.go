package clientauth

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// replacePeriod is the time in which a source replaces one refused token, so that a server that
// refuses all tokens costs few requests.
const replacePeriod = 1 * time.Minute

// A refresher holds one token, and fetches another when a call needs it. All calls share one
// flight at a time.
type refresher struct {
	fetch  func() (grant, error)
	shared *backoff // with other refreshers

	mu         sync.Mutex
	held       grant
	refused    bool // a server has refused the held token
	replacedAt time.Time
	flight     *flight
	own        backoff
}

// A flight is one fetch under way.
type flight struct {
	started time.Time
	done    chan struct{}
	token   *oauth2.Token // set before done is closed, unless err is
	err     error
}

// token returns a token that is good now. It waits for a flight if there is none.
func (r *refresher) token(ctx context.Context) (*oauth2.Token, error) {
	token, f, err := r.current(time.Now())
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

// current returns the held token, or the flight to wait for, or the error that explains why there
// is neither.
func (r *refresher) current(now time.Time) (*oauth2.Token, *flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	good := now.Before(r.held.endAt)
	if now.Before(r.held.refreshAt) && !r.refused {
		return r.held.token, nil, nil
	}
	err := r.start(now)
	switch {
	case good && (!r.refused || r.flight == nil):
		return r.held.token, nil, nil
	case r.flight != nil:
		return nil, r.flight, nil
	default:
		return nil, nil, err
	}
}

// start begins a flight, unless there is one. It returns the last error if it is too early for
// another attempt. The caller holds mu.
func (r *refresher) start(now time.Time) error {
	if r.flight != nil {
		return nil
	}
	if err := r.own.blocked(now); err != nil {
		return err
	}
	if err := r.shared.claim(now); err != nil {
		return err
	}
	r.flight = &flight{started: time.Now(), done: make(chan struct{})}
	go r.run(r.flight)
	return nil
}

func (r *refresher) run(f *flight) {
	g, err := grant{}, errDied
	defer func() {
		_ = recover() // its value may hold a secret
		r.finish(f, g, err)
	}()
	g, err = r.fetch()
}

var errDied error = downError{fmt.Errorf("clientauth: %w: the fetch panicked or exited", ErrUnavailable)}

// finish ends a flight.
func (r *refresher) finish(f *flight, g grant, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.token, f.err = g.token, err
	if err == nil {
		g.token = withHolder(r, g.token)
		f.token, r.held, r.refused = g.token, g, false
		r.own.succeed()
		r.shared.succeed()
	} else {
		if time.Now().Before(r.held.endAt) {
			// Other servers may accept a refused token. No further call waits for the next token.
			r.refused, r.held.refreshAt = false, time.Time{}
			f.token, f.err = r.held.token, nil
		}
		r.own.fail(f.started, err)
		if ofAll(err) {
			r.shared.fail(f.started, err)
		} else {
			r.shared.succeed() // the endpoint works
		}
	}
	r.flight = nil
	close(f.done)
}

// drop lets the next call replace the held token if it is the refused one.
func (r *refresher) drop(refused *oauth2.Token) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused || r.held.token == nil || r.held.token.AccessToken != refused.AccessToken || now.Sub(r.replacedAt) < replacePeriod {
		return
	}
	r.refused, r.replacedAt = true, now
}
