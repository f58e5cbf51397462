// Protoauthz shows who may call what, by the rules in .proto files. It reads the rules of
// an image or of a running server, and compiles them with package policy. It tells, too, which issuer a token has,
// and serves an issuer for development.
//
//	buf build -o - | protoauthz matrix
//	protoauthz matrix -format html image.binpb > policy.html
//	protoauthz diff main.binpb image.binpb
//	protoauthz scopes http://127.0.0.1:8080
//	protoauthz explain -method /order.v1.OrderService/ListOrders -token token.txt image.binpb
//	protoauthz issuer -token token.txt
//	protoauthz check -server http://127.0.0.1:8080
//	protoauthz vendor proto
//	protoauthz dev-issuer -config tenant.json
//	protoauthz token -config tenant.json -sub alice -scope read:orders
//
// Every command has -help. The exit status is 0; 1 if the answer is no (diff: rules are looser; explain: the call is
// refused; issuer: no known issuer accepts the token; check: there are differences); 2 if there is no answer, or if the
// answer lacks methods with faults. The formats for programs are stable, the others are not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// The exit statuses.
const (
	exitOK     = 0
	exitNo     = 1 // the answer is no: looser rules, a refused call or token, differences
	exitFailed = 2 // there is no answer, or the answer lacks methods with faults
)

// errNo ends a command that has printed the answer no.
var errNo = errors.New("no")

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := newCommand(args)
	command.Reader, command.Writer, command.ErrWriter = stdin, stdout, stderr
	err := command.Run(ctx, args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNo):
		return exitNo
	}
	complain(stderr, err.Error())
	return exitFailed
}

// jwt is what a JWT looks like.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_.-]*`)

// complain prints a message, parts of which may come from an image or a server, or from a command line with a token in
// the wrong place.
func complain(stderr io.Writer, message string) {
	lines := strings.Split(jwt.ReplaceAllString(message, "<token>"), "\n")
	for i, line := range lines {
		// Package protobuf puts no-break spaces into some errors, at random.
		lines[i] = terminal.Escape(strings.ReplaceAll(line, "\u00a0", " "))
	}
	_, _ = fmt.Fprintf(stderr, "protoauthz: %s\n", strings.Join(lines, "\n"))
}

const rootHelp = `The rules are the options (protoauthz.v1.method) and (protoauthz.v1.service). This program
compiles the rules as a server does, with policy.Compile.

Exit status: 0; 1 if the answer is no (diff: rules are looser; explain: the call is refused; issuer: no
known issuer accepts the token; check: there are differences); 2 if there is no answer, or if the answer
lacks methods with faults.

To complete commands, flags and files in the shell, write in ~/.bashrc (with the package
bash-completion), in ~/.zshrc, or run for fish:
   source <(protoauthz completion bash)
   source <(protoauthz completion zsh)
   protoauthz completion fish > ~/.config/fish/completions/protoauthz.fish`

// newCommand returns the program's command. Completion and errors need the arguments.
func newCommand(args []string) *cli.Command {
	root := &cli.Command{
		Name:        "protoauthz",
		Usage:       "show who may call what, by the rules in .proto files",
		Description: rootHelp,
		Commands: []*cli.Command{
			matrixCommand(), scopesCommand(), diffCommand(), checkCommand(), explainCommand(), issuerCommand(), vendorCommand(),
			devIssuerCommand(), tokenCommand(),
		},
		Action:                    unknownCommand,
		EnableShellCompletion:     true,
		DisableSliceFlagSeparator: true,                                          // values of headers have commas
		ExitErrHandler:            func(context.Context, *cli.Command, error) {}, // run prints the error
		OnUsageError: func(ctx context.Context, c *cli.Command, err error, isSubcommand bool) error {
			if len(args) > 1 && !strings.HasPrefix(args[1], "-") && c.Command(args[1]) == nil { // its flags are unknown, too
				return noCommand(c, args[1])
			}
			return usageError(ctx, c, err, isSubcommand)
		},
	}
	for _, command := range root.Commands {
		command.OnUsageError = usageError
		command.HideHelpCommand = true           // a file may be called help
		command.DisableSliceFlagSeparator = true // values of headers have commas
		command.ShellComplete = complete(args)
	}
	return root
}

// unknownCommand is the action of the root command.
func unknownCommand(_ context.Context, c *cli.Command) error {
	name := c.Args().First()
	if name == "" {
		return cli.ShowRootCommandHelp(c)
	}
	return noCommand(c, name)
}

// noCommand returns the error of a command that the root command does not have.
func noCommand(c *cli.Command, name string) error {
	if similar := cli.SuggestCommand(c.VisibleCommands(), name); similar != "" {
		return fmt.Errorf("there is no command %q: did you mean %s?", name, similar)
	}
	return fmt.Errorf("there is no command %q: see protoauthz -help", name)
}

// usageError returns an error of one line, in place of the whole help.
func usageError(_ context.Context, c *cli.Command, err error, _ bool) error {
	return fmt.Errorf("%w: see %s -help", err, c.FullName())
}

// painterOf returns a painter, which paints if w is a terminal that wants colours.
func painterOf(w io.Writer) terminal.Painter {
	file, ok := w.(*os.File)
	return terminal.Painter(ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}
