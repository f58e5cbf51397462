package token

import (
	"context"
	"slices"
	"time"
)

// What fetches cost that a single token draws. A budget of time pays for them, which refills as time
// goes by.
const (
	drawCost    = 30 * time.Second // of a fetch
	smallCost   = 6 * time.Second  // ... that has brought another key, as a rotation does, or has failed
	drawBudget  = 5 * drawCost
	askAgain    = 1 * time.Minute       // after the last drawn fetch, for a key name that is answered
	secondWait  = 50 * time.Millisecond // more than maxWait, for a call that has waited for another's fetch
	maxAnswered = 100                   // key names that are remembered: those that a fetch has brought no other key for
	maxOthers   = 10                    // key names whose calls wait for a fetch that another one has caused
)

// await waits until there is a key for a token, if a fetch may bring one. The error is
// [ErrKeysUnavailable] or [ErrInvalid]: strangers, who make up what they like, get the former no more often
// than the budget pays for a fetch.
func (s *source) await(ctx context.Context, name keyName, asked time.Time) error {
	if set := s.current.Load(); s.fresh(set, asked) && len(set.find(name)) > 0 {
		return nil
	}
	s.mu.Lock()
	before := s.flights
	s.mu.Unlock()
	set, err := s.usable(ctx, asked, name)
	if err != nil {
		return err
	}
	var own *flight // that this call has caused
	from := asked
	// A fetch that was under way may have begun before the key was there.
	for len(set.find(name)) == 0 && set.flight <= before && own == nil {
		f, mine := s.draw(name)
		if mine {
			own = f
		}
		if f == nil || !f.wait(ctx, from) {
			break
		}
		set, from = s.current.Load(), asked.Add(secondWait)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.flight; {
	case len(s.current.Load().find(name)) > 0:
		return nil
	case s.failures > 0:
		return s.unavailable()
	case set.flight > before, ctx.Err() != nil:
		return noKey(s.current.Load(), name)
	case own != nil && own.err != nil:
		return own.err
	case f != nil && (f.regular || f.name == name):
		// The key may be one that the endpoint has and we do not have yet.
		return s.unavailable()
	}
	return noKey(s.current.Load(), name)
}

// noKey returns the error for a token whose name no key has.
func noKey(set *keySet, name keyName) error {
	if name.id == "" {
		return set.errNoKeyID
	}
	var algorithms []string
	for _, key := range set.keys {
		if key.ID == name.id {
			algorithms = append(algorithms, key.Algorithm)
		}
	}
	if len(algorithms) == 0 {
		return set.errKeyID
	}
	return invalid("the key with the token's kid is for %q, and the token's header names another alg: the issuer must mend one of them", algorithms)
}

// draw returns the fetch to wait for that may bring a key which is not there yet, or nil, and whether it was
// begun for this call. The budget pays for those. Calls wait for a fetch that is for all, and for that of a
// few key names: those of a flood of made-up ones are refused at once.
func (s *source) draw(name keyName) (f *flight, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f := s.flight; {
	case f != nil && (f.regular || f.name == name || slices.Contains(f.others, name)):
		return f, false
	case !s.mayDraw(name):
		return nil, false
	case f == nil:
		return s.start(time.Now(), name, true), true
	case len(f.others) < maxOthers:
		f.others = append(f.others, name.clone())
		return f, false
	default:
		return nil, false
	}
}

// changed fetches the key set for a token that the keys of its name did not sign, and reports whether
// the issuer has others under that name: it may use a kid again, or none at all. Such a fetch costs
// what one for an unknown kid costs, and only the call that has caused it waits.
func (s *source) changed(ctx context.Context, name keyName, tried []*publicKey, asked time.Time) bool {
	if !sameKeys(s.current.Load().find(name), tried) {
		return true // meanwhile
	}
	s.mu.Lock()
	if s.flight != nil || !s.mayDraw(name) {
		s.mu.Unlock()
		return false
	}
	f := s.start(time.Now(), name, true)
	s.mu.Unlock()
	return f.wait(ctx, asked) && !sameKeys(s.current.Load().find(name), tried)
}

// mayDraw reports whether a token may draw a fetch. It is called with mu held.
func (s *source) mayDraw(name keyName) bool {
	return s.failures == 0 && s.affords(name, time.Now()) // a failing endpoint has retries of its own
}

// A budget bounds the fetches that single tokens draw, which may all be made up.
type budget struct {
	wholeAt  time.Time // when it is whole again
	pauseEnd time.Time // until when nothing may be drawn, since drawn fetches have failed
	failed   int       // drawn fetches since the last success
	drawnAt  time.Time // when the last drawn fetch began
	answered []keyName // those for which one has brought no other key
}

// affords reports whether a fetch may be drawn for a key name. Those that are answered draw again only
// from the whole budget, or after a minute without a drawn fetch: however many there are, they leave most
// of the budget to others, and an attacker who guesses the kid of the next key does not keep it out for
// long.
func (b *budget) affords(name keyName, now time.Time) bool {
	left := drawBudget - max(0, b.wholeAt.Sub(now))
	if now.Before(b.pauseEnd) {
		return false
	}
	if slices.Contains(b.answered, name) {
		return left == drawBudget || left >= drawCost && now.Sub(b.drawnAt) >= askAgain
	}
	return left >= drawCost
}

// pay takes out what a fetch costs.
func (b *budget) pay(now time.Time) {
	if b.drawnAt = now; b.wholeAt.Before(now) {
		b.wholeAt = now
	}
	b.wholeAt = b.wholeAt.Add(drawCost)
}

// fail says that a drawn fetch has failed. The next one has to wait, and finds a key soon after the
// endpoint works again.
func (b *budget) fail(now time.Time) {
	b.wholeAt = b.wholeAt.Add(smallCost - drawCost)
	b.pauseEnd = now.Add(min(minRetry<<min(b.failed, 16), maxRetry))
	b.failed++
}

// learn says what a drawn fetch has brought for its key name: the same keys, or others.
func (b *budget) learn(name keyName, same bool) {
	b.answered = slices.DeleteFunc(b.answered, func(answered keyName) bool { return answered == name })
	if !same {
		b.wholeAt = b.wholeAt.Add(smallCost - drawCost)
		return
	}
	if len(b.answered) == maxAnswered {
		b.answered = slices.Delete(b.answered, 0, 1)
	}
	b.answered = append(b.answered, name)
}
