package main

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
)

// A store is a way to cache tokens.
type store interface {
	Get(key string) *entry
	Put(key string, value *entry)
}

// An entry stands for the claims of a token.
type entry struct{ number int }

// A storeKind makes stores that hold at most so many entries.
type storeKind struct {
	name string
	make func(size int) (store, error)
}

const nameOurCache = "our cache"

func storeKinds() []storeKind {
	return []storeKind{
		{nameOurCache, func(size int) (store, error) { return cache.New[entry](size), nil }},
		{"otter", newOtter},
		{"golang-lru", newLRU},
		{"map and mutex", func(size int) (store, error) { return &lockedMap{size: size, entries: map[string]*entry{}}, nil }},
	}
}

// An otterStore is maypok86/otter, which weighs how often keys are asked for (W-TinyLFU)
// on a goroutine of its own.
type otterStore struct{ *otter.Cache[string, *entry] }

func newOtter(size int) (store, error) {
	c, err := otter.New(&otter.Options[string, *entry]{MaximumSize: size})
	return otterStore{c}, err
}

// Get implements store.
func (s otterStore) Get(key string) *entry {
	value, _ := s.GetIfPresent(key)
	return value
}

// Put implements store.
func (s otterStore) Put(key string, value *entry) { s.Set(key, value) }

// An lruStore is hashicorp/golang-lru, exactly least recently used, under one mutex.
type lruStore struct{ *lru.Cache[string, *entry] }

func newLRU(size int) (store, error) {
	c, err := lru.New[string, *entry](size)
	return lruStore{c}, err
}

// Get implements store.
func (s lruStore) Get(key string) *entry {
	value, _ := s.Cache.Get(key)
	return value
}

// Put implements store.
func (s lruStore) Put(key string, value *entry) { s.Add(key, value) }

// A lockedMap is the simplest store. When it is full, it forgets any entry.
type lockedMap struct {
	mu      sync.RWMutex
	entries map[string]*entry
	size    int
}

// Get implements store.
func (m *lockedMap) Get(key string) *entry {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.entries[key]
}

// Put implements store.
func (m *lockedMap) Put(key string, value *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.entries[key]; !ok && len(m.entries) >= m.size {
		for other := range m.entries {
			delete(m.entries, other)
			break
		}
	}
	m.entries[key] = value
}
