// Package cache keeps a bounded number of values in memory: those that are asked for.
package cache

import (
	"sync"
	"sync/atomic"
)

// A Cache holds values by key. Once it is full, each new key takes the place of one
// that has not been asked for lately. It is safe for concurrent use, and lookups
// neither wait for each other nor for Put.
type Cache[V any] struct {
	entries sync.Map // of string to *entry[V]

	mu        sync.Mutex
	ring      []*entry[V] // all entries, which hand goes around
	hand      int
	size      int
	evictions uint64
}

type entry[V any] struct {
	key   string
	value atomic.Pointer[V]
	used  atomic.Bool // since the hand last came by
}

// New makes a cache of at most size values, which must be positive.
func New[V any](size int) *Cache[V] { return &Cache[V]{size: size} }

// Get returns the value of a key, or nil if there is none.
func (c *Cache[V]) Get(key string) *V {
	e := c.find(key)
	if e == nil {
		return nil
	}
	if !e.used.Load() { // a store each time would have the processors fight for it
		e.used.Store(true)
	}
	return e.value.Load()
}

func (c *Cache[V]) find(key string) *entry[V] {
	found, _ := c.entries.Load(key)
	e, _ := found.(*entry[V]) // nil if there is none
	return e
}

// Put sets the value of a key.
func (c *Cache[V]) Put(key string, value *V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.find(key); e != nil {
		e.value.Store(value)
		return
	}
	e := &entry[V]{key: key}
	e.value.Store(value)
	if len(c.ring) < c.size {
		c.ring = append(c.ring, e)
	} else {
		c.evict(e)
	}
	c.entries.Store(e.key, e)
}

// evict puts an entry in the place of the first one that was not used since the hand
// came by, as the second-chance algorithm has it.
func (c *Cache[V]) evict(e *entry[V]) {
	for c.ring[c.hand].used.Swap(false) {
		c.hand = (c.hand + 1) % len(c.ring)
	}
	c.entries.Delete(c.ring[c.hand].key)
	c.ring[c.hand] = e
	c.hand = (c.hand + 1) % len(c.ring)
	c.evictions++
}

// Len returns the number of values.
func (c *Cache[V]) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ring)
}

// Evictions returns how many values had to make room for others.
func (c *Cache[V]) Evictions() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.evictions
}
