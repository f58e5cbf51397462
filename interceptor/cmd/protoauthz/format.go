package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

const formatFlagName = "format"

// A formatFlag is -format.
type formatFlag struct {
	*cli.StringFlag
	formats []string
}

// newFormatFlag returns -format with one of some values, of which the first is the default.
func newFormatFlag(formats ...string) *formatFlag {
	return &formatFlag{formats: formats, StringFlag: &cli.StringFlag{
		Name:  formatFlagName,
		Usage: "`FORMAT` of the output: " + strings.Join(formats, ", "),
		Value: formats[0],
		Validator: func(format string) error {
			if !slices.Contains(formats, format) {
				return fmt.Errorf("it is none of %s", strings.Join(formats, ", "))
			}
			return nil
		},
	}}
}

// complete returns what suggests words to a shell: the values of -format, and what the
// library knows. Where that is nothing, the shell suggests files.
func complete(args []string) cli.ShellCompleteFunc {
	return func(ctx context.Context, c *cli.Command) {
		// The shell's script ends in a flag of its own. Before that stands the word that is being
		// written if it is a flag, and otherwise the word before.
		if n := len(args); n >= 2 && (args[n-2] == "-"+formatFlagName || args[n-2] == "--"+formatFlagName) {
			for _, flag := range c.Flags {
				if format, ok := flag.(*formatFlag); ok {
					_, _ = fmt.Fprintln(c.Root().Writer, strings.Join(format.formats, "\n"))
				}
			}
			return
		}
		cli.DefaultCompleteWithFlags(ctx, c)
	}
}

// list is a list that is never null in JSON.
func list(values []string) []string { return append([]string{}, values...) }
