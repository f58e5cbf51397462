package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/visible"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// sourceHelp says what the commands read.
const sourceHelp = `SOURCE is an image of buf or a FileDescriptorSet of protoc (with --include_imports), as a file or, if
left out or -, on standard input, or the URL of a server with reflection, which tells no line numbers.
Give the options that the server gives to policy.Compile as flags.`

// policyFlags are the flags of all commands that read rules.
func policyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "audience", Usage: "`RESOURCE` indicator of methods that are given none, as with policy.WithAudience"},
		&cli.StringSliceFlag{Name: "public", Usage: "`SERVICE` without rules that is open, as with policy.WithPublic; may be repeated"},
		&cli.StringSliceFlag{Name: "shared-scope", Usage: "`SCOPE` that may serve two models, as with policy.WithSharedScopes; may be repeated"},
		&cli.StringSliceFlag{Name: "reflect-header", Usage: "'`NAME: VALUE`' to send to a server with reflection, by https:// or on this machine; may be repeated"},
	}
}

var errMalformedURL = errors.New("a URL of a server is malformed: it is not of the form http://host or https://host")

// readFiles reads the services that an argument means: the name of a file, - for standard
// input, or a URL.
func readFiles(ctx context.Context, c *cli.Command, argument string) (policy.Files, error) {
	if isURL(argument) {
		if _, err := url.Parse(argument); err != nil {
			return nil, errMalformedURL // the URL may hold a password, and so may the error
		}
		files, err := reflectFiles(ctx, argument, c.StringSlice("reflect-header"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sourceName(argument), err)
		}
		return files, nil
	}
	name, data, err := readAll(c, argument)
	if err != nil {
		return nil, err
	}
	files, err := imageFiles(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return files, nil
}

func isURL(argument string) bool {
	return strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://")
}

// origin is the server that a URL means.
func origin(argument string) string {
	u, err := url.Parse(argument)
	if err != nil {
		return argument
	}
	return u.Scheme + "://" + u.Host
}

// readAll reads a file or, if it is -, standard input.
func readAll(c *cli.Command, argument string) (name string, data []byte, err error) {
	if argument != "-" {
		if data, err = os.ReadFile(argument); err != nil { //nolint:gosec // the user names it
			err = fmt.Errorf("%w: name a file with an image of buf build -o, - for standard input, or the URL of a server, http:// or https://", err)
		}
		return argument, data, err
	}
	stdin := c.Root().Reader
	if file, ok := stdin.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return "", nil, errors.New("standard input is a terminal: name a file, or pipe an image in, as in: buf build -o - | " + c.FullName())
		}
	}
	data, err = io.ReadAll(stdin)
	return "standard input", data, err
}

// readTable reads and compiles the rules that the only argument means.
func readTable(ctx context.Context, c *cli.Command) (*policy.Table, error) {
	source, err := argument(c)
	if err != nil {
		return nil, err
	}
	files, err := readFiles(ctx, c, source)
	if err != nil {
		return nil, err
	}
	return compile(c, source, files)
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

// options returns the options in the flags.
func options(c *cli.Command) []policy.Option {
	options := []policy.Option{policy.WithPublic(c.StringSlice("public")...), policy.WithSharedScopes(c.StringSlice("shared-scope")...)}
	if c.IsSet("audience") {
		options = append(options, policy.WithAudience(c.String("audience")))
	}
	return options
}

// compile compiles the services of a source with the options in the flags.
func compile(c *cli.Command, source string, files policy.Files) (*policy.Table, error) {
	table, err := policy.Compile(files, options(c)...)
	if faults, ok := errors.AsType[*policy.Error](err); ok {
		err = describe(faults)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sourceName(source), err)
	}
	return table, nil
}

// hints say which flag stands for the option that a fault asks for.
var hints = []struct {
	kind policy.FaultKind
	text string
}{
	{policy.FaultAudienceMissing, "what the server gives to policy.WithAudience, give with -audience"},
	{policy.FaultScopeShared, "what the server gives to policy.WithSharedScopes, give with -shared-scope"},
	{policy.FaultRuleMissing, "what the server gives to policy.WithPublic, give with -public"},
}

// describe gives each fault a line that begins with its place.
func describe(faults *policy.Error) error {
	lines := []error{errors.New("the rules do not compile")}
	kinds := map[policy.FaultKind]bool{}
	for _, fault := range faults.Faults {
		kinds[fault.Kind] = true
		if place := visible.Text(fault.Place.String()); place != "" {
			lines = append(lines, fmt.Errorf("%s: %w", place, fault))
		} else {
			lines = append(lines, fault)
		}
	}
	for _, hint := range hints {
		if kinds[hint.kind] {
			lines = append(lines, errors.New("hint: "+hint.text))
		}
	}
	return errors.Join(lines...)
}
