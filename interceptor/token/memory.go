package token

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
)

const defaultCache = 10_000

// WithCache sets how many verified tokens are remembered, so that the signature of each
// is verified once and not for every call. A token takes its size and about 750 bytes. The
// default is 10,000.
//
// A token that is remembered is refused as soon as it would be without: when its time is
// over, and when the key that signed it leaves the issuer's key set or can no longer be
// used. Only tokens that passed every check are remembered, and they are found by all of
// their bytes.
func WithCache(size int) Option {
	return func(o *options) {
		if size < 1 {
			o.faults = append(o.faults, fmt.Errorf("token: WithCache: %d is not positive: use WithoutCache", size))
		}
		o.cache = size
	}
}

// WithoutCache verifies the signature of a token for every call.
func WithoutCache() Option {
	return func(o *options) { o.cache = 0 }
}

// A verified token is one that passed every check, and what may end it.
type verified struct {
	claims     *Claims
	validity   validity
	issuer     *issuerKeys
	keyID      string // which the token gives
	key        *publicKey
	generation atomic.Uint64 // of the last key set that was seen to hold the key
}

// A memory holds verified tokens.
type memory struct {
	tokens *cache.Cache[verified]
	hits   counter
	misses atomic.Uint64
}

func (m *memory) get(raw string) *verified {
	if m.tokens == nil || len(raw) > maxBytes {
		return nil
	}
	return m.tokens.Get(raw)
}

// recall returns the claims of a token that was verified before, or the error that
// verifying it now would end with. It reports false if it must be verified.
func (v *Verifier) recall(ctx context.Context, raw string) (claims *Claims, ok bool, err error) {
	known := v.memory.get(raw)
	if known == nil {
		return nil, false, nil
	}
	now := time.Now()
	if err := known.validity.check(now); err != nil {
		return nil, true, err
	}
	keys, err := known.issuer.keys.usable(ctx, now, known.keyID)
	if err != nil {
		return nil, true, err
	}
	if !known.stands(keys) {
		return nil, false, nil
	}
	v.memory.hits.add()
	return known.claims, true, nil
}

// stands reports whether the key that verified the token is the one that would be used
// for it now.
func (t *verified) stands(keys *keySet) bool {
	if t.generation.Load() == keys.generation {
		return true
	}
	if key := keys.find(t.keyID, t.key.algorithm); key == nil || !key.equal(t.key) {
		return false
	}
	t.generation.Store(keys.generation)
	return true
}

// remember adds a token that was verified with a key of a key set.
func (v *Verifier) remember(raw string, t *verified, keys *keySet) {
	if v.memory.tokens != nil {
		t.generation.Store(keys.generation)
		v.memory.tokens.Put(raw, t)
	}
}

// Stats are what a [Verifier] has done since it was made.
type Stats struct {
	// Hits counts the calls whose token was remembered.
	Hits uint64
	// Misses counts the calls whose token's signature had to be verified.
	Misses uint64
	// Busy counts the calls that were refused with [ErrBusy].
	Busy uint64
	// Evictions counts the tokens that were forgotten to make room for others. If they
	// are about as many as Misses, a larger cache may help: see [WithCache].
	Evictions uint64
	// Entries is the number of tokens that are remembered now. Those whose time is over
	// are among them, until their place is needed.
	Entries int
}

// Stats returns counters, for metrics.
func (v *Verifier) Stats() Stats {
	stats := Stats{Hits: v.memory.hits.sum(), Misses: v.memory.misses.Load()}
	if v.limit != nil {
		stats.Busy = v.limit.busy.Load()
	}
	if tokens := v.memory.tokens; tokens != nil {
		stats.Evictions, stats.Entries = tokens.Evictions(), tokens.Len()
	}
	return stats
}

// A counter can be added to by all processors at once: a single number would be
// handed from one to the next.
type counter [32]struct {
	atomic.Uint64
	_ [56]byte // a cache line each
}

func (c *counter) add() { c[rand.Uint64()%uint64(len(c))].Add(1) } //nolint:gosec // it spreads load and hides nothing

func (c *counter) sum() (n uint64) {
	for i := range c {
		n += c[i].Load()
	}
	return n
}
