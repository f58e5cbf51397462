// Package cache keeps a bounded number of values in memory.
package cache

import (
	"sync"
	"sync/atomic"
)

// A Cache holds values by key. Once the cache is full, each new key takes the place of a fresh
// key that Get has not found, or else of an old key that Get has not found lately. So keys that
// are used once push out only each other. This is S3-FIFO (https://s3fifo.com) without the
// memory of evicted keys.
//
// A Cache is safe for concurrent use. Get waits neither for other lookups nor for Put.
type Cache[V any] struct {
	entries sync.Map // of string to *entry[V]

	mu         sync.Mutex
	size       int
	fresh, old []*entry[V] // queues
	evictions  uint64
}

type entry[V any] struct {
	key   string
	value atomic.Pointer[V]
	used  atomic.Bool // found by Get, since Put or since evict passed the entry over
}

// New returns a cache of at most size values. The size must be positive.
func New[V any](size int) *Cache[V] { return &Cache[V]{size: size} }

// Get returns the value of a key, or nil if there is none.
func (c *Cache[V]) Get(key string) *V {
	e := c.find(key)
	if e == nil {
		return nil
	}
	if !e.used.Load() { // processors share what they only read
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
	if len(c.fresh)+len(c.old) == c.size {
		c.evict()
	}
	e := &entry[V]{key: key}
	e.value.Store(value)
	c.fresh = append(c.fresh, e)
	c.entries.Store(key, e)
}

// maxTries is the number of used entries that evict passes over, since all entries may be used.
const maxTries = 256

// evict removes an entry: a fresh one if fresh entries are more than a tenth of all.
func (c *Cache[V]) evict() {
	for tries := maxTries; ; tries-- {
		queue := &c.old
		if len(c.fresh) > c.size/10 {
			queue = &c.fresh
		}
		e := (*queue)[0]
		(*queue)[0] = nil // lets go of the entry
		*queue = (*queue)[1:]
		if e.used.Swap(false) && tries > 0 {
			c.old = append(c.old, e)
			continue
		}
		c.entries.Delete(e.key)
		c.evictions++
		return
	}
}

// Stats returns the number of values, and the number of evicted values.
func (c *Cache[V]) Stats() (values int, evictions uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fresh) + len(c.old), c.evictions
}
