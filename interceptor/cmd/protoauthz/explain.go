package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const explainHelp = `Explain makes the checks of the guard for one call, in their order, and says which
of them refuses it and what would have to change.

Without -issuer the signature of the token is not verified: then a server may refuse
what is let in here. The token is shown without its signature, and not at all if it is
none.

The exit status is 0 if the call is let in, perhaps by messages that are not given, 1
if it is refused, and 2 if that cannot be told.`

// explainCommand explains what comes of a call and why.
func explainCommand() *cli.Command {
	return &cli.Command{
		Name:        "explain",
		Usage:       "say why a call is let in or refused",
		ArgsUsage:   "[SOURCE]",
		Description: explainHelp,
		// Messages and headers have commas.
		DisableSliceFlagSeparator: true,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "method", Usage: "the `METHOD` that is called, as /pkg.Service/Method", Required: true},
			&cli.StringFlag{Name: "token", Usage: "the `FILE` that holds the token, or - for standard input (default: a call without a token)"},
			&cli.StringFlag{Name: "issuer", Usage: "the `URL` of the issuer whose keys verify the token (default: not verified)"},
			&cli.StringFlag{Name: "provider", Usage: "whose claims the issuer speaks: logto, auth0 or authaction", Value: "logto"},
			&cli.StringSliceFlag{Name: "request-header", Usage: "a `HEADER` of the call, as 'Name: value'; may be repeated"},
			&cli.StringSliceFlag{Name: "message", Usage: "a request `MESSAGE` in JSON, or @FILE; may be repeated for streams"},
			&cli.DurationFlag{Name: "leeway", Usage: "by how much clocks may differ", Value: 30 * time.Second},
			&cli.StringFlag{Name: "format", Usage: "text or json", Value: "text"},
		}, policyFlags()...),
		Action: runExplain,
	}
}

func runExplain(ctx context.Context, c *cli.Command) error {
	source, argumentErr := argument(c)
	write, formatErr := writer(c.String("format"))
	header, headerErr := parseHeader(c.StringSlice("request-header"))
	q := explain.Question{Header: header}
	trustErr := setTrust(&q, c.String("provider"), c.String("issuer"), token.WithLeeway(c.Duration("leeway")))
	var inputErr error
	if c.String("token") == "-" && source == "-" {
		inputErr = errors.New("-token and SOURCE cannot both be standard input")
	}
	if err := errors.Join(argumentErr, formatErr, headerErr, trustErr, inputErr); err != nil {
		return err
	}
	if c.IsSet("token") {
		authorization, err := readToken(c.Root().Reader, c.String("token"))
		if err != nil {
			return err
		}
		q.Authorization = []string{authorization}
	}
	files, err := readFiles(ctx, c, source)
	if err != nil {
		return err
	}
	if q.Table, err = compile(c, files); err != nil {
		return err
	}
	rule, procedure, err := findMethod(q.Table, c.String("method"))
	if err != nil {
		return err
	}
	q.Procedure = procedure
	if q.Messages, err = parseMessages(rule, files, c.StringSlice("message")); err != nil {
		return err
	}
	e := explain.Explain(ctx, q)
	if err := write(c.Root().Writer, e); err != nil {
		return err
	}
	if e.Decision == explain.Refused {
		return errNo
	}
	return nil
}

func writer(format string) (func(io.Writer, *explain.Explanation) error, error) {
	switch format {
	case "text":
		return func(w io.Writer, e *explain.Explanation) error { return e.WriteText(w, colourful(w)) }, nil
	case "json":
		return func(w io.Writer, e *explain.Explanation) error { return e.WriteJSON(w) }, nil
	default:
		return nil, fmt.Errorf("-format %q is none of text and json", format)
	}
}
