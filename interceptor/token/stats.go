package token

import (
	"math/rand/v2"
	"sync/atomic"
)

// Stats are the counters of a [Verifier] since it was made. Calls that are refused for
// another reason are in none of them.
type Stats struct {
	// Hits counts the calls that were let in without verifying a signature.
	Hits uint64
	// Misses counts the signatures that were verified, good or bad.
	Misses uint64
	// Busy counts the calls that were refused with [ErrBusy].
	Busy uint64
	// Evictions counts the cached tokens that had to make room for others. If they are
	// about as many as Misses, a larger cache may help: see [WithCache].
	Evictions uint64
	// Entries is the number of cached tokens. Those whose time is over are among them,
	// until their place is needed.
	Entries int
}

// Stats returns counters, for metrics. They are not all read at the same moment.
func (v *Verifier) Stats() Stats {
	stats := Stats{Hits: v.hits.sum(), Misses: v.misses.Load()}
	if v.limit != nil {
		stats.Busy = v.limit.busy.Load()
	}
	if v.cache != nil {
		stats.Evictions, stats.Entries = v.cache.Evictions(), v.cache.Len()
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
