package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// An answerFlight is one request for an answer under way. It has a context and a goroutine of its own.
type answerFlight struct {
	done   chan struct{}
	answer *answer // set before done is closed, unless err is
	err    error
}

// flightOf returns the flight for a token that is under way, or begins one. Tokens that are not known may be made up,
// so a window bounds the requests about such tokens. While requests about known tokens fail, a window of their own
// bounds these requests.
func (i *Introspector) flightOf(of digest, raw string, now time.Time) (*answerFlight, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f := i.flights[of]; f != nil {
		return f, nil
	}
	a, known := i.cached(of, now)
	if a != nil { // since a flight has ended that was under way
		return &answerFlight{done: closed, answer: a}, nil
	}
	switch {
	case !known && !i.newTokens.allow(now):
		return nil, fmt.Errorf("%w: Introspection.Limit, %d new tokens in a second, is reached: the client must try again; to ask the issuer for more, raise the limit", ErrBusy, i.settings.Limit)
	case known && i.failure != nil && !i.knownTokens.allow(now):
		return nil, i.failure
	}
	f := &answerFlight{done: make(chan struct{})}
	i.flights[of] = f
	go i.run(f, of, raw, known)
	return f, nil
}

// closed is the channel of a flight that has ended.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// run asks the issuer, keeps the answer, and ends the flight.
func (i *Introspector) run(f *answerFlight, of digest, raw string, known bool) {
	f.err = i.unavailable(errors.New("the HTTP transport called runtime.Goexit"))
	defer func() {
		if recover() != nil { // a transport that panics must not end the process
			f.answer, f.err = nil, i.unavailable(errors.New("the HTTP transport panicked"))
		}
		if f.answer != nil {
			i.keep(of, known, f.answer)
		}
		i.mu.Lock()
		delete(i.flights, of)
		if known { // a made-up token may make the endpoint fail for this token alone
			i.failure = f.err
		}
		i.mu.Unlock()
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), endpoint.Timeout)
	defer cancel()
	if known {
		// Many known tokens may have to be asked for at once. Made-up tokens never wait here.
		select {
		case i.slots <- struct{}{}:
			defer func() { <-i.slots }()
		case <-ctx.Done():
			f.err = i.unavailable(errors.New("too many requests are under way: the endpoint is too slow for the tokens in use"))
			return
		}
	}
	f.answer, f.err = i.ask(ctx, raw)
	if f.err != nil {
		f.err = i.unavailable(f.err)
	}
}

// wait waits for the answer until maxWait after asked.
func (f *answerFlight) wait(ctx context.Context, i *Introspector, asked time.Time) (*answer, error) {
	timer := time.NewTimer(time.Until(asked.Add(maxWait)))
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		return nil, i.unavailable(fmt.Errorf("the endpoint has not answered within %v", maxWait))
	case <-ctx.Done():
		return nil, i.unavailable(errors.New("the call ended before the endpoint answered"))
	}
	return f.answer, f.err
}

// A window has the times of the last events, in turn, as many as may happen in a second.
type window struct {
	times []time.Time
	next  int
}

func newWindow(size int) window { return window{times: make([]time.Time, size)} }

// allow reports whether an event may happen now, and counts the event.
func (w *window) allow(now time.Time) bool {
	if now.Sub(w.times[w.next]) < time.Second {
		return false
	}
	w.times[w.next] = now
	w.next = (w.next + 1) % len(w.times)
	return true
}
