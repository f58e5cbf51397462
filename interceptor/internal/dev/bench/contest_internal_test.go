package main

import (
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	same := func(value float64) float64 { return value }
	for _, test := range []struct {
		values     []float64
		part, want float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{1, 1000, 2}, 0.5, 2}, // an outlier changes nothing
		{[]float64{3, 1, 2, 5, 4}, 0.25, 2},
		{[]float64{3, 1, 2, 5, 4}, 1, 5},
		{[]float64{3, 1, 2, 5, 4}, 0, 1},
	} {
		before := slices.Clone(test.values)
		if got := quantile(test.values, test.part, same); got != test.want || !slices.Equal(before, test.values) {
			t.Errorf("quantile(%v, %v) is %v, want %v; left %v", before, test.part, got, test.want, test.values)
		}
	}
	if got := quantile(nil, 0.5, same); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func taking(nanoseconds ...float64) (samples []sample) {
	for _, took := range nanoseconds {
		samples = append(samples, sample{took, took / 10, took * 2})
	}
	return samples
}

// TestStand compares rounds on a machine that becomes slower and slower: the ratio of the medians
// would be another one.
func TestStand(t *testing.T) {
	t.Parallel()
	c := contest{contenders: []contender{{name: "a"}, {name: "b"}}}
	all := c.stand([][]sample{taking(10, 100, 60), taking(50, 400, 30)})
	if a := all[0]; a.name != "a" || a.ratio != 1 || a.median.nanoseconds != 60 {
		t.Errorf("a stands at %+v", a)
	}
	if b := all[1]; b.name != "b" || b.ratio != 4 || b.median != (sample{50, 5, 100}) || b.spread != (225.0-40)/50 {
		t.Errorf("b stands at %+v", b)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		named := func(name string, each time.Duration) contender {
			return contender{name, func(n int) error {
				order = append(order, name)
				time.Sleep(time.Duration(n) * each) // the bubble's clock
				return nil
			}}
		}
		c := contest{contenders: []contender{
			named("short", 20*time.Microsecond), named("long", 200*time.Microsecond), named("longer", 400*time.Microsecond),
		}}
		all, err := c.run(t.Context(), 4, 20*time.Millisecond)
		if err != nil || len(all) != 3 || len(all[0].samples) != 4 || all[1].ratio != 10 || all[2].ratio != 20 {
			t.Errorf("%v, %+v", err, all)
		}
		measured := order[len(order)-12:]
		if want := []string{
			"short", "long", "longer", "long", "longer", "short", "longer", "short", "long", "short", "long", "longer",
		}; !slices.Equal(measured, want) {
			t.Errorf("the order is %v, want %v", measured, want)
		}
	})
}

func TestWrongAnswerEndsContest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errWrong := errors.New("a wrong answer")
		calls := 0
		c := contest{contenders: []contender{{"bad", repeat(func() error {
			if calls++; calls == 1000 {
				return errWrong
			}
			time.Sleep(time.Microsecond) // the bubble's clock
			return nil
		})}}}
		if _, err := c.run(t.Context(), 10, time.Millisecond); !errors.Is(err, errWrong) || err.Error() != "bad: a wrong answer" || calls != 1000 {
			t.Errorf("after %d calls the error is %v", calls, err)
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
