package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"strconv"
	"strings"
)

// cacheGroup is about what is cached by what: whole tokens or their hashes, in which
// structure.
func cacheGroup(ctx context.Context, b *bench) error {
	for _, part := range []func(context.Context, *bench) error{compareHits, compareMisses, reportHitRatios, reportStoreHeap} {
		if err := part(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

const (
	storeSize = 10_000
	tokenSize = 750
)

// A keying is how a token becomes the key of a store.
type keying struct {
	name string
	key  func(raw string) string
}

func keyings() []keying {
	return []keying{
		{"whole token", func(raw string) string { return raw }},
		{"SHA-256", func(raw string) string {
			var data [tokenSize]byte // a conversion would allocate
			sum := sha256.Sum256(data[:copy(data[:], raw)])
			return string(sum[:])
		}},
	}
}

// randomTokens have the size of tokens, and differ everywhere, as signatures do.
func randomTokens(n int) []string {
	raws := make([]string, n)
	random := make([]byte, tokenSize*3/4+1)
	for k := range raws {
		_, _ = rand.Read(random) // never fails
		raws[k] = base64.RawURLEncoding.EncodeToString(random)[:tokenSize]
	}
	return raws
}

var errNotRemembered = errors.New("a key that was put is not there")

// compareHits asks for what is there: one hot token, and 8,000 of which some are hotter.
func compareHits(ctx context.Context, b *bench) error {
	const zipfTokens = 8000
	raws := randomTokens(zipfTokens)
	skewed := make([]int, 1<<16)
	zipf := newZipf(zipfTokens)
	for k := range skewed {
		skewed[k] = int(zipf.Uint64()) //nolint:gosec // below zipfTokens
	}
	for _, pattern := range []struct {
		name  string
		order []int
	}{{"one hot token", []int{0}}, {"8,000 tokens, Zipf", skewed}} {
		alone := contest{title: "hit, " + pattern.name + ", one goroutine", reference: nameOurCache + ", whole token"}
		together := contest{
			title:     fmt.Sprintf("hit, %s, %d goroutines", pattern.name, 4*runtime.GOMAXPROCS(0)),
			reference: alone.reference,
		}
		for _, kind := range storeKinds() {
			for _, by := range keyings() {
				s, err := kind.make(storeSize)
				if err != nil {
					return err
				}
				for k, raw := range raws {
					s.Put(by.key(raw), &entry{k})
				}
				op := hits(s, by, raws, pattern.order)
				name := kind.name + ", " + by.name
				alone.contenders = append(alone.contenders, contender{name, op})
				together.contenders = append(together.contenders, contender{name, spread(4*runtime.GOMAXPROCS(0), op)})
			}
		}
		if err := b.compare(ctx, alone); err != nil {
			return err
		}
		if err := b.compare(ctx, together); err != nil {
			return err
		}
	}
	return nil
}

// hits makes an operation that copies each token first: one that came over the network is
// never the very string that is cached, whose comparison would cost nothing.
func hits(s store, by keying, raws []string, order []int) operation {
	arrived := make([]string, len(raws))
	for k, raw := range raws {
		arrived[k] = strings.Clone(raw)
	}
	return func(n int) error {
		next := mathrand.IntN(len(order)) //nolint:gosec // it hides nothing
		for range n {
			k := order[next]
			if next++; next == len(order) {
				next = 0
			}
			if found := s.Get(by.key(arrived[k])); found == nil || found.number != k {
				return errNotRemembered
			}
		}
		return nil
	}
}

// compareMisses asks for what is not there any more, and puts it there, so that something
// else has to go.
func compareMisses(ctx context.Context, b *bench) error {
	raws := randomTokens(4 * storeSize)
	c := contest{title: "miss, insertion and eviction", reference: nameOurCache + ", whole token"}
	for _, kind := range storeKinds() {
		for _, by := range keyings() {
			s, err := kind.make(storeSize)
			if err != nil {
				return err
			}
			next := 0
			c.contenders = append(c.contenders, contender{kind.name + ", " + by.name, repeat(func() error {
				key := by.key(raws[next])
				if found := s.Get(key); found == nil {
					s.Put(key, &entry{next})
				} else if found.number != next {
					return errNotRemembered
				}
				if next++; next == len(raws) {
					next = 0
				}
				return nil
			})})
		}
	}
	return b.compare(ctx, c)
}

// newZipf is Zipf's law with an exponent of 1.01, and the same numbers for each store.
func newZipf(n int) *mathrand.Zipf {
	return mathrand.NewZipf(mathrand.New(mathrand.NewPCG(1, 2)), 1.01, 1, uint64(n-1)) //nolint:gosec // it hides nothing
}

// reportHitRatios counts how often what was seen before is still there.
func reportHitRatios(_ context.Context, b *bench) error {
	asked := 10 * b.distinct
	t := table{
		title: "hit ratio of " + grouped(storeSize) + " entries, of " + grouped(int64(asked)) + " times asked",
		note: "Zipf(1.01) over 100,000 keys; 5,000 keys that are asked for again and again, each followed by one that is never" +
			" asked for again: of the former.",
		columns: []string{"", "Zipf", "hot set and scan"},
	}
	for _, kind := range storeKinds() {
		skewed, err := kind.make(storeSize)
		if err != nil {
			return err
		}
		zipf, skewedHits := newZipf(100_000), 0
		for range asked {
			skewedHits += ask(skewed, strconv.FormatUint(zipf.Uint64(), 10))
		}
		scanned, err := kind.make(storeSize)
		if err != nil {
			return err
		}
		random, hotHits := mathrand.New(mathrand.NewPCG(1, 2)), 0 //nolint:gosec // it hides nothing
		for k := range asked / 2 {
			hotHits += ask(scanned, "hot "+strconv.Itoa(random.IntN(storeSize/2)))
			ask(scanned, "once "+strconv.Itoa(k))
		}
		t.rows = append(t.rows, []string{kind.name, part(skewedHits, asked), part(hotHits, asked/2)})
	}
	return b.report.table(t)
}

// ask returns 1 if the key is there, and puts it there otherwise.
func ask(s store, key string) int {
	if s.Get(key) != nil {
		return 1
	}
	s.Put(key, new(entry))
	return 0
}

func part(n, of int) string {
	return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 1, 64) + " %"
}

// reportStoreHeap fills stores. Tokens are copied into them, as requests do not outlive
// their call.
func reportStoreHeap(_ context.Context, b *bench) error {
	raws := randomTokens(storeSize)
	t := table{
		title:   "heap of an entry, of " + grouped(storeSize),
		note:    "The token of " + strconv.Itoa(tokenSize) + " bytes is part of it where it is the key.",
		columns: []string{"", "whole token", "SHA-256"},
	}
	for _, kind := range storeKinds() {
		row := []string{kind.name}
		for _, by := range keyings() {
			before := heap()
			s, err := kind.make(storeSize)
			if err != nil {
				return err
			}
			for k, raw := range raws {
				s.Put(strings.Clone(by.key(raw)), &entry{k})
			}
			row = append(row, grouped(int64((heap()-before)/storeSize))+" B")
			runtime.KeepAlive(s)
		}
		t.rows = append(t.rows, row)
	}
	runtime.KeepAlive(raws)
	return b.report.table(t)
}
