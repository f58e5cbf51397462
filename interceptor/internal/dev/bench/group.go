package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A group is what is measured for one question.
type group struct {
	name, question string
	run            func(context.Context, *bench) error
}

// groups returns all groups, in the order of the report.
func groups() []group {
	return []group{
		{"verify", "What does it cost to verify a token?", verifyGroup},
		{"refuse", "What does it cost to refuse a token?", refuseGroup},
		{"guard", "What does the interceptor cost alone?", guardGroup},
		{"handler", "What does it cost in a handler, without a network?", handlerGroup},
		{"loopback", "What does it cost in a call over HTTP/2?", loopbackGroup},
		{"stream", "What does it cost for each message of a stream?", streamGroup},
		{"parallel", "Does it scale with the processors?", parallelGroup},
		{"growth", "What does it cost when there is more of everything?", growthGroup},
		{"cache", "How are tokens best cached?", cacheGroup},
		{"flood", "What becomes of good callers while others make up tokens?", floodGroup},
	}
}

func groupNames() string {
	names := make([]string, 0, len(groups()))
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return strings.Join(names, ", ")
}

func runGroups(ctx context.Context, c config, selected *regexp.Regexp, r *report) error {
	ran := 0
	for _, g := range groups() {
		if !selected.MatchString(g.name) {
			continue
		}
		ran++
		if err := r.section(g.name, g.question); err != nil {
			return err
		}
		if err := runGroup(ctx, c, g, r); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	if ran == 0 {
		return errors.New("-groups: there are only " + groupNames())
	}
	return nil
}

// runGroup gives each group an issuer of its own, whose keys nobody has to fetch a second
// time while the group runs.
func runGroup(ctx context.Context, c config, g group, r *report) (err error) {
	ctx, cancel := context.WithCancel(ctx) // ends what peers do in the background
	defer cancel()
	issuer, err := startIssuer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, issuer.stop()) }()
	return g.run(ctx, &bench{config: c, issuer: issuer, report: r})
}

// A bench is what groups measure with.
type bench struct {
	config
	issuer *issuer
	report *report
}

// compare runs a contest and reports its outcome.
func (b *bench) compare(ctx context.Context, c contest) error {
	s, err := c.run(ctx, b.rounds, b.budget)
	if err != nil {
		return err
	}
	return b.report.standings(s)
}
