package token

import (
	"sync"
	"sync/atomic"
)

// Stats are the counters of a [Verifier] since [NewVerifier]. They count tokens, whatever a
// guard decides about the calls. No counter counts a token that is refused before its signature
// is verified, for its form, issuer, type, time or unknown key, nor an opaque token.
type Stats struct {
	// Hits counts the tokens that were accepted from the cache.
	Hits uint64
	// Misses counts the signatures that were verified, also of forged tokens. It leaves out the
	// few verifications that only explain a wrong date.
	Misses uint64
	// Busy counts the calls that were refused with [ErrBusy]. It leaves out calls that ended
	// while they waited.
	Busy uint64
	// Evictions counts the cached tokens that made room for others. Many of them have
	// expired. A larger cache helps if Misses grows faster than the issuers issue tokens: see
	// [WithCache].
	Evictions uint64
	// Entries is the number of cached tokens, also expired ones whose place is not needed yet.
	Entries int
}

// Stats returns the counters, for metrics. The counters are read one after another.
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

// A counter is a sum of numbers, so that processors count without waiting for each other's
// cache lines.
type counter struct {
	_       [64]byte // the cache line before the numbers
	numbers [32]number
	given   atomic.Uint32 // numbers that processors have taken
	pool    sync.Pool     // the number of each processor
}

// A number fills a cache line.
type number struct {
	atomic.Uint64
	_ [56]byte
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
