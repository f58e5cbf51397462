package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/tenant"
	"github.com/protoauthz/protoauthz/interceptor/devissuer"
)

const devIssuerHelp = `Serves an issuer for development: discovery, a key set, the client credentials grant and introspection,
as Logto serves them. protoauthz token prints its tokens, for users too: no user logs in.

Never use it in production: a reader of its keys, or of the secret of a client, gets tokens.
It answers this machine only, at the host of its URL or a loopback host. For containers give -remote, and
list the names by which they address the issuer in "hosts". Web pages of other sites get no answer.
An https url needs -listen, and a TLS proxy in front.

The tenant is a file in JSON or YAML. All members may be left out:
   url                 the issuer, the iss of tokens (default: http://127.0.0.1:3001/oidc)
   hosts               further names of the issuer, such as the names of containers
   resources           the scopes of each API, by its URL
   organizations, organizationScopes
   users               {"id": "alice", "scopes": {API: [scope]}, "organizations": {ORGANIZATION:
                       {"scopes": {API: [scope]}, "organizationScopes": [scope], "claims": {…}}}}
   clients             as users, with "secret"
   claims              of all tokens, of a user or client, or of a membership: any claim; null removes it
   type                typ of tokens (default: at+jwt; none leaves it out)
   opaque              true for opaque tokens, which servers introspect
   signingAlgorithm    ES384 (the default for new keys), ES256 or RS256
   tokenLifetime, rotateEvery          durations, such as "1h"

The keys are kept in a file, so that tokens outlive a restart. Do not commit the file. Issuers that rotate keys
need a file each: each writes its own keys over the others'.

Examples:
   protoauthz dev-issuer
   protoauthz dev-issuer -config test/tenant.yaml -keys /var/lib/dev-issuer/keys.json
   protoauthz dev-issuer -remote`

// endsWithin is the time for the requests that are under way at the end.
const endsWithin = 2 * time.Second

// devIssuerCommand serves a local issuer.
func devIssuerCommand() *cli.Command {
	return &cli.Command{
		Name:        "dev-issuer",
		Usage:       "serve an issuer for development, never for production",
		ArgsUsage:   " ",
		Description: devIssuerHelp,
		Flags: append(tenantFlags(),
			&cli.StringFlag{Name: "listen", Usage: "the `ADDRESS` to listen on, host:port (default: as in url; with -remote on all addresses)"},
			&cli.BoolFlag{Name: "remote", Usage: "answer other machines too, such as containers"},
			&cli.BoolFlag{Name: "rotate", Usage: "rotate the keys first: the key before still verifies"},
		),
		Action: runDevIssuer,
	}
}

func runDevIssuer(ctx context.Context, c *cli.Command) error {
	t, file, err := readTenant(c)
	if err != nil {
		return err
	}
	t.AllowRemote = c.Bool("remote")
	listener, err := openListener(ctx, c, t)
	if err != nil {
		return err
	}
	issuer, notes, err := t.Open(file)
	if err == nil && c.Bool("rotate") {
		var rotated []string
		rotated, err = t.Rotate(issuer, file)
		notes = append(append(notes, rotated...), "the keys are rotated: a new key signs, and the key before still verifies")
	}
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	var mu sync.Mutex
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		complain(c.Root().ErrWriter, "note: "+text)
	}
	s := &issuerServer{tenant: t, issuer: issuer, file: file, note: note}
	for _, note := range notes {
		s.note(note)
	}
	if err := s.greet(c, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.serve(ctx, listener)
}

// openListener listens on the address of -listen or, without -listen, of the tenant.
func openListener(ctx context.Context, c *cli.Command, t *tenant.Tenant) (net.Listener, error) {
	address, err := c.String("listen"), error(nil)
	otherPort := "give -listen another port, and write the issuers that dev-issuer then prints into authz.json"
	if address == "" {
		address, err = t.Address()
		otherPort = fmt.Sprintf("write another port into url of %s and into the issuers of authz.json", c.String(configFlagName))
	} else if _, port, splitErr := net.SplitHostPort(address); splitErr != nil {
		err = errors.New("-listen is not host:port: write one such as 127.0.0.1:3001 or :3001")
	} else if !isPort(port) {
		err = errors.New("-listen: the port is not a number up to 65535: write one such as 127.0.0.1:3001 or :3001")
	}
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%w: end the process that has the port, or %s", err, otherPort)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%w: the address is not of this machine: give -listen one such as 127.0.0.1:3001, or :3001 for all addresses", err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%w: this user may not use the port: give -listen a port above 1023, such as 127.0.0.1:3001", err)
	case err != nil:
		return nil, fmt.Errorf("%w: give -listen an address of this machine, such as 127.0.0.1:3001", err)
	}
	return listener, nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// An issuerServer serves a tenant.
