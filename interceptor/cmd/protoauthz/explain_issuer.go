package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/explain"
	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// setTrust sets whose tokens the question trusts. Without an issuer, the token names its own issuer.
func setTrust(q *explain.Question, c *cli.Command, d *deployment.Deployment) error {
	issuer, leeway := c.String("issuer"), token.WithLeeway(c.Duration("leeway"))
	if d != nil && len(d.Issuers) > 0 && !c.IsSet("issuer") && !c.IsSet("issuer-file") {
		return trustAll(q, c, d)
	}
	flag, given := "-issuer", true
	var trusted token.Issuer
	var err error
	switch {
	case c.IsSet("issuer-file") && (c.IsSet("issuer") || c.IsSet("provider")):
		return errors.New("-issuer-file beside -issuer or -provider: the file names the issuer and its claims, so leave the others out")
	case c.IsSet("issuer-file"):
		flag = "-issuer-file"
		trusted, err = readIssuer(c.String("issuer-file"))
	case c.IsSet("issuer") && issuer == "": // else nothing would be verified
		return errors.New("-issuer is empty: give the issuer's URL, or leave the flag out to verify nothing; if a variable or a file should supply it, set the variable or fill the file")
	default:
		given = issuer != ""
		trusted, err = issuerOf(c.String("provider"), issuer)
	}
	if err != nil {
		return err
	}
	if !given {
		// An issuer of no use, so that the leeway is checked.
		trusted.URL, trusted.KeySetURL = "https://issuer.invalid", ""
	}
	if _, err := token.NewVerifier(trusted); err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	silent := token.WithLogger(slog.New(slog.DiscardHandler)) // the command tells why there are no keys
	verifier, err := token.NewVerifier(trusted, leeway, silent)
	if err != nil {
		return fmt.Errorf("-leeway: %w", err)
	}
	if !given {
		q.Inspect = explain.Inspector(trusted, leeway)
		return nil
	}
	q.Verifier = verifier
	q.Inspect = func(raw string) (*token.Claims, error) { return unverified.Token(trusted, raw, leeway) }
	return nil
}

// trustAll trusts the issuers of a document.
func trustAll(q *explain.Question, c *cli.Command, d *deployment.Deployment) (err error) {
	if c.IsSet("provider") {
		return fmt.Errorf("-provider beside -authz: %s names the issuers and their claims, so leave -provider out, or give -issuer", d.Place("issuers"))
	}
	leeway, silent := token.WithLeeway(c.Duration("leeway")), token.WithLogger(slog.New(slog.DiscardHandler)) // the command tells why there are no keys
	if q.Verifier, err = d.NewVerifier(leeway, silent); err != nil {
		return fmt.Errorf("-leeway: %w", err) // the document is sound
	}
	options := []token.Option{leeway}
	for _, issuer := range d.Issuers[1:] {
		options = append(options, token.WithIssuer(issuer))
	}
	q.Inspect = func(raw string) (*token.Claims, error) { return unverified.Token(d.Issuers[0], raw, options...) }
	return nil
}

// readIssuer reads an issuer from a file in JSON or YAML.
func readIssuer(name string) (token.Issuer, error) {
	text, err := readDocument(name)
	if err != nil {
		return token.Issuer{}, fmt.Errorf("-issuer-file: %w", err)
	}
	issuer, err := token.ParseIssuer(text)
	if err != nil {
		return token.Issuer{}, fmt.Errorf("-issuer-file: %w", inFile(name, err))
	}
	return issuer, nil
}

func issuerOf(provider, issuer string) (trusted token.Issuer, err error) {
	switch provider {
	case "logto":
		return token.Logto(issuer), nil
	case "auth0":
		trusted = token.Auth0(domain(issuer))
	case "authaction":
		trusted = token.AuthAction(domain(issuer))
	default:
		return trusted, fmt.Errorf("-provider %q: give logto, auth0 or authaction", provider)
	}
	switch {
	case issuer != "" && domain(issuer) == "":
		return trusted, fmt.Errorf("-issuer: give the URL of %s in the form https://domain/", provider)
	case strings.HasPrefix(issuer, "http://"): // for tests, on a loopback address
		trusted.URL = strings.Replace(trusted.URL, "https://", "http://", 1)
		trusted.KeySetURL = strings.Replace(trusted.KeySetURL, "https://", "http://", 1)
	}
	return trusted, nil
}

// domain returns the domain of an issuer's URL, or "" if the URL has more than a domain.
func domain(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || strings.TrimSuffix(issuer, "/") != u.Scheme+"://"+u.Host {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback() {
		return u.Host
	}
	return ""
}
