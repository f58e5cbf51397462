package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v3"
)

// sourceHelp says what the commands read.
const sourceHelp = `SOURCE is an image of buf or a FileDescriptorSet of protoc (with --include_imports), as a file or, if
left out or -, on standard input, or the URL of a server with reflection, which tells no line numbers.
Give the options that the server gives to policy.Compile as flags.

` + selectionHelp

// policyFlags are the flags of all commands that read rules.
func policyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "audience", Usage: "`RESOURCE` indicator of methods that are given none, as with policy.WithAudience"},
		&cli.StringSliceFlag{Name: "public", Usage: "`SERVICE` without rules that is open, as with policy.WithPublic; may be repeated"},
		&cli.StringSliceFlag{Name: "shared-scope", Usage: "`SCOPE` that may serve two models, as with policy.WithSharedScopes; may be repeated"},
		&cli.StringSliceFlag{Name: "only", Usage: "`NAME` of a service, or of a package with all below it, that the answer is about; may be repeated"},
		&cli.StringSliceFlag{Name: "skip", Usage: "`NAME` of a service, or of a package with all below it, that the answer is not about; may be repeated"},
		&cli.StringSliceFlag{Name: "reflect-header", Usage: "'`NAME: VALUE`' to send to a server with reflection, by https:// or on this machine; may be repeated"},
	}
}

var errMalformedURL = errors.New("a URL of a server is malformed: it is not of the form http://host or https://host")

// read reads the services that an argument means: the name of a file, - for standard input, or a
// URL. With errNoServices, there is an input too.
func read(ctx context.Context, c *cli.Command, argument string, s *selection) (in *input, err error) {
	if isURL(argument) {
		if _, err := url.Parse(argument); err != nil {
			return nil, errMalformedURL // the URL may hold a password, and so may the error
		}
		in, err = reflectInput(ctx, argument, c.StringSlice("reflect-header"), s)
	} else {
		var data []byte
		if data, err = readAll(c, argument); err != nil {
			return nil, err
		}
		in, err = imageInput(sourceName(argument), data, s)
	}
	if in != nil {
		for _, note := range in.notes {
			complain(c.Root().ErrWriter, "note: "+in.name+": "+note)
		}
	}
	if err != nil {
		return in, fmt.Errorf("%s: %w", sourceName(argument), err)
	}
	return in, nil
}

func isURL(argument string) bool {
	return strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://")
}

// serverOf is the server that a URL means.
func serverOf(argument string) string {
	u, err := url.Parse(argument)
	if err != nil {
		return argument
	}
	return u.Scheme + "://" + u.Host
}

// readAll reads a file or, if it is -, standard input.
func readAll(c *cli.Command, argument string) (data []byte, err error) {
	if argument != "-" {
		if data, err = os.ReadFile(argument); err != nil { //nolint:gosec // the user names it
			err = fmt.Errorf("%w: name a file with an image of buf build -o, - for standard input, or the URL of a server, http:// or https://", err)
		}
		return data, err
	}
	stdin := c.Root().Reader
	if file, ok := stdin.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return nil, errors.New("standard input is a terminal: name a file, or pipe an image in, as in: buf build -o - | " + c.FullName())
		}
	}
	return io.ReadAll(stdin)
}

// readRules reads and compiles the rules that the only argument means. Some of them, at least, compile.
func readRules(ctx context.Context, c *cli.Command) (*compiled, error) {
	source, err := argument(c)
	if err != nil {
		return nil, err
	}
	in, s, err := readOne(ctx, c, source)
	if err != nil {
		return nil, err
	}
	return compileSome(c, in, s)
}

// readOne reads the only source of a command.
func readOne(ctx context.Context, c *cli.Command, source string) (*input, *selection, error) {
	s, err := newSelection(c)
	if err != nil {
		return nil, nil, err
	}
	in, err := read(ctx, c, source, s)
	if err == nil || errors.Is(err, errNoServices) {
		err = cmp.Or(s.unmet(), err)
	}
	return in, s, err
}

// sourceName is how errors name a source.
func sourceName(source string) string {
	if source == "-" {
		return "standard input"
	}
	if u, err := url.Parse(source); err == nil && u.User != nil {
		return u.Redacted() // it may hold a password
	}
	return source
}

// argument returns the only argument, a source, which may be left out.
func argument(c *cli.Command) (string, error) {
	source := "-"
	switch c.NArg() {
	case 0:
	case 1:
		source = c.Args().First()
	default:
		// What is too much may be the end of a header that lacks its quotes, and a secret.
		return "", fmt.Errorf("%d arguments, and not one SOURCE: see %s -help", c.NArg(), c.FullName())
	}
	if len(c.StringSlice("reflect-header")) > 0 && !isURL(source) {
		return "", fmt.Errorf("-reflect-header: %s is no URL to send it to", source)
	}
	return source, nil
}
