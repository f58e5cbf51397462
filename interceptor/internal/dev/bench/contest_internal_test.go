package main

import (
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	same := func(value float64) float64 { return value }
	for _, test := range []struct {
		values []float64
		part   float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 1000, 2}, 0.5, 2}, // one outlier changes nothing
		{[]float64{3, 1, 2, 5, 4}, 0.25, 2},
		{[]float64{3, 1, 2, 5, 4}, 1, 5},
		{[]float64{3, 1, 2, 5, 4}, 0, 1},
	} {
		before := slices.Clone(test.values)
		if got := quantile(test.values, test.part, same); got != test.want {
			t.Errorf("quantile(%v, %v) is %v, want %v", test.values, test.part, got, test.want)
		}
		if !slices.Equal(before, test.values) {
			t.Errorf("%v became %v", before, test.values)
		}
	}
	if got := quantile(nil, 0.5, same); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	for round, want := range [][]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 1, 2}} {
		if got := turns(3, round); !slices.Equal(got, want) {
			t.Errorf("round %d is %v, want %v", round, got, want)
		}
	}
}

func named(names ...string) (contenders []contender) {
	for _, name := range names {
		contenders = append(contenders, contender{name: name})
	}
	return contenders
}

func taking(nanoseconds ...float64) (samples []sample) {
	for _, took := range nanoseconds {
		samples = append(samples, sample{took, took / 10, took * 2})
	}
	return samples
}

// TestStand compares rounds on a machine that becomes slower and slower: the ratio of the
// medians would be another one.
func TestStand(t *testing.T) {
	t.Parallel()
	c := contest{title: "title", contenders: named("a", "b"), reference: "b"}
	s, err := c.stand([][]sample{taking(50, 400, 30), taking(10, 100, 60)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.find("a")
	if err != nil {
		t.Fatal(err)
	}
	if a.ratio != 4 || a.median != (sample{50, 5, 100}) || a.added != (sample{40, 4, 80}) {
		t.Errorf("a stands at %+v", a)
	}
	if a.spread != (225.0-40)/50 {
		t.Errorf("the spread of a is %v", a.spread)
	}
	if b, err := s.find("b"); err != nil || b.ratio != 1 || b.added != (sample{}) || b.median.nanoseconds != 60 {
		t.Errorf("b stands at %+v, %v", b, err)
	}
	if _, err := s.find("c"); err == nil {
		t.Error("there is a c")
	}
	c.reference = "c"
	if _, err := c.stand([][]sample{taking(1), taking(1)}); err == nil {
		t.Error("a reference that is nobody is no error")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		op := func(name string, each time.Duration) operation {
			return func(n int) error {
				order = append(order, name)
				time.Sleep(time.Duration(n) * each) // the bubble's clock
				return nil
			}
		}
		c := contest{title: "title", reference: "short", contenders: []contender{
			{"short", op("short", 20*time.Microsecond)}, {"long", op("long", 200*time.Microsecond)},
		}}
		s, err := c.run(t.Context(), 4, 2*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		measured := order[len(order)-8:]
		if want := []string{"short", "long", "long", "short", "short", "long", "long", "short"}; !slices.Equal(measured, want) {
			t.Errorf("the order is %v, want %v", measured, want)
		}
		short, shortErr := s.find("short")
		long, longErr := s.find("long")
		if err := errors.Join(shortErr, longErr); err != nil {
			t.Fatal(err)
		}
		if len(short.samples) != 4 || long.ratio != 10 {
			t.Errorf("%d rounds, %.2f times as long", len(short.samples), long.ratio)
		}
	})
}

func TestWrongAnswerEndsContest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errWrong := errors.New("a wrong answer")
		calls := 0
		call := func() error {
			time.Sleep(time.Microsecond) // the bubble's clock
			return nil
		}
		c := contest{title: "title", reference: "good", contenders: []contender{
			{"good", repeat(call)},
			{"bad", repeat(func() error {
				if calls++; calls == 1000 {
					return errWrong
				}
				return call()
			})},
		}}
		_, err := c.run(t.Context(), 10, time.Millisecond)
		if !errors.Is(err, errWrong) || !strings.HasPrefix(err.Error(), "title: bad: ") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestMeasureAllocations(t *testing.T) {
	t.Parallel()
	var kept []byte
	s, err := measure(repeat(func() error {
		kept = make([]byte, 1<<20)
		return nil
	}), 100)
	if err != nil || len(kept) == 0 || s.allocations < 1 || s.bytes < 1<<20 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	var done atomic.Int64
	if err := spread(7, func(n int) error { done.Add(int64(n)); return nil })(100); err != nil || done.Load() != 100 {
		t.Errorf("%d operations, %v", done.Load(), err)
	}
	if err := spread(7, func(int) error { return errAccepted })(100); !errors.Is(err, errAccepted) {
		t.Errorf("the error is %v", err)
	}
}
