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
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// inputHelp explains the input of the commands.
const inputHelp = `INPUT is an image of buf, a FileDescriptorSet of protoc (with --include_imports), or a server with
reflection. Give the name of a file, - for standard input (the default), or the URL of the server, which
has no line numbers. Give the options of the server's policy.Compile as flags, or its deployment with -authz.

` + selectionHelp

// policyFlags are the flags of all commands that read rules.
func policyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "authz", Usage: "the `FILE` of the server's deployment, in JSON or YAML, such as authz.json: -audience, -public, -shared-scope, -shadow, -unannotated-refused, -unannotated-open and -subject-issuer add to it"},
		&cli.StringFlag{Name: "audience", Usage: "the `RESOURCE` indicator of methods without an audience, as in policy.WithAudience"},
		&cli.StringSliceFlag{Name: "public", Usage: "a `SERVICE` without annotations that is public, as in policy.WithPublic; may be repeated"},
		&cli.StringSliceFlag{Name: "shared-scope", Usage: "a `SCOPE` that methods of two models may share, as in policy.WithSharedScopes; may be repeated"},
		&cli.StringSliceFlag{Name: "shadow", Usage: "a `SERVICE` whose rules are not enforced, as in policy.WithShadow; may be repeated"},
		&cli.StringSliceFlag{Name: "unannotated-refused", Usage: "a `SERVICE` whose methods without annotation are refused, as in policy.WithUnannotatedRefused; may be repeated"},
		&cli.StringSliceFlag{Name: "unannotated-open", Usage: "a `SERVICE` whose methods without annotation are public, as in policy.WithUnannotatedOpen; may be repeated"},
		&cli.StringFlag{Name: "subject-issuer", Usage: "the `ISSUER` whose users and clients the requests name, as in policy.WithSubjectIssuer"},
		&cli.StringSliceFlag{Name: "only", Usage: "the `NAME` of a service, or of a package with the packages below it, that the answer is about; may be repeated"},
		&cli.StringSliceFlag{Name: "skip", Usage: "the `NAME` of a service, or of a package with the packages below it, that the answer leaves out; may be repeated"},
		&cli.StringSliceFlag{Name: "reflect-header", Usage: "'`NAME: VALUE`' to send to a server with reflection, over https:// or on this machine; may be repeated"},
	}
}

var errMalformedURL = errors.New("a URL of a server is malformed: give http://host or https://host")

// read reads the input that an argument names: a file, - for standard input, or a URL. With
// errNoServices, it returns an input too.
func read(ctx context.Context, c *cli.Command, argument string, s *selection) (in *input, err error) {
	if isURL(argument) {
		if _, err := url.Parse(argument); err != nil {
			return nil, errMalformedURL // the error of url.Parse may hold a password
		}
		in, err = reflectInput(ctx, argument, c.StringSlice("reflect-header"), s)
	} else {
		var data []byte
		if data, err = readAll(c, argument); err != nil {
			return nil, err
		}
		var set *descriptorpb.FileDescriptorSet
		if set, err = readImage(data); err == nil {
			in, err = imageInput(inputName(argument), set, s)
		}
	}
	if in != nil {
		for _, note := range in.notes {
			complain(c.Root().ErrWriter, "note: "+in.name+": "+note)
		}
	}
	if err != nil {
		return in, fmt.Errorf("%s: %w", inputName(argument), err)
	}
	return in, nil
}

func isURL(argument string) bool {
	return strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://")
}

// serverOf returns the server of a URL.
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

// readRules reads and compiles the rules of the only argument. It fails if no rule compiles.
func readRules(ctx context.Context, c *cli.Command) (*compiled, error) {
	name, err := argument(c)
	if err != nil {
		return nil, err
	}
	s, err := newSelection(c, "authz")
	if err != nil {
		return nil, err
	}
	in, err := readOne(ctx, c, name, s)
	if err != nil {
		return nil, err
	}
	return compileSome(in, s)
}

// readOne reads the only input of a command.
func readOne(ctx context.Context, c *cli.Command, name string, s *selection) (*input, error) {
	in, err := read(ctx, c, name, s)
	if err == nil || errors.Is(err, errNoServices) {
		err = cmp.Or(s.unmet(), err)
	}
	return in, err
}

// inputName returns the name of an input in messages, without what may be a secret in a URL.
func inputName(argument string) string {
	if argument == "-" {
		return "standard input"
	}
	if !isURL(argument) {
		return argument
	}
	scheme, rest, _ := strings.Cut(argument, "//")
	return scheme + "//" + endpoint.DisplayURL(rest)
}

// argument returns the only argument, INPUT, or its default.
func argument(c *cli.Command) (string, error) {
	name := "-"
	switch c.NArg() {
	case 0:
	case 1:
		name = c.Args().First()
	default:
		// The arguments are not in the error: a header without quotes may be among them, and a secret.
		return "", fmt.Errorf("%d arguments: give one INPUT: see %s -help", c.NArg(), c.FullName())
	}
	if len(c.StringSlice("reflect-header")) > 0 && !isURL(name) {
		return "", fmt.Errorf("-reflect-header is for servers, but %s is not a URL", name)
	}
	return name, nil
}
