package cache_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/internal/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func key(n int) string { return "key " + strconv.Itoa(n) }

// held returns the keys that a cache holds, out of the first n. The value of a key is its number.
func held(t *testing.T, c *cache.Cache[int], n int) (keys []int) {
	t.Helper()
	for i := range n {
		if value := c.Get(key(i)); value != nil {
			if *value != i {
				t.Errorf("%q has the value %d", key(i), *value)
			}
			keys = append(keys, i)
		}
	}
	return keys
}

func put(c *cache.Cache[int], keys ...int) {
	for _, n := range keys {
		c.Put(key(n), &n)
	}
}

func checkCache(t *testing.T, c *cache.Cache[int], keys []int, n int, evictions uint64) {
	t.Helper()
	got := held(t, c, n)
	if size, evicted := c.Stats(); !slices.Equal(got, keys) || size != len(keys) || evicted != evictions {
		t.Fatalf("holds %d, has %d, evicted %d; want %d, evicted %d", got, size, evicted, keys, evictions)
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := cache.New[int](3)
	checkCache(t, c, nil, 9, 0)
	put(c, 0, 1, 2)
	put(c, 1) // again: nothing has to make room
	checkCache(t, c, []int{0, 1, 2}, 9, 0)

	// All were used by now, so the first goes.
	put(c, 3)
	checkCache(t, c, []int{1, 2, 3}, 9, 1)
}

// TestScan makes sure that keys that are used once push out no key that is used now and then.
func TestScan(t *testing.T) {
	t.Parallel()
	const size, hot = 100, 80
	c := cache.New[int](size)
	for n := range hot {
		put(c, n)
	}
	held(t, c, hot)
	for n := range 50 * size {
		put(c, hot+n)
		if n%size == 0 && len(held(t, c, hot)) != hot {
			t.Fatalf("after %d others, %d of %d are left", n+1, len(held(t, c, hot)), hot)
		}
	}
	if values, evictions := c.Stats(); values != size || evictions != hot+50*size-size {
		t.Errorf("%d values, %d evictions", values, evictions)
	}
}

// TestUnused makes sure that a key that was used once does not stay for ever.
func TestUnused(t *testing.T) {
	t.Parallel()
	const size = 100
	c := cache.New[int](size)
	for n := range 100 * size {
		put(c, n)
		if c.Get(key(n)) == nil {
			t.Fatalf("%d is not there", n)
		}
	}
	if got := held(t, c, 98*size); len(got) != 0 {
		t.Errorf("%d old ones are left", len(got))
	}
}

// TestAllInUse makes sure that Put is quick though all keys are in use.
func TestAllInUse(t *testing.T) {
	t.Parallel()
	const size, passedOver = 1000, 256
	c := cache.New[int](size)
	for n := range size {
		put(c, n)
	}
	held(t, c, size)
	put(c, size)
	if got := held(t, c, size); len(got) != size-1 || slices.Contains(got, passedOver) {
		t.Errorf("%d are left, %d among them: %t", len(got), passedOver, slices.Contains(got, passedOver))
	}
}

func TestOne(t *testing.T) {
	t.Parallel()
	c := cache.New[int](1)
	for n := range 10 {
		put(c, n)
		checkCache(t, c, []int{n}, 10, uint64(n))
	}
}

// TestSecondChance makes sure that keys in use stay.
func TestSecondChance(t *testing.T) {
	t.Parallel()
	c := cache.New[int](3)
	put(c, 0, 1, 2)
	for n := 3; n < 1000; n++ {
		if c.Get(key(0)) == nil {
			t.Fatalf("%d others took the place of a key in use", n-2)
		}
		put(c, n)
	}
	checkCache(t, c, []int{0, 998, 999}, 1000, 997)
}

func TestNewValue(t *testing.T) {
	t.Parallel()
	c := cache.New[int](1)
	one, two := 1, 2
	c.Put("key", &one)
	c.Put("key", &two)
	if got := c.Get("key"); got != &two {
		t.Errorf("got %v", got)
	}
	if values, evictions := c.Stats(); values != 1 || evictions != 0 {
		t.Errorf("%d values, %d evictions", values, evictions)
	}
}

// TestConcurrentUse makes sure that the bound holds under concurrent use, and that each key has
// its own value.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	const size, keys = 50, 200
	c := cache.New[int](size)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 10_000 {
				n := (i*7 + worker*31) % keys
				if value := c.Get(key(n)); value == nil {
					put(c, n)
				} else if *value != n {
					t.Errorf("%q has the value %d", key(n), *value)
				}
				if got, _ := c.Stats(); got > size {
					t.Errorf("%d values", got)
				}
			}
		})
	}
	all.Wait()
	if values, evictions := c.Stats(); len(held(t, c, keys)) != size || values != size || evictions == 0 {
		t.Errorf("holds %d, has %d, evicted %d", len(held(t, c, keys)), values, evictions)
	}
}
