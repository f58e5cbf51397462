package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/identify"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const issuerHelp = `Reads an access token, tells which provider has issued it, and prints the issuer with which a server
accepts it: a preset or a literal of package token, filled in from the token. For another provider it
prints a literal with what the token tells, and TODO where only you know the answer: no server starts
with a literal that may accept an ID token.

The signature is not verified, so read the values before you use them: anybody can write a token. The
token is never printed. Claims are printed only where the issuer needs them.

With -fetch, the metadata of the issuer that the token names is fetched, over https, without redirects
and proxy, and from public addresses alone.

Exit status: 0 if the provider is known, and its issuer accepts the token; 1 if the provider is not known,
or if the issuer refuses the token, such as an ID token; 2 if the input is not a token.

Formats:
   text   Go, with the rest as comments
   json   the document for explain -issuer-file and token.ParseIssuer, with the rest on standard error

Examples:
   pbpaste | protoauthz issuer
   protoauthz issuer -token token.txt -fetch -format json >issuer.json`

// issuerCommand tells the issuer of a token.
func issuerCommand() *cli.Command {
	return &cli.Command{
		Name:        "issuer",
		Usage:       "tell the provider of a token, and the issuer to configure",
		ArgsUsage:   " ",
		Description: issuerHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "token", Usage: "the `FILE` that holds the token, or - for standard input", Value: "-"},
			&cli.BoolFlag{Name: "fetch", Usage: "fetch the metadata of the issuer that the token names"},
			newFormatFlag("text", "json"),
		},
		Action: runIssuer,
	}
}

func runIssuer(ctx context.Context, c *cli.Command) error {
	if c.NArg() > 0 { // the argument is not in the error, since it may be the token
		return errors.New("issuer takes no argument: give the token on standard input, or in a file with -token; other users can read the command line")
	}
	if file, ok := c.Root().Reader.(*os.File); ok && c.String("token") == "-" {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return errors.New("standard input is a terminal: pipe the token in, or name a file with -token")
		}
	}
	authorization, err := readToken(c.Root().Reader, c.String("token"))
	if err != nil {
		return err
	}
	raw, err := token.Bearer([]string{authorization})
	if err != nil {
		return fmt.Errorf("-token: %w", err)
	}
	t, err := identify.Read(raw)
	var f identify.Finding
	switch {
	case errors.Is(err, identify.ErrOpaque) || errors.Is(err, identify.ErrEncrypted):
		f.Refused = err
	case err != nil:
		return fmt.Errorf("-token: %w", err)
	default:
		f = identify.Identify(t)
	}
	remarks := remarksOn(f)
	if t != nil && c.Bool("fetch") {
		remarks = append(remarks, fetched(ctx, t.Issuer())...)
	}
	if err := writeFinding(c, f, remarks); err != nil {
		return err
	}
	if f.Refused != nil || f.Provider == "" {
		return errNo
	}
	return nil
}

// writeFinding prints the issuer. With -format json the remarks stand on standard error, since JSON has no comments.
func writeFinding(c *cli.Command, f identify.Finding, remarks []string) error {
	w := c.Root().Writer
	if c.String(formatFlagName) == "json" {
		for _, remark := range remarks {
			complain(c.Root().ErrWriter, "note: "+remark)
		}
		if f.Go == "" {
			return nil
		}
		return terminal.WriteJSON(w, f.Issuer)
	}
	for _, remark := range remarks {
		for _, line := range terminal.Wrap(terminal.Escape(remark)) {
			if _, err := io.WriteString(w, "// "+line+"\n"); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, f.Go)
	return err
}

// remarksOn returns what to know about a token and its issuer.
func remarksOn(f identify.Finding) (remarks []string) {
	if f.Provider == "" {
		remarks = append(remarks, "Provider: not known")
	} else {
		remarks = append(remarks, fmt.Sprintf("Provider: %s, %s", f.Provider, f.Use), "Beware: "+f.Trap)
	}
	switch {
	case f.Refused != nil:
		remarks = append(remarks, "Refused: "+f.Refused.Error())
	case f.Provider != "":
		remarks = append(remarks, "Accepted: the token passes every check but the signature, which is not verified here")
	}
	if f.Late {
		remarks = append(remarks, "Note: the token has expired, or is not valid yet")
	}
	for _, todo := range f.Todo {
		remarks = append(remarks, "TODO: "+todo)
	}
	return remarks
}

// fetched returns what the metadata of an issuer tells.
func fetched(ctx context.Context, issuer string) []string {
	d, err := identify.Discover(ctx, identify.PublicTransport(), issuer)
	if err != nil {
		return []string{"Metadata: " + err.Error()}
	}
	return remarksOnMetadata(d, issuer)
}

func remarksOnMetadata(d identify.Discovery, issuer string) []string {
	same := "the same issuer as the token"
	if d.Issuer != issuer {
		same = fmt.Sprintf("another issuer than the token, %q: set KeySetURL to a key set that you trust for this iss, or correct the issuer", endpoint.DisplayURL(d.Issuer))
	}
	return []string{
		fmt.Sprintf("Metadata: %q names %s", endpoint.DisplayURL(d.URL), same),
		fmt.Sprintf("Metadata: the keys are at %q; ID tokens are signed with one of %q", endpoint.DisplayURL(d.KeySetURL), d.Algorithms),
	}
}
