// Command bench compares the guard with other libraries and with code that people write by hand.
// It is a module of its own, so that its dependencies are not dependencies of users.
//
// All contenders run in turns, in one process: the speed of a machine changes from minute to
// minute, by more than many contenders differ. So trust ratios.
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

// A config sets how much is measured.
type config struct {
	rounds  int
	budget  time.Duration // of one measurement
	flood   time.Duration // of one flood
	forgers int           // that flood at once
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	c := config{forgers: 32}
	var pattern, out, readme string
	var client bool
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stdout)
	flags.StringVar(&pattern, "groups", ".", "`regexp` of the groups to run: "+groupNames())
	flags.IntVar(&c.rounds, "rounds", 12, "how often each contender is measured; fewer than 10 rounds tell little")
	flags.DurationVar(&c.budget, "time", 100*time.Millisecond, "how long one measurement takes")
	flags.DurationVar(&c.flood, "flood", 10*time.Second, "how long one flood takes")
	flags.StringVar(&out, "out", "", "write all tables between the markers of this `file`")
	flags.StringVar(&readme, "readme", "", "write the headline between the markers of this `file`")
	flags.BoolVar(&client, "flood-client", false, "be the clients of a flood, by a plan on standard input")
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
		return fmt.Errorf("arguments %q: name groups by -groups", flags.Args())
	case c.rounds <= 0 || c.budget <= 0 || c.flood <= 0:
		return errors.New("-rounds, -time and -flood must be positive")
	}
	for _, path := range []string{out, readme} { // before minutes are spent
		if _, _, err := aroundMarkers(path); path != "" && err != nil {
			return err
		}
	}
	r := newReport(stdout)
	if err := r.heading(ctx); err != nil {
		return err
	}
	if err := runGroups(ctx, c, selected, r); err != nil {
		return err
	}
	if out != "" {
		if err := replaceBetweenMarkers(out, r.text.String()); err != nil {
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
