// Command bench compares the guard with what others offer, and with what one would write
// by hand. It is a module of its own, so that none of its dependencies is a user's.
//
// What is compared runs in turns, in one process: figures of this machine now and of the
// same machine a minute later differ more than many contenders do. So trust ratios.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// A config says how much is measured.
type config struct {
	rounds int
	budget time.Duration // of one measurement
	flood  time.Duration // of one flood
	// How many forge tokens at once.
	forgers int
	// How many distinct tokens one verifier, and messages one stream, gets to see.
	distinct, messages int
	// long adds what takes minutes.
	long bool
	// child runs the clients of a flood, in a process of their own if they can have one.
	child func(context.Context, floodPlan) (floodResult, error)
}

const minRounds = 10

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	c := config{forgers: 32, distinct: 100_000, messages: 10_000, child: floodProcess}
	var pattern, out, readme string
	var client bool
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.StringVar(&pattern, "groups", ".", "`regexp` of the groups to run: "+groupNames())
	flags.IntVar(&c.rounds, "rounds", 12, "in how many rounds each contender is measured, at least 10")
	flags.DurationVar(&c.budget, "time", 100*time.Millisecond, "how long one measurement takes")
	flags.DurationVar(&c.flood, "flood", 10*time.Second, "how long one flood takes")
	flags.BoolVar(&c.long, "long", false, "go up to 1,000,000 tokens and messages")
	flags.StringVar(&out, "out", "", "write the report to this `file` too")
	flags.StringVar(&readme, "readme", "", "write the headline between the markers of this `file`")
	flags.BoolVar(&client, "flood-client", false, "be the clients of a flood, as standard input says")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if client {
		return serveFloodPlan(ctx, stdin, stdout)
	}
	selected, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		return fmt.Errorf("-groups: %w", err)
	case flags.NArg() > 0:
		return fmt.Errorf("arguments %q", flags.Args())
	case c.rounds < minRounds:
		return fmt.Errorf("-rounds: fewer than %d tell little", minRounds)
	case c.budget <= 0 || c.flood <= 0:
		return errors.New("-time and -flood must be positive")
	}
	if c.long {
		c.distinct, c.messages = 1_000_000, 1_000_000
	}
	if readme != "" { // before minutes are spent
		if err := checkMarkers(readme); err != nil {
			return err
		}
	}
	r := &report{out: stdout}
	if err := r.heading(ctx); err != nil {
		return err
	}
	if err := runGroups(ctx, c, selected, r); err != nil {
		return err
	}
	if out != "" {
		if err := os.WriteFile(out, []byte(r.String()), 0o644); err != nil { //nolint:gosec // a report is for everybody
			return err
		}
	}
	if readme == "" {
		return nil
	}
	headline, err := r.headline()
	if err != nil {
		return err
	}
	return replaceBetweenMarkers(readme, headline)
}
