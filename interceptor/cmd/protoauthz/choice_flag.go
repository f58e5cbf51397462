package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

const formatFlagName = "format"

// A choice is a flag with one of some values.
type choice struct {
	*cli.StringFlag
	values []string
}

// newChoice returns a flag with one of some values, of which the first is the default.
func newChoice(name, usage string, values ...string) *choice {
	return &choice{values: values, StringFlag: &cli.StringFlag{
		Name:  name,
		Usage: usage + ": " + strings.Join(values, ", "),
		Value: values[0],
		Validator: func(value string) error {
			if !slices.Contains(values, value) {
				return fmt.Errorf("it is none of %s", strings.Join(values, ", "))
			}
			return nil
		},
	}}
}

// newFormatFlag returns -format.
func newFormatFlag(formats ...string) *choice {
	return newChoice(formatFlagName, "`FORMAT` of the output", formats...)
}

// complete returns what suggests words to a shell: the values of a choice, and what the
// library knows. Where that is nothing, the shell suggests files.
func complete(args []string) cli.ShellCompleteFunc {
	return func(ctx context.Context, c *cli.Command) {
		// The shell's script ends in a flag of its own. Before that stands the word that is being
		// written if it is a flag, and otherwise the word before.
		if n := len(args); n >= 2 {
			for _, flag := range c.Flags {
				if choice, ok := flag.(*choice); ok && (args[n-2] == "-"+choice.Name || args[n-2] == "--"+choice.Name) {
					_, _ = fmt.Fprintln(c.Root().Writer, strings.Join(choice.values, "\n"))
					return
				}
			}
		}
		cli.DefaultCompleteWithFlags(ctx, c)
	}
}
