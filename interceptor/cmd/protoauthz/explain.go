package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

const explainHelp = `Makes the checks of the guard for one call, in their order. Prints which check refuses the call, and
what would have to change. No call is made.

Without -issuer, -issuer-file and issuers in the document of -authz, the signature of the token is not
verified: a server may refuse a call that is let in here. The token is printed without its signature, and
not at all if it is not a token.
Without -message, the messages of the call are not known, and their check is left out.

` + inputHelp + `

A call of a service of -shadow is judged as if the rule were enforced.

Exit status: 0 if the call is let in, or depends on its messages; 1 if the call is refused, or would be if
the rule were enforced; 2 if the decision is not known, because the issuer's keys are not available, the
token is opaque, or the method has a fault.

Formats:
   text   for reading
   json   for programs: procedure, rule, decision (allowed, refused or awaits_message), enforced (if
          false, a refused call is let in), verified (the signature is good), code, reason, text, scopes
          and anyScopes of a refusal, message (the number of the refused message), organization, steps,
          each with check, status (passed, refused, not_reached, not_made, not_needed), about and change,
          and token. Names and values are stable; fields may be added.

Examples:
   protoauthz explain -method order.v1.OrderService/ListOrders -token token.txt image.binpb
   protoauthz explain -method order.v1.OrderService/ListOrders -token token.txt \
      -issuer https://tenant.logto.app -audience https://api.example.com \
      -message '{"organizationId": "acme"}' image.binpb
   protoauthz issuer -token token.txt -format json >issuer.json
   protoauthz explain -method order.v1.OrderService/ListOrders -token token.txt -issuer-file issuer.json \
      image.binpb`

// explainCommand explains the decision on a call.
func explainCommand() *cli.Command {
	return &cli.Command{
		Name:        "explain",
		Usage:       "explain why a call is let in or refused",
		ArgsUsage:   "[INPUT]",
		Description: explainHelp,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "method", Usage: "the `METHOD` of the call, as /pkg.Service/Method", Required: true},
			&cli.StringFlag{Name: "token", Usage: "the `FILE` that holds the token, or - for standard input (default: a call without a token)"},
			&cli.StringFlag{Name: "issuer", Usage: "the `URL` of the issuer whose keys verify the token (default: not verified)"},
			&cli.StringFlag{Name: "issuer-file", Usage: "the `FILE` that describes the issuer, in JSON or YAML, for all providers: protoauthz issuer writes one"},
			newChoice("provider", "the `PROVIDER` whose claims the tokens of -issuer have; for others give -issuer-file", "logto", "auth0", "authaction"),
			&cli.StringSliceFlag{Name: "header", Usage: "'`NAME: VALUE`' in the header of the call; may be repeated"},
			&cli.StringSliceFlag{Name: "message", Usage: "a request message, as `JSON` or @FILE; may be repeated for streams"},
			&cli.DurationFlag{Name: "leeway", Usage: "the `TIME`, at most 5m, by which clocks may differ", Value: 30 * time.Second},
			newFormatFlag("text", "json"),
		}, policyFlags()...),
		Action: runExplain,
	}
}

func runExplain(ctx context.Context, c *cli.Command) error {
	name, argumentErr := argument(c)
	header, headerErr := requestHeader(c.StringSlice("header"))
	q := explain.Question{Header: header}
	s, selectionErr := newSelection(c, "authz")
	var trustErr error
	if selectionErr == nil {
		trustErr = setTrust(&q, c, s.document)
	}
	var inputErr error
	if c.String("token") == "-" && name == "-" {
		inputErr = errors.New("-token and INPUT are both standard input: name a file for one of them")
	}
	if err := errors.Join(argumentErr, headerErr, selectionErr, trustErr, inputErr); err != nil {
		return err
	}
	if c.IsSet("token") {
		authorization, err := readToken(c.Root().Reader, c.String("token"))
		if err != nil {
			return err
		}
		q.Authorization = []string{authorization}
	}
	in, err := readOne(ctx, c, name, s)
	if err != nil {
		return err
	}
	a, err := compile(in, s)
	if err != nil {
		return err
	}
	rule, procedure, err := findMethod(a, c.String("method"))
	if err != nil {
		return err
	}
	if n := len(a.missing()); n > 0 {
		complain(c.Root().ErrWriter, fmt.Sprintf("note: %s: %s: see protoauthz matrix", in.name, count(n, "other method has a fault", "other methods have faults")))
	}
	if lackingIssuer(s.document, []*policy.Rule{rule}) != "" {
		complain(c.Root().ErrWriter, "note: a server with this document does not start: "+s.document.Place("issuers")+": "+lackText(rule.Procedure))
	}
	q.Shadow = rule.Shadow
	if q.Table = a.table; q.Table == nil || q.Shadow {
		if q.Table, err = compileOne(in, s, rule); err != nil {
			return err
		}
	}
	q.Procedure = procedure
	if q.Messages, err = parseMessages(rule, in.files, c.StringSlice("message")); err != nil {
		return err
	}
	e := explain.Explain(ctx, q)
	if e.Reason == interceptor.ReasonTokenMalformed && q.IsOpaque() {
		return errors.New("the decision is not known: the token is opaque, and this command does not introspect; a server without token.WithIntrospector refuses the token as TOKEN_MALFORMED: there, ask the issuer for a JWT")
	}
	w := c.Root().Writer
	if c.String(formatFlagName) == "json" {
		err = terminal.WriteJSON(w, e)
	} else {
		err = e.WriteText(w, painterOf(w))
	}
	if err != nil {
		return err
	}
	switch {
	case e.Reason == interceptor.ReasonKeysUnavailable:
		return errors.New("the issuer's keys are not available, so that the token cannot be verified: make the key set reachable")
	case e.Decision == explain.Refused:
		return errNo
	default:
		return nil
	}
}
