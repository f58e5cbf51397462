package clientauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// How long a token is used, by what it lives for.
const (
	maxLifetime = 24 * time.Hour   // that is believed
	maxEarly    = 5 * time.Minute  // before the end it is refreshed, or a quarter of its life,
	maxReserve  = 10 * time.Second // and no longer handed out, or a tenth
)

// A grant is a token and how long it is used. The zero times are long ago.
type grant struct {
	token     *oauth2.Token
	refreshAt time.Time // from then on it should be replaced
	endAt     time.Time // from then on it is not handed out
}

// fetch asks the token endpoint.
func (c *Client) fetch(form string) (grant, error) {
	fail := func(reason, cause error) (grant, error) {
		return grant{}, fmt.Errorf("clientauth: %w: token endpoint %q: %w", reason, c.provider.TokenURL, cause)
	}
	ctx, cancel := context.WithTimeout(context.Background(), endpoint.Timeout)
	defer cancel()
	asked := time.Now()
	request, err := c.request(ctx, form)
	if err != nil {
		return fail(ErrRefused, errors.New("the request cannot be made"))
	}
	body, status, err := endpoint.Do(c.transport, request,
		http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden)
	switch {
	case err != nil:
		return fail(ErrUnavailable, down(status, err))
	case status != http.StatusOK:
		return fail(ErrRefused, refusal(status, body))
	}
	g, err := parseGrant(body, asked)
	if err != nil {
		return fail(ErrUnavailable, err)
	}
	return g, nil
}

func (c *Client) request(ctx context.Context, form string) (*http.Request, error) {
	if c.provider.AuthStyle == oauth2.AuthStyleInParams {
		form += "&" + url.Values{"client_id": {c.id}, "client_secret": {c.secret()}}.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.provider.TokenURL, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if c.provider.AuthStyle == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(c.secret()))
	}
	return request, nil
}

// parseGrant reads a successful answer (RFC 6749 section 5.1).
func parseGrant(body []byte, asked time.Time) (grant, error) {
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	if json.Unmarshal(body, &answer) != nil { // its error repeats pieces of the answer
		return grant{}, errors.New("the answer is no JSON object of a token, with the seconds of expires_in as a whole number")
	}
	lifetime := time.Duration(min(answer.ExpiresIn, int64(maxLifetime/time.Second))) * time.Second
	g := grant{
		token:     &oauth2.Token{AccessToken: answer.AccessToken, TokenType: answer.TokenType, Expiry: asked.Add(lifetime)},
		refreshAt: asked.Add(lifetime - min(lifetime/4, maxEarly)),
		endAt:     asked.Add(lifetime - min(lifetime/10, maxReserve)),
	}
	switch {
	case answer.ExpiresIn <= 0:
		return grant{}, errors.New("the answer has no expires_in above zero")
	case answer.TokenType == "":
		return grant{}, errors.New("the answer has no token_type")
	case !time.Now().Before(g.endAt):
		return grant{}, errors.New("the token had expired when it came")
	}
	return g, check(g.token)
}

// check makes sure that a token can be sent as one of RFC 6750.
func check(t *oauth2.Token) error {
	if t.Type() != "Bearer" {
		return errors.New("the token is no bearer token")
	}
	if _, err := token.Bearer([]string{"Bearer " + t.AccessToken}); err != nil {
		return fmt.Errorf("access_token: %w", err)
	}
	return nil
}

// A refusedError is an answer that grants nothing.
type refusedError struct {
	status int
	code   string // of RFC 6749 section 5.2, or empty
}

// codes are those that are repeated. Everything else in an answer is the endpoint's own.
var codes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", // RFC 6749
	"invalid_target", // RFC 8707
	"access_denied",  // Logto and Auth0
}

func refusal(status int, body []byte) *refusedError {
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		answer.Error = "" // it may have got that far
	}
	return newRefusal(status, answer.Error)
}

func newRefusal(status int, code string) *refusedError {
	if !slices.Contains(codes, code) {
		code = ""
	}
	return &refusedError{status, code}
}

// Error implements error.
func (e *refusedError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("the endpoint answered with status %d", e.status)
	}
	return fmt.Sprintf("the endpoint answered with status %d, %s", e.status, e.code)
}

// ofClient reports whether the client is refused, and not what it asks for.
func (e *refusedError) ofClient() bool {
	return e.code == "invalid_client" || e.code == "" && e.status == http.StatusUnauthorized
}
