package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	floodRounds    = 3
	floodAlgorithm = "ES384" // the costliest to verify
	goodCallers    = 4
	newEvery       = 50 * time.Millisecond // comes a token that the server has not seen
)

func floodGroup(ctx context.Context, b *bench) error {
	cases := []struct {
		name    string
		options []token.Option
		flooded bool
	}{
		{"no flood", nil, false},
		{"flood, default limit", nil, true},
		{"flood, no limit", []token.Option{withoutLimit}, true},
	}
	plans := make([]floodPlan, len(cases))
	for n, each := range cases {
		guard, err := b.issuer.guard(each.options...)
		if err != nil {
			return err
		}
		url, err := b.serve(ctx, documentsHandler(guard.HandlerOption()))
		if err != nil {
			return err
		}
		plans[n] = b.plan(url)
		if each.flooded {
			plans[n].Forgers = b.forgers
		}
	}
	results := make([][]floodResult, len(cases)) // by case and round
	for round := range floodRounds {
		for turn := range cases {
			n := (turn + round) % len(cases)
			plans[n].New = b.newcomers()
			result, err := plans[n].runInChild(ctx)
			if err == nil && result.Good.Refused > 0 {
				err = fmt.Errorf("%d good calls were refused: %s", result.Good.Refused, result.Good.Refusal)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", cases[n].name, err)
			}
			results[n] = append(results[n], result)
		}
	}
	t := table{
		note: fmt.Sprintf("%s over HTTP/2 on loopback. The clients are another process on the same processors, and part of what is measured. "+
			"%d good callers, each with a cached token, and %d forgers call as fast as they are answered, each on a connection of its own. "+
			"Each forged token has a new signature. Every %s comes a good token that the server has not seen: a first call. %d runs of %s, medians.",
			floodAlgorithm, goodCallers, b.forgers, newEvery, floodRounds, b.flood),
		columns: []string{
			"", "good calls/s", "ratio", "p50", "p99",
			"first call p50", "first call p99", "first calls refused", "forged calls/s",
		},
	}
	for n, each := range cases {
		t.rows = append(t.rows, append([]string{each.name}, floodCells(results[n], results[0], b.flood)...))
	}
	return b.report.table(t)
}

// floodCells compare the results of a case with the results of the reference, by round.
func floodCells(results, reference []floodResult, lasted time.Duration) []string {
	median := func(value func(floodResult) float64) float64 { return quantile(results, 0.5, value) }
	perSecond := func(n int) float64 { return float64(n) / lasted.Seconds() }
	ratios, refused := make([]float64, len(results)), 0
	for round, r := range results {
		ratios[round] = float64(len(r.Good.Took)) / float64(len(reference[round].Good.Took))
		refused += r.New.Refused
	}
	return []string{
		grouped(median(func(r floodResult) float64 { return perSecond(len(r.Good.Took)) })),
		digits(quantile(ratios, 0.5, func(ratio float64) float64 { return ratio })),
		duration(median(func(r floodResult) float64 { return r.Good.percentile(0.50) })),
		duration(median(func(r floodResult) float64 { return r.Good.percentile(0.99) })),
		duration(median(func(r floodResult) float64 { return r.New.percentile(0.50) })),
		duration(median(func(r floodResult) float64 { return r.New.percentile(0.99) })),
		grouped(float64(refused)),
		grouped(median(func(r floodResult) float64 { return perSecond(r.Forged.Refused) })),
	}
}

func (b *bench) plan(url string) floodPlan {
	signed, _ := tokens.CutSignature(b.issuer.token(floodAlgorithm, "sub", "root"))
	plan := floodPlan{
		URL: url + listDocuments, Forged: signed + ".",
		Body: encodedDocumentsRequest(), Duration: b.flood, Every: newEvery,
	}
	for n := range goodCallers {
		plan.Good = append(plan.Good, b.issuer.token(floodAlgorithm, "jti", strconv.Itoa(n)))
	}
	return plan
}

// newcomers are tokens that no server has seen, enough for one run.
func (b *bench) newcomers() []string {
	raws := make([]string, 2+2*b.flood/newEvery)
	for n := range raws {
		raws[n] = b.issuer.token(floodAlgorithm) // each with a signature of its own
	}
	return raws
}
