package token

import (
	"context"
	"slices"
	"time"
)

// A drawn fetch is a fetch that a single token causes, by a key that is not there. A budget of time pays for
// drawn fetches, and refills as time goes by.
const (
	drawCost    = 30 * time.Second // of a drawn fetch
	smallCost   = 6 * time.Second  // of a drawn fetch that has failed or brought another key, as a rotation does
	drawBudget  = 5 * drawCost
	askAgain    = 1 * time.Minute       // from the last drawn fetch until an answered key name may draw again
	secondWait  = 50 * time.Millisecond // added to maxWait for a call that has waited for the fetch of another call
	maxAnswered = 100                   // answered key names: a drawn fetch has brought the same keys again
	maxOthers   = 10                    // key names whose calls wait for a fetch that another name has drawn
)

// await waits until there is a key for a token, if a fetch may bring the key. The error is
// [ErrKeysUnavailable] or [ErrInvalid]. Made-up names get ErrKeysUnavailable no more often than the budget
// pays for a fetch.
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
	var own *flight // drawn by this call
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
		// The endpoint may have the key already.
		return s.unavailable()
	}
	return noKey(s.current.Load(), name)
}

// noKey returns the error for a token with a name that no key has.
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
	return invalid("the key with the token's kid is for %q, and the token's header names another alg: the issuer must correct one of them", algorithms)
}

// draw returns a flight that may bring a missing key, or nil if there is none to wait for, and whether the
// flight began for this call. The budget pays for a flight that begins. All calls may wait for a regular
// flight, and calls with a few names for a drawn flight: a flood of made-up names is refused at once.
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

// changed fetches the key set for a token that the tried keys did not sign, and reports whether the issuer has
// other keys of the name: an issuer may use a kid again, or no kid at all. The budget pays for the fetch, and
// only this call waits for it.
func (s *source) changed(ctx context.Context, name keyName, tried []*publicKey, asked time.Time) bool {
	if !sameKeys(s.current.Load().find(name), tried) {
		return true // another call has fetched them
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

// mayDraw reports whether a token may draw a fetch. The caller holds mu.
func (s *source) mayDraw(name keyName) bool {
	return s.failures == 0 && s.affords(name, time.Now()) // a failing endpoint is retried anyway
}

// A budget bounds drawn fetches, since all tokens that draw them may be made up.
type budget struct {
	wholeAt  time.Time // when the budget is whole again
	pauseEnd time.Time // of the pause after drawn fetches that have failed
	failed   int       // drawn fetches since the last success
	drawnAt  time.Time // when the last drawn fetch began
	answered []keyName // see maxAnswered
}

// affords reports whether a key name may draw a fetch. An answered name may draw again only from the whole
// budget, or after a minute without a drawn fetch. So answered names leave most of the budget to others, and
// an attacker who guesses the kid of the next key does not keep that key out for long.
func (b *budget) affords(name keyName, now time.Time) bool {
	left := drawBudget - max(0, b.wholeAt.Sub(now))
	if now.Before(b.pauseEnd) {
		return false
	}
	if slices.Contains(b.answered, name) {
		return left == drawBudget || now.Sub(b.drawnAt) >= askAgain // in which the budget gains drawCost
	}
	return left >= drawCost
}

// pay takes the cost of a drawn fetch from the budget.
func (b *budget) pay(now time.Time) {
	if b.drawnAt = now; b.wholeAt.Before(now) {
		b.wholeAt = now
	}
	b.wholeAt = b.wholeAt.Add(drawCost)
}

// fail returns most of the cost of a drawn fetch that has failed, and begins a pause. The refund lets the next
// drawn fetch find a key soon after the endpoint works again.
func (b *budget) fail(now time.Time) {
	b.wholeAt = b.wholeAt.Add(smallCost - drawCost)
	b.pauseEnd = now.Add(min(minRetry<<min(b.failed, 16), maxRetry))
	b.failed++
}

// learn notes whether a drawn fetch has brought the same keys for its name. It returns most of the cost if the
// keys are others.
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
