// Protoauthz shows who may call what, before anything runs: it reads the rules in
// the .proto files of services as package policy does, out of an image or from a
// running server.
//
//	buf build -o - | protoauthz matrix
//	protoauthz matrix -format html image.binpb > policy.html
//	protoauthz diff main.binpb image.binpb
//	protoauthz scopes http://127.0.0.1:8080
//	protoauthz explain -method /order.v1.OrderService/ListOrders -token token.txt image.binpb
//
// Every command has -help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitOK     = 0
	exitNo     = 1 // the answer is no: looser rules, or a refused call
	exitFailed = 2 // there is no answer
)

// errNo is the end of a command whose answer is no, which it has printed.
var errNo = errors.New("no")

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := newCommand()
	command.Reader, command.Writer, command.ErrWriter = stdin, stdout, stderr
	err := command.Run(ctx, args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNo):
		return exitNo
	}
	_, _ = fmt.Fprintf(stderr, "protoauthz: %v\n", err)
	return exitFailed
}

func newCommand() *cli.Command {
	root := &cli.Command{
		Name:  "protoauthz",
		Usage: "show who may call what, by the rules in .proto files",
		Commands: []*cli.Command{
			matrixCommand(), scopesCommand(), diffCommand(), explainCommand(),
		},
		EnableShellCompletion:     true,
		DisableSliceFlagSeparator: true, // values of headers have commas
		Suggest:                   true,
		ExitErrHandler:            func(context.Context, *cli.Command, error) {}, // run prints it
		OnUsageError:              usageError,
	}
	for _, command := range root.Commands {
		command.OnUsageError = usageError
	}
	return root
}

// usageError answers with one line, and not with the whole help.
func usageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	return fmt.Errorf("%w: see %s -help", err, c.FullName())
}

// colourful reports whether what is written may hold colours.
func colourful(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" //nolint:gosec // a file descriptor
}
