package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/gen/sample/v1/samplev1connect"
)

const tokenHelp = `Token prints an access token for a running sample.

Usage:

  go run ./sample token -client ID [flags]
  go run ./sample token -user ID [flags]

Each permission model has its kind of token:

  go run ./sample token -client acme-admin -scope read:products
  go run ./sample token -client acme-admin -scope invite:member -organization acme
  go run ./sample token -client acme-admin -scope read:data -organization acme -resource https://api.example.com
  go run ./sample token -user sam -scope read:accounts

Clients of the embedded issuer: acme-admin, acme-viewer, globex-admin, no-roles.
Users of the embedded issuer: alice, bob, sam.

Flags:

`

// A grant holds the parameters of a request for a token.
type grant struct {
	client, secret                string
	user                          string // in place of a client
	scope, organization, resource string
}

// A tokenAnswer is the answer of a token endpoint (RFC 6749 sections 5.1 and 5.2).
type tokenAnswer struct {
	AccessToken      string `json:"access_token,omitempty"`
	Error            string `json:"error,omitempty"`
	ErrorDescription string `json:"error_description,omitempty"`
}

// runToken prints a token of the issuer that a running sample trusts.
func runToken(ctx context.Context, args []string, stdout, _ io.Writer) error {
	var g grant
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	server := flags.String("server", "http://127.0.0.1:8080", "`URL` of the running sample")
	flags.StringVar(&g.client, "client", "", "`id` of the client that asks (required, unless there is a -user)")
	flags.StringVar(&g.secret, "secret", "", "secret of the client (default: its id and \"-secret\")")
	flags.StringVar(&g.user, "user", "", "`id` of the user whose token it is, in place of a client; the embedded issuer alone gives such tokens")
	flags.StringVar(&g.scope, "scope", "", "`scopes` to ask for, separated by spaces; the token leaves out scopes that the client or user does not hold")
	flags.StringVar(&g.organization, "organization", "", "`id` of the organization that the token is for")
	flags.StringVar(&g.resource, "resource", "", "`URI` of the API that the token is for (default: the sample's API, unless there is an -organization)")
	if err := parseFlags(flags, args, tokenHelp, stdout); err != nil {
		return err
	}
	switch {
	case g.user != "" && (g.client != "" || g.secret != ""):
		return badFlag("user", "the token is the user's alone: leave out -client and -secret")
	case g.user == "" && g.client == "":
		return badFlag("client", "the client's id is required, or a -user")
	}
	// RFC 6749 section 3.3.
	if strings.ContainsFunc(g.scope, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return badFlag("scope", "%q has a character that a scope cannot have", g.scope)
	}
	if g.secret == "" {
		g.secret = g.client + "-secret"
	}
	if u, err := url.Parse(*server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return badFlag("server", "%q is not an http or https URL", *server)
	}

	client := &http.Client{
		Timeout: 10 * time.Second,
		// A redirect would send the secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	base := strings.TrimSuffix(*server, "/")
	catalog := samplev1connect.NewCatalogServiceClient(client, base)
	info, err := catalog.GetInfo(ctx, connect.NewRequest(&samplev1.GetInfoRequest{}))
	if err != nil {
		return fmt.Errorf("-server: a sample does not answer there: %w", err)
	}
	if g.resource == "" && g.organization == "" {
		g.resource = info.Msg.GetAudience()
	}
	endpoint := base + userTokenPath
	if g.user == "" {
		if endpoint, err = discover(ctx, client, info.Msg.GetIssuer()); err != nil {
			return err
		}
	}
	token, err := g.ask(ctx, client, endpoint)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

// discover returns the token endpoint of an issuer (RFC 8414).
func discover(ctx context.Context, client *http.Client, issuer string) (endpoint string, err error) {
	var metadata struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", nil)
	if err != nil {
		return "", err
	}
	if _, err := doJSON(client, request, &metadata); err != nil {
		return "", fmt.Errorf("discovery of %s: %w", issuer, err)
	}
	return metadata.TokenEndpoint, nil
}

// ask gets a token of a client by the client credentials grant (RFC 6749 section 4.4), or of a user without any
// credentials.
func (g grant) ask(ctx context.Context, client *http.Client, endpoint string) (string, error) {
	form := url.Values{}
	for name, value := range map[string]string{
		"scope": g.scope, "organization_id": g.organization, "resource": g.resource, "user": g.user,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if g.user == "" {
		form.Set("grant_type", "client_credentials")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if g.user == "" {
		request.SetBasicAuth(url.QueryEscape(g.client), url.QueryEscape(g.secret))
	}
	var answer tokenAnswer
	status, err := doJSON(client, request, &answer)
	switch {
	case g.user != "" && status == http.StatusNotFound:
		return "", errors.New("-user: the sample has no embedded issuer: log in at the sample's issuer")
	case err != nil:
		return "", fmt.Errorf("token endpoint %s: %w", endpoint, err)
	case status != http.StatusOK || answer.AccessToken == "":
		return "", fmt.Errorf("%sthe issuer refused with status %d: %s: %s",
			flagsByError[answer.Error], status, answer.Error, answer.ErrorDescription)
	}
	return answer.AccessToken, nil
}

// flagsByError are the flags that an error of the token endpoint is about.
var flagsByError = map[string]string{
	"invalid_client": "-client, -secret: ",
	"invalid_user":   "-user: ",
	"access_denied":  "-organization: ",
	"invalid_target": "-resource: ",
	"invalid_scope":  "-scope: ",
}

// maxAnswerBytes is the largest answer of an issuer that is read.
const maxAnswerBytes = 1 << 20

// doJSON sends a request and decodes the answer, whatever its status. It returns the status also if the answer is not
// JSON.
func doJSON(client *http.Client, request *http.Request, into any) (status int, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(into); err != nil {
		return response.StatusCode, fmt.Errorf("status %d, and the answer is not JSON: %w", response.StatusCode, err)
	}
	return response.StatusCode, nil
}
