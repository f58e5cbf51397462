package main

import (
	"errors"
	"flag"
	"io"
	"net"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/deployment"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const serverHelp = `Sample is a service that is guarded by protoauthz, with an issuer inside.

Usage:

  go run ./sample [flags]         start the server
  go run ./sample token [flags]   print an access token for it (token -h)

Examples:

  go run ./sample
  go run ./sample -listen 127.0.0.1:9090 -audience https://api.acme.example
  go run ./sample -origins http://localhost:5173
  go run ./sample -issuer https://tenant.logto.app/oidc
  go run ./sample -issuer https://tenant.eu.auth0.com/ -provider auth0
  go run ./sample -authz authz.json

Flags:

`

// A config holds the values of the server's flags, checked.
type config struct {
	address    *net.TCPAddr
	deployment deployment.Deployment // no issuers mean the embedded issuer
	origins    []string              // the origins of web pages that may call
}

// parseConfig reads the server's flags. The error holds all faults, each with the name of its flag.
func parseConfig(args []string, stdout io.Writer) (config, error) {
	flags := flag.NewFlagSet("sample", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to listen on; with port 0, a free port")
	issuer := flags.String("issuer", "", "`URL` of the issuer whose tokens to accept (default: the embedded issuer)")
	provider := flags.String("provider", "logto", "`provider` whose claims the issuer's tokens have: logto, auth0 or authaction")
	authz := flags.String("authz", "", "JSON `file` with audience, public services and issuers, for all other providers (see deployment.Read)")
	origins := flags.String("origins", "", "`origins` of web pages that may call, separated by commas (default: none)")
	audience := flags.String("audience", "https://api.example.com", "resource indicator (`URI`) of the API, which the audience of a token must be")
	if err := parseFlags(flags, args, serverHelp, stdout); err != nil {
		return config{}, err
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	address, addressErr := parseAddress(*listen, !given["issuer"] && !given["authz"])
	pages, originsErr := parseOrigins(*origins)
	c := config{address: address, origins: pages}
	if given["authz"] {
		var err error
		c.deployment, err = readDeployment(*authz, given["issuer"] || given["provider"] || given["audience"])
		return c, errors.Join(addressErr, err, originsErr)
	}
	issuers, issuerErr := parseIssuer(*provider, *issuer, given["issuer"])
	resource, audienceErr := parseAudience(*audience)
	c.deployment = deployment.Deployment{Audience: resource, Public: wellKnown, Issuers: issuers}
	return c, errors.Join(addressErr, issuerErr, audienceErr, originsErr)
}

func parseAddress(listen string, embedded bool) (*net.TCPAddr, error) {
	if _, _, err := net.SplitHostPort(listen); err != nil {
		return nil, badFlag("listen", "%w", err)
	}
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, badFlag("listen", "%w", err)
	}
	if embedded && !address.IP.IsLoopback() {
		return nil, badFlag("listen", "other machines reach %s, and the embedded issuer gives tokens to anybody: "+
			"listen on 127.0.0.1, or give an -issuer", listen)
	}
	return address, nil
}

// parseIssuer returns nil for the embedded issuer, which is the default.
func parseIssuer(provider, issuer string, given bool) ([]token.Issuer, error) {
	var result token.Issuer
	switch provider {
	case "logto":
		result = token.Logto(issuer)
	case "auth0":
		result = token.Auth0(domain(issuer))
	case "authaction":
		result = token.AuthAction(domain(issuer))
	default:
		return nil, badFlag("provider", "%q is not a provider: give logto, auth0 or authaction", provider)
	}
	switch {
	case given && issuer == "":
		return nil, badFlag("issuer", "it is empty: give the issuer's URL, or leave the flag out for the embedded issuer; if a variable or a file should supply it, set the variable or fill the file")
	case !given && provider == "logto":
		return nil, nil
	case !given:
		return nil, badFlag("provider", "the tokens of the embedded issuer have the claims of logto: give an -issuer whose tokens have the claims of %s", provider)
	case provider != "logto" && domain(issuer) == "":
		return nil, badFlag("issuer", "%q does not have the form https://domain/, which the issuers of %s have", issuer, provider)
	case provider != "logto" && strings.HasPrefix(issuer, "http://"): // for tests, on a loopback address
		result.URL = strings.Replace(result.URL, "https://", "http://", 1)
		result.KeySetURL = strings.Replace(result.KeySetURL, "https://", "http://", 1)
	}
	if _, err := token.NewVerifier(result); err != nil {
		return nil, badFlag("issuer", "%w", err)
	}
	return []token.Issuer{result}, nil
}

// readDeployment reads the file of -authz. It must have an issuer: other machines may reach the server.
func readDeployment(name string, twice bool) (deployment.Deployment, error) {
	if twice {
		return deployment.Deployment{}, badFlag("authz", "the file has the issuers and the audience: leave out -issuer, -provider and -audience")
	}
	read, err := deployment.Read(name)
	if err != nil {
		return deployment.Deployment{}, badFlag("authz", "%w", err)
	}
	if _, err := read.NewVerifier(); err != nil {
		return deployment.Deployment{}, badFlag("authz", "%w", err)
	}
	return *read, nil
}

// domain returns the domain of an issuer's URL without a path, or "".
func domain(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || strings.TrimSuffix(issuer, "/") != u.Scheme+"://"+u.Host || strings.HasSuffix(u.Host, ":") {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback() {
		return u.Host
	}
	return ""
}

// parseAudience accepts a resource indicator (RFC 8707 section 2).
func parseAudience(audience string) (string, error) {
	u, err := url.Parse(audience)
	switch {
	case audience == "":
		return "", badFlag("audience", "it is empty: give the API's resource indicator, or leave the flag out; if a variable or a file should supply it, set the variable or fill the file")
	case err != nil || !u.IsAbs() || strings.ContainsAny(audience, " #"):
		return "", badFlag("audience", "%q is not an absolute URI without fragment", audience)
	case strings.HasPrefix(audience, "urn:logto:"):
		return "", badFlag("audience", "urn:logto: is the audience of organizations, not of an API")
	}
	return audience, nil
}