type issuerServer struct {
	tenant *tenant.Tenant
	issuer *devissuer.Issuer
	file   string            // of the keys
	note   func(text string) // safe for concurrent use
}

// greet prints what a user does next.
func (s *issuerServer) greet(c *cli.Command, address net.Addr) error {
	answers := "this machine alone (containers need -remote)"
	if s.tenant.AllowRemote {
		answers = "every machine that reaches it"
	}
	out := new(strings.Builder)
	_, _ = fmt.Fprintf(out, "An issuer for development, never for production: %s\nListens on %s, and answers %s.\n", s.issuer.URL(), address, answers)
	_, err := os.Stat(s.file)
	isKept := err == nil
	if isKept {
		_, _ = fmt.Fprintf(out, "Keys: %s\n", s.file)
	}
	for _, name := range append([]string{""}, s.tenant.Hosts...) {
		code, member := s.tenant.Accepting(name, address)
		where := ""
		if name != "" {
			where = " of a container that addresses the issuer as " + name
		}
		code = strings.ReplaceAll(code, "\n", "\n   ")
		switch {
		case !s.tenant.Opaque:
			_, _ = fmt.Fprintf(out, "\nA server%s accepts its tokens with, in Go,\n   %s\nor with, in authz.json,\n   %s\n", where, code, member)
		case code == "":
			_, _ = fmt.Fprintf(out, "\nA server%s accepts its tokens as a client that introspects: add a client to %s. In authz.json the server needs\n   %s\n", where, c.String(configFlagName), member)
		default:
			_, _ = fmt.Fprintf(out, "\nA server%s accepts its tokens with, in authz.json,\n   %s\nand in Go, since authz.json alone accepts no opaque token,\n   %s\n", where, member, code)
		}
	}
	if request, ok := s.tenant.Likely(); ok && isKept {
		_, _ = fmt.Fprintf(out, "\nA token:\n   %s\n", tokenLine(c, s.tenant, request))
	} else if !ok {
		_, _ = fmt.Fprintf(out, "\nNobody holds a scope: add users or clients to %s, such as\n%s\n", c.String(configFlagName), tenant.Example)
	}
	_, err = io.WriteString(c.Root().Writer, out.String())
	return err
}

// tokenLine returns the command for a token.
func tokenLine(c *cli.Command, t *tenant.Tenant, request devissuer.Request) string {
	words := []string{"protoauthz", "token"}
	flag := func(name, value string) {
		if value != "" {
			words = append(words, "-"+name, inShell(value))
		}
	}
	for _, name := range []string{configFlagName, "keys"} {
		if c.IsSet(name) {
			flag(name, c.String(name))
		}
	}
	flag("sub", request.Subject)
	flag("client", request.Client)
	flag("organization", request.Organization)
	without := request
	without.Resource = ""
	if t.Complete(without).Resource != request.Resource {
		flag("resource", request.Resource)
	}
	flag("scope", strings.Join(request.Scopes, " "))
	return strings.Join(words, " ")
}

// inShell returns a word of a command line.
func inShell(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+=,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// serve answers requests until the context ends.
func (s *issuerServer) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s.handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var rotation <-chan time.Time
	if s.tenant.RotateEvery > 0 {
		ticker := time.NewTicker(s.tenant.RotateEvery)
		defer ticker.Stop()
		rotation = ticker.C
	}
	for {
		select {
		case err := <-served:
			return err
		case <-rotation:
			notes, err := s.tenant.Rotate(s.issuer, s.file)
			if err != nil {
				notes = append(notes, err.Error())
			}
			for _, note := range notes {
				s.note(note)
			}
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endsWithin)
			defer cancel()
			if server.Shutdown(ctx) != nil {
				_ = server.Close() // on requests that do not end
			}
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		}
	}
}
