// Command conformance shows that a guard does not change the protocols: it runs connectconformance
// against a guarded server. With tokens, every case must pass. Without tokens, no call may reach a
// handler. A third run has an organization in each message, and a fourth has rules with several ways in.
// The tests of this package do the same with gRPC's interoperability tests. This is a module of its own, so that its dependencies are not
// dependencies of users.
//
//	conformance -runner .tmp/bin/connectconformance-1.0.6
//
// The runner starts the servers, as "conformance serve".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	command := run
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "serve" {
		command, args = runServer, args[1:]
	}
	err := command(ctx, args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func runServer(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var protos, name string
	flags := flag.NewFlagSet("conformance serve", flag.ContinueOnError)
	flags.StringVar(&protos, "protos", "", "`directory` of the suite's .proto files")
	flags.StringVar(&name, "mode", string(withTokens), "what is added to requests")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return serve(ctx, protos, mode(name), stdin, stdout, stderr)
}

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	var binary string
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.StringVar(&binary, "runner", "", "the connectconformance to run, a `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := newRunner(ctx, binary)
	if err != nil {
		return err
	}
	var faults []error
	for _, trial := range trials {
		result, err := r.run(ctx, trial.mode)
		if err != nil {
			return fmt.Errorf("%s: %w", trial.mode, err)
		}
		_, _ = fmt.Fprintf(stdout, "%s: %s\n", trial.mode, result)
		for _, line := range result.said {
			_, _ = fmt.Fprintf(stderr, "%s: a server said: %s", trial.mode, line)
		}
		if err := trial.check(result); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", trial.mode, err))
			continue
		}
		_, _ = fmt.Fprintf(stdout, "%s: %s\n", trial.mode, trial.means)
	}
	return errors.Join(faults...)
}
