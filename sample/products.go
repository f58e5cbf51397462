package main

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

// Products are the products of the catalog. They are safe for concurrent use; a product is never modified once
// it is in.
type products struct {
	mu       sync.Mutex
	byID     map[string]revised
	revision int           // of the latest change
	changed  chan struct{} // closed at the next change
}

type revised struct {
	*samplev1.Product
	revision int
}

func newProducts() *products {
	return &products{byID: map[string]revised{}, changed: make(chan struct{})}
}

// put adds a product, or replaces the product of the same id. It wakes callers that wait for a change, and does
// not wait for them.
func (p *products) put(product *samplev1.Product) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	p.byID[product.GetId()] = revised{product, p.revision}
	close(p.changed)
	p.changed = make(chan struct{})
}

// since returns the products that were put after a revision, oldest first, the latest revision, and a channel
// that is closed at the next change. A slow caller misses no product; of a product that was replaced several
// times meanwhile, the caller gets the latest version.
func (p *products) since(revision int) (news []*samplev1.Product, latest int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entries := slices.SortedFunc(maps.Values(p.byID), func(a, b revised) int { return cmp.Compare(a.revision, b.revision) })
	for _, entry := range entries {
		if entry.revision > revision {
			news = append(news, entry.Product)
		}
	}
	return news, p.revision, p.changed
}

// list returns all products, ordered by id.
func (p *products) list() []*samplev1.Product {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*samplev1.Product
	for _, id := range slices.Sorted(maps.Keys(p.byID)) {
		all = append(all, p.byID[id].Product)
	}
	return all
}

func (p *products) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.byID[id]
	return ok
}
