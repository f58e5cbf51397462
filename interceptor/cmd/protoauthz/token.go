package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

//nolint:gosec // the text has no credentials
const tokenHelp = `Prints a token of the local issuer, protoauthz dev-issuer with the same -config. The kept keys of the issuer
sign the token: no server is asked. The token has the scopes of -scope that the user or client holds.
Standard error names the others, and how to get them.

-claim, -typ and -opaque change the token, to see what a server refuses.

Examples:
   protoauthz token -sub alice -scope 'read:orders write:orders'
   protoauthz token -sub alice -organization acme -scope read:orders
   protoauthz token -client shop -resource https://api.example.com -scope read:orders
   protoauthz token -sub alice -scope read:orders -claim exp=1                  an expired token
   protoauthz token -sub alice -scope read:orders -typ JWT                      a token that passes for an ID token
   protoauthz token -sub alice -scope read:orders -claim 'iss="https://other"'  another issuer
   protoauthz token -sub alice -scope read:orders -claim aud=null               no audience
   curl -H "Authorization: Bearer $(protoauthz token -sub alice -scope read:orders)" …`

// tokenCommand prints a token of the local issuer.
func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:        "token",
		Usage:       "print a token of the dev-issuer, for a user or client",
		ArgsUsage:   " ",
		Description: tokenHelp,
		Flags: append(tenantFlags(),
			&cli.StringFlag{Name: "sub", Usage: "the `ID` of the user whose token it is"},
			&cli.StringFlag{Name: "client", Usage: "the `ID` of the client whose token it is or, with -sub, that asks for the user"},
			&cli.StringFlag{Name: "organization", Usage: "the `ID` of the organization that the token is for"},
			&cli.StringFlag{Name: "resource", Usage: "the `URL` of the API that the token is for (default: the only resource, unless -organization is given and the tenant has organizationScopes)"},
			&cli.StringFlag{Name: "scope", Usage: "the `SCOPES` to ask for, separated by spaces"},
			&cli.StringSliceFlag{Name: "claim", Usage: "`NAME=JSON` of a claim to set, or to remove with null; may be repeated"},
			&cli.StringFlag{Name: "typ", Usage: "`TYP` of the header in place of the tenant's; none leaves it out"},
			&cli.BoolFlag{Name: "opaque", Usage: "make an opaque token, for which servers ask the issuer"},
		),
		Action: runToken,
	}
}

func runToken(_ context.Context, c *cli.Command) error {
	claims, claimsErr := readClaims(c.StringSlice("claim"))
	t, file, err := readTenant(c)
	if err := errors.Join(claimsErr, err); err != nil {
		return err
	}
	issuer, notes, err := t.Issuer(file)
	if err != nil {
		return err
	}
	for _, note := range notes {
		complain(c.Root().ErrWriter, "note: "+note)
	}
	request := t.Complete(devissuer.Request{
		Subject: c.String("sub"), Client: c.String("client"),
		Organization: c.String("organization"), Resource: c.String("resource"),
		Scopes: strings.Fields(c.String("scope")), Claims: claims,
	})
	token, leftOut, err := issuer.Grant(request, mintOptions(c)...)
	if err != nil {
		return t.Refusal(request, err)
	}
	if _, given := claims["scope"]; len(request.Scopes) == 0 && !given {
		complain(c.Root().ErrWriter, "note: the token has no scope: give -scope")
	}
	for _, scope := range leftOut {
		complain(c.Root().ErrWriter, fmt.Sprintf("note: %s is left out: %s", scope, t.LeftOut(request, scope)))
	}
	_, err = fmt.Fprintln(c.Root().Writer, token)
	return err
}

func mintOptions(c *cli.Command) (options []devissuer.MintOption) {
	switch typ := c.String("typ"); {
	case typ == devissuer.NoType:
		options = append(options, devissuer.WithHeader("typ", nil))
	case c.IsSet("typ"):
		options = append(options, devissuer.WithHeader("typ", typ))
	}
	if c.Bool("opaque") {
		options = append(options, devissuer.WithOpaque())
	}
	return options
}

// readClaims reads the claims of the command line. Its errors do not repeat values.
func readClaims(arguments []string) (map[string]any, error) {
	claims := map[string]any{}
	var faults []error
	for _, argument := range arguments {
		name, value, ok := strings.Cut(argument, "=")
		switch {
		case !ok || name == "":
			faults = append(faults, errors.New(`-claim: write NAME=JSON, such as exp=1 or 'email="alice@example.com"'`))
		case !json.Valid([]byte(value)):
			faults = append(faults, fmt.Errorf(`-claim %s: the value is not JSON: write a text as '%s="…"', and a number, true, false, null, array or object as it is`, name, name))
		case strings.TrimSpace(value) == "null":
			claims[name] = nil
		default:
			claims[name] = json.RawMessage(value)
		}
	}
	return claims, errors.Join(faults...)
}
