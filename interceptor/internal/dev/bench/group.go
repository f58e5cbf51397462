package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A group answers one question with its tables.
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
		{"flood", "How do good callers fare while others forge tokens?", floodGroup},
	}
}

func groupNames() string {
	var names []string
	for _, g := range groups() {
		names = append(names, g.name)
	}
	return strings.Join(names, ", ")
}

func runGroups(ctx context.Context, c config, selected *regexp.Regexp, r *report) error {
	ran := false
	for _, g := range groups() {
		if !selected.MatchString(g.name) {
			continue
		}
		ran = true
		if err := r.write("\n## " + g.name + "\n\n" + g.question + "\n"); err != nil {
			return err
		}
		if err := runGroup(ctx, c, g, r); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	if !ran {
		return errors.New("-groups: there are only " + groupNames())
	}
	return nil
}

// runGroup runs a group with an issuer of its own.
func runGroup(ctx context.Context, c config, g group, r *report) error {
	ctx, cancel := context.WithCancel(ctx) // ends what peers do in the background
	defer cancel()
	b, err := newBench(ctx, c, r)
	if err != nil {
		return err
	}
	return errors.Join(g.run(ctx, b), b.close())
}

// A bench is what groups measure with.
type bench struct {
	config
	report  *report
	issuer  *issuer
	guard   *interceptor.Guard
	keyfunc *keyfuncPeer
	ends    []func() error // of what was started
}

func newBench(ctx context.Context, c config, r *report) (*bench, error) {
	b := &bench{config: c, report: r}
	var err error
	if b.issuer, err = b.startIssuer(ctx); err != nil {
		return nil, err
	}
	var guardErr, keyfuncErr error
	b.guard, guardErr = b.issuer.guard()
	b.keyfunc, keyfuncErr = newKeyfunc(ctx, b.issuer)
	if err = errors.Join(guardErr, keyfuncErr); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// close ends what was started, the last one first.
func (b *bench) close() (err error) {
	for _, end := range slices.Backward(b.ends) {
		err = errors.Join(err, end())
	}
	return err
}

// compare runs a contest and reports its outcome.
func (b *bench) compare(ctx context.Context, c contest) error {
	s, err := c.run(ctx, b.rounds, b.budget)
	if err != nil {
		return fmt.Errorf("%s: %w", c.title, err)
	}
	return b.report.standings(c, s)
}
