// Package cache keeps a bounded number of values in memory: those that are asked for.
package cache

import (
	"sync"
	"sync/atomic"
)

// A Cache holds values by key. Once it is full, each new key takes the place of another:
// of one that is new itself and has not been asked for, and else of one that has not been
// asked for lately, so that keys that are never asked for again push out nobody but each
// other. That is S3-FIFO (https://s3fifo.com) without its memory of what was evicted.
//
// A Cache is safe for concurrent use, and lookups neither wait for each other nor for Put.
type Cache[V any] struct {
	entries sync.Map // of string to *entry[V]

	mu         sync.Mutex
	size       int
	fresh, old []*entry[V] // in the order in which they came
	evictions  uint64
}

type entry[V any] struct {
	key   string
	value atomic.Pointer[V]
	used  atomic.Bool // since it came, or since evict passed it over
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
	if len(c.fresh)+len(c.old) == c.size {
		c.evict()
	}
	e := &entry[V]{key: key}
	e.value.Store(value)
	c.fresh = append(c.fresh, e)
	c.entries.Store(key, e)
}

// maxTries is how many values that are in use are passed over: it may be all of them.
const maxTries = 256

// evict makes room for one. Up to a tenth of all are fresh for as long as they like.
func (c *Cache[V]) evict() {
	for tries := maxTries; ; tries-- {
		queue := &c.old
		if len(c.fresh) > c.size/10 {
			queue = &c.fresh
		}
		e := (*queue)[0]
		(*queue)[0] = nil // it is let go
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

// Stats returns the number of values, and how many had to make room for others.
func (c *Cache[V]) Stats() (values int, evictions uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.fresh) + len(c.old), c.evictions
}
