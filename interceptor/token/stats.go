package token

import (
	"sync"
	"sync/atomic"
)

// Stats are the counters of a [Verifier] since it was made. They count tokens, whatever a
// guard decides about them. One that is refused before its signature is looked at, for its
// form, issuer, type, time or unknown key, is in none of them.
type Stats struct {
	// Hits counts the tokens that were accepted without verifying their signature.
	Hits uint64
	// Misses counts the signatures that were verified, those of forged tokens among them, but not
	// the few that only decide what the error says of a token's dates.
	Misses uint64
	// Busy counts the calls that were refused with [ErrBusy], but not those that ended
	// while they waited.
	Busy uint64
	// Evictions counts the cached tokens that made room for others, many of them expired. A
	// larger cache helps if Misses grow faster than the issuers hand out tokens: see
	// [WithCache].
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
		stats.Entries, stats.Evictions = v.cache.Stats()
	}
	return stats
}

// A counter can be added to by all processors at once: a single number would be
// handed from one to the next.
type counter struct {
	_       [64]byte // nothing that others read stands beside a number
	numbers [32]number
	given   atomic.Uint32 // numbers that were given to processors
	pool    sync.Pool     // of them, one for each processor
}

type number struct {
	atomic.Uint64
	_ [56]byte // a cache line each
}

func (c *counter) add() {
	n, ok := c.pool.Get().(*number)
	if !ok {
		n = &c.numbers[c.given.Add(1)%uint32(len(c.numbers))]
	}
	n.Add(1)
	c.pool.Put(n)
}

func (c *counter) sum() (sum uint64) {
	for i := range c.numbers {
		sum += c.numbers[i].Load()
	}
	return sum
}
