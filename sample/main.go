// Sample is a server that protoauthz guards: three small services, one for each permission model, and a
// fourth for the accounts of users, with their rules in .proto files. A development issuer is embedded, so
// that the sample runs without an identity provider.
//
//	go run ./sample
//	go run ./sample token -client acme-admin -scope read:products
//
// Start reading at newHandler in handler.go: it holds all that a server has to do.
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
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program. It returns when the work is done or the context ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := runServer
	if len(args) > 0 && args[0] == "token" {
		command, args = runToken, args[1:]
	}
	err := command(ctx, args, stdout, stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "sample:", err)
	if _, usage := errors.AsType[usageError](err); usage {
		return exitUsage
	}
	return exitFailed
}

// A usageError is a fault of the command line.
type usageError struct{ error }

func badFlag(name, format string, args ...any) error {
	return usageError{fmt.Errorf("-%s: %w", name, fmt.Errorf(format, args...))}
}

// parseFlags is flags.Parse, but a fault is one line in place of the whole help, and an argument that is not a
// flag is a fault. For -h, parseFlags prints the help and returns flag.ErrHelp.
func parseFlags(flags *flag.FlagSet, args []string, help string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(stdout, help)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return err
	case err != nil:
		return usageError{err}
	case flags.NArg() > 0:
		return usageError{fmt.Errorf("unexpected argument %q: a value with spaces needs quotes, and the only subcommand, token, comes first", flags.Arg(0))}
	default:
		return nil
	}
}
