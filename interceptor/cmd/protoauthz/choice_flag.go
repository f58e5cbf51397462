package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

const formatFlagName = "format"

// A choice is a flag that takes one of some values.
type choice struct {
	*cli.StringFlag
	values []string
}

// newChoice returns a flag that takes one of some values. The first value is the default.
func newChoice(name, usage string, values ...string) *choice {
	return &choice{values: values, StringFlag: &cli.StringFlag{
		Name:  name,
		Usage: usage + ": " + strings.Join(values, ", "),
		Value: values[0],
		Validator: func(value string) error {
			if !slices.Contains(values, value) {
				return fmt.Errorf("give one of %s", strings.Join(values, ", "))
			}
			return nil
		},
	}}
}

// newFormatFlag returns -format.
func newFormatFlag(formats ...string) *choice {
	return newChoice(formatFlagName, "`FORMAT` of the output", formats...)
}

// complete returns a function that suggests words to the shell: the values of a choice, or
// the words that package cli knows. Without a word, the shell suggests files.
func complete(args []string) cli.ShellCompleteFunc {
	return func(ctx context.Context, c *cli.Command) {
		// The last argument is a flag of the shell's script. The argument before is the word
		// that the user writes if that word is a flag, and otherwise the word before that word.
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
