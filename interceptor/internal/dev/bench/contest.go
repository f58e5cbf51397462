package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// An operation does the same thing n times. It ends with an error as soon as the answer is
// not the one that it should be.
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

// spread shares an operation's work out to goroutines.
func spread(goroutines int, op operation) operation {
	return func(n int) error {
		errs := make([]error, goroutines)
		var all sync.WaitGroup
		for i := range goroutines {
			share := n / goroutines
			if i < n%goroutines {
				share++
			}
			all.Go(func() { errs[i] = op(share) })
		}
		all.Wait()
		return errors.Join(errs...)
	}
}

// A contender is one way to do a contest's work.
type contender struct {
	name string
	op   operation
}

// A contest measures contenders in turns.
type contest struct {
	title, note string
	contenders  []contender
	// reference is the name of the contender that the others are compared with.
	reference string
	// added asks by how much each contender exceeds the reference.
	added bool
	// hoard leaves garbage where it is, since the heap takes too long to go through.
	hoard bool
}

// A sample is what one operation took, in one measurement.
type sample struct{ nanoseconds, allocations, bytes float64 }

// A standing is the outcome of a contest for one contender.
type standing struct {
	contender string
	samples   []sample // by round
	median    sample
	// ratio is the median of the rounds' ratios to the reference, and added that of their
	// differences.
	ratio float64
	added sample
	// spread is by how much the middle half of the rounds differ, as a part of the median.
	spread float64
}

// standings are the outcome of a contest.
type standings struct {
	contest
	all []standing
}

// run measures all contenders once in each round.
func (c contest) run(ctx context.Context, rounds int, budget time.Duration) (*standings, error) {
	counts := make([]int, len(c.contenders))
	samples := make([][]sample, len(c.contenders))
	for i, contender := range c.contenders {
		var err error
		if counts[i], err = calibrate(contender.op, budget); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.title, contender.name, err)
		}
	}
	for round := range rounds {
		for _, i := range turns(len(c.contenders), round) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if !c.hoard {
				runtime.GC()
			}
			s, err := measure(c.contenders[i].op, counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", c.title, c.contenders[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return c.stand(samples)
}

// turns is the order of a round. It is rotated, so that nobody always follows the same
// contender, whose garbage and heat are there to stay.
func turns(contenders, round int) []int {
	order := make([]int, contenders)
	for i := range order {
		order[i] = (i + round) % contenders
	}
	return order
}

// calibrate finds how often an operation fits into the budget, after a first time, which
// may fetch keys and fill caches.
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

// measure counts allocations of the whole process: what a contender leaves to other
// goroutines is its own doing too.
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

// stand compares the samples, by contender and round.
func (c contest) stand(samples [][]sample) (*standings, error) {
	reference := slices.IndexFunc(c.contenders, func(other contender) bool { return other.name == c.reference })
	if reference < 0 {
		return nil, fmt.Errorf("%s: nobody is called %q", c.title, c.reference)
	}
	s := &standings{contest: c}
	for i, own := range samples {
		quarter, threeQuarters := quantile(own, 0.25, nanoseconds), quantile(own, 0.75, nanoseconds)
		added := make([]sample, len(own))
		for round, is := range own {
			base := samples[reference][round]
			added[round] = sample{is.nanoseconds - base.nanoseconds, is.allocations - base.allocations, is.bytes - base.bytes}
		}
		median := medians(own)
		s.all = append(s.all, standing{
			contender: c.contenders[i].name,
			samples:   own,
			median:    median,
			ratio:     medianRatio(own, samples[reference]),
			added:     medians(added),
			spread:    (threeQuarters - quarter) / median.nanoseconds,
		})
	}
	return s, nil
}

// find returns the standing of a contender.
func (s *standings) find(name string) (standing, error) {
	i := slices.IndexFunc(s.all, func(other standing) bool { return other.contender == name })
	if i < 0 {
		return standing{}, fmt.Errorf("%s: nobody is called %q", s.title, name)
	}
	return s.all[i], nil
}

// medianRatio is the median of the rounds' ratios: each compares what was measured a
// moment apart.
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

// quantile is the value below which a part of all values are, between two of them if need
// be. Without any values it is not a number.
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
