package main

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// An operation does the same thing n times. It returns an error at the first wrong answer.
type operation func(n int) error

// repeat makes an operation of one call.
func repeat(call func() error) operation {
	return func(n int) error {
		for range n {
			if err := call(); err != nil {
				return err
			}
		}
		return nil
	}
}

// A contender is one way to do the work of a contest.
type contender struct {
	name string
	op   operation
}

// A contest measures contenders in turns.
type contest struct {
	title, note string
	contenders  []contender // the first one is the reference
}

// A sample is the cost of one operation, by one measurement.
type sample struct{ nanoseconds, allocations, bytes float64 }

// A standing is the outcome of a contest for one contender.
type standing struct {
	name    string
	samples []sample // by round
	median  sample
	spread  float64 // of the middle half of the rounds, as a part of the median
	ratio   float64 // to the reference, see [medianRatio]
}

// run measures all contenders once in each round. The contenders take turns at being the first, so
// that none always follows the same one, whose garbage and heat stay behind.
func (c contest) run(ctx context.Context, rounds int, budget time.Duration) ([]standing, error) {
	counts := make([]int, len(c.contenders))
	samples := make([][]sample, len(c.contenders))
	for i, contender := range c.contenders {
		var err error
		if counts[i], err = calibrate(contender.op, budget); err != nil {
			return nil, fmt.Errorf("%s: %w", contender.name, err)
		}
	}
	for round := range rounds {
		for turn := range c.contenders {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			i := (turn + round) % len(c.contenders)
			runtime.GC()
			s, err := measure(c.contenders[i].op, counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.contenders[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return c.stand(samples), nil
}

// calibrate finds how often an operation fits into the budget. The first call fetches keys and fills
// caches.
func calibrate(op operation, budget time.Duration) (int, error) {
	if err := op(1); err != nil {
		return 0, err
	}
	for n := 1; ; n *= 2 {
		start := time.Now()
		if err := op(n); err != nil {
			return 0, err
		}
		if took := time.Since(start); took >= budget/10 {
			return max(1, int(float64(n)*float64(budget)/float64(took))), nil
		}
	}
}

// measure counts the allocations of the whole process: a contender may leave work to other goroutines.
func measure(op operation, n int) (sample, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := op(n)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return sample{
		nanoseconds: float64(took) / float64(n),
		allocations: float64(after.Mallocs-before.Mallocs) / float64(n),
		bytes:       float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, err
}

// stand compares samples, by contender and round.
func (c contest) stand(samples [][]sample) (all []standing) {
	for i, own := range samples {
		median := medians(own)
		all = append(all, standing{
			name: c.contenders[i].name, samples: own, median: median,
			spread: (quantile(own, 0.75, nanoseconds) - quantile(own, 0.25, nanoseconds)) / median.nanoseconds,
			ratio:  medianRatio(own, samples[0]),
		})
	}
	return all
}

// medianRatio is the median of the ratios of all rounds: each compares neighbours in time.
func medianRatio(own, base []sample) float64 {
	ratios := make([]float64, len(own))
	for round := range own {
		ratios[round] = own[round].nanoseconds / base[round].nanoseconds
	}
	return quantile(ratios, 0.5, func(ratio float64) float64 { return ratio })
}

func nanoseconds(s sample) float64 { return s.nanoseconds }

func medians(samples []sample) sample {
	return sample{
		nanoseconds: quantile(samples, 0.5, nanoseconds),
		allocations: quantile(samples, 0.5, func(s sample) float64 { return s.allocations }),
		bytes:       quantile(samples, 0.5, func(s sample) float64 { return s.bytes }),
	}
}

// quantile is the value that a part of all values are below, if need be between two of them. The
// quantile of nothing is not a number.
func quantile[T any](all []T, part float64, value func(T) float64) float64 {
	if len(all) == 0 {
		return math.NaN()
	}
	values := make([]float64, len(all))
	for i, element := range all {
		values[i] = value(element)
	}
	slices.Sort(values)
	position := part * float64(len(values)-1)
	below := int(position)
	above := min(below+1, len(values)-1)
	return values[below] + (values[above]-values[below])*(position-float64(below))
}
