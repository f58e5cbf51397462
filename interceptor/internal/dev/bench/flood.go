package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	floodRounds = 3
	goodCallers = 4
	newEvery    = 50 * time.Millisecond // comes a token that was never seen before
)

// A floodCase is one server, and who calls it.
type floodCase struct {
	name    string
	options []token.Option
	flooded bool
}

func floodCases() []floodCase {
	return []floodCase{
		{"no flood", nil, false},
		{"flood, default limit", nil, true},
		{"flood, no limit", []token.Option{token.WithSignatureLimit(1 << 20)}, true},
	}
}

func floodGroup(ctx context.Context, b *bench) (err error) {
	cases := floodCases()
	plans := make([]floodPlan, len(cases))
	for n, each := range cases {
		guard, guardErr := b.issuer.guard(each.options...)
		if guardErr != nil {
			return guardErr
		}
		server, serveErr := serve(ctx, documentsHandler(guard.HandlerOption()))
		if serveErr != nil {
			return serveErr
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		plans[n] = b.plan(server.url)
		if each.flooded {
			plans[n].Forgers = b.forgers
		}
	}
	results := make([][]floodResult, len(cases))
	for round := range floodRounds {
		for _, n := range turns(len(cases), round) {
			plans[n].New = b.newcomers()
			result, err := b.child(ctx, plans[n])
			if err != nil {
				return fmt.Errorf("%s: %w", cases[n].name, err)
			}
			if result.Refused > 0 {
				return fmt.Errorf("%s: %d good calls were refused: %s", cases[n].name, result.Refused, result.Refusal)
			}
			results[n] = append(results[n], result)
		}
	}
	return b.report.table(b.floodTable(cases, results))
}

func (b *bench) plan(url string) floodPlan {
	signed, _ := tokens.CutSignature(b.issuer.member("ES384", "sub", "root"))
	plan := floodPlan{
		URL: url + listDocuments, Forged: signed + ".",
		Body: encodedDocumentsRequest(), Duration: b.flood, Every: newEvery,
	}
	for n := range goodCallers {
		plan.Good = append(plan.Good, b.issuer.member("ES384", "jti", strconv.Itoa(n)))
	}
	return plan
}

// newcomers are tokens that no server has seen, enough for one run.
func (b *bench) newcomers() []string {
	raws := make([]string, 2*b.flood/newEvery)
	for n := range raws {
		raws[n] = b.issuer.member("ES384") // each with a signature of its own
	}
	return raws
}

func (b *bench) floodTable(cases []floodCase, results [][]floodResult) table {
	t := table{
		title: "good callers while others make up tokens",
		note: fmt.Sprintf("ES384 over HTTP/2 on loopback, the server in this process and all clients in another one on the same processors, "+
			"which are part of what is measured. %d good callers with a token each, called once before, and %d forgers, each on a connection of"+
			" its own and as fast as it is answered; every forged token has a signature of its own. A good token that was never seen comes every %s."+
			" %d runs of %s, medians.",
			goodCallers, b.forgers, newEvery, floodRounds, b.flood),
		columns: []string{
			"", "good calls/s", "ratio", "p50", "p99", "good calls refused",
			"first call p50", "first call p99", "first calls refused", "forged calls/s", "answered",
		},
	}
	for n, each := range cases {
		median := func(value func(floodResult) float64) float64 { return quantile(results[n], 0.5, value) }
		ratios := make([]float64, len(results[n]))
		for round, result := range results[n] {
			ratios[round] = float64(result.Accepted) / float64(results[0][round].Accepted)
		}
		seconds, refused, newRefused, answered := b.flood.Seconds(), 0, 0, map[string]int{}
		for _, result := range results[n] {
			refused += result.Refused
			newRefused += result.NewRefused
			for reason, times := range result.Reasons {
				answered[reason] += times
			}
		}
		t.rows = append(t.rows, []string{
			each.name,
			grouped(int64(math.Round(median(func(r floodResult) float64 { return float64(r.Accepted) / seconds })))),
			ratio(quantile(ratios, 0.5, func(ratio float64) float64 { return ratio })),
			duration(median(func(r floodResult) float64 { return float64(r.P50) })),
			duration(median(func(r floodResult) float64 { return float64(r.P99) })),
			strconv.Itoa(refused),
			duration(median(func(r floodResult) float64 { return float64(r.NewP50) })),
			duration(median(func(r floodResult) float64 { return float64(r.NewP99) })),
			strconv.Itoa(newRefused),
			grouped(int64(math.Round(median(func(r floodResult) float64 { return float64(r.forged()) / seconds })))),
			tally(answered),
		})
	}
	return t
}

func tally(times map[string]int) string {
	if len(times) == 0 {
		return "-"
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(times)) {
		parts = append(parts, grouped(int64(times[name]))+" "+name)
	}
	return strings.Join(parts, ", ")
}
