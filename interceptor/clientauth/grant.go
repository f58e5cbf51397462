package clientauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// How long a token is used.
const (
	maxLifetime = 24 * time.Hour   // longer lifetimes are cut
	maxEarly    = 5 * time.Minute  // from the refresh to the end of the token, unless a quarter of its life is less
	maxReserve  = 10 * time.Second // from the last use to the end of the token, unless a tenth of its life is less
)

// A grant is a token, and how long it is used.
type grant struct {
	token     *oauth2.Token
	refreshAt time.Time // from then on a call refreshes the token: not after endAt
	endAt     time.Time // from then on no call gets the token
}

// fetch gets a token from the token endpoint.
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
	body, status, err := c.provider.plainHTTP().Do(c.transport, request, advice, readStatuses...)
	if err != nil {
		reason := ErrRefused
		if endpoint.MayPass(err) {
			reason = ErrUnavailable
		}
		if status == 0 || endpoint.Transient(status) {
			err = downError{err}
		}
		return fail(reason, err)
	}
	if status != http.StatusOK {
		refused := refusal(status, body)
		return fail(refused.reason(), refused)
	}
	g, err := parseGrant(body, asked)
	refused, isRefusal := errors.AsType[*refusedError](err)
	switch {
	case err == nil:
		return g, nil
	case isRefusal:
		return fail(refused.reason(), refused)
	case errors.Is(err, errLate):
		return fail(ErrUnavailable, err)
	default:
		return fail(ErrRefused, err)
	}
}

// advice is for a TokenURL that seems to be wrong.
const advice = "is this the provider's token endpoint?"

// readStatuses are the statuses of responses that are read.
var readStatuses = []int{http.StatusOK, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}

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

// errLate is the error for a response that took longer than the token lives.
var errLate = errors.New("the token had expired when it came")

// parseGrant reads a successful response (RFC 6749 section 5.1).
func parseGrant(body []byte, asked time.Time) (grant, error) {
	response, err := readResponse(body)
	if err != nil {
		return grant{}, err
	}
	if refused := response.refusal(http.StatusOK); refused != nil {
		return grant{}, refused // some providers refuse with the status of success
	}
	accessToken, err := response.text("access_token")
	tokenType, typeErr := response.text("token_type")
	lifetime, lifetimeErr := response.lifetime()
	if err := cmp.Or(err, typeErr, lifetimeErr); err != nil {
		return grant{}, err
	}
	g := grant{
		token:     &oauth2.Token{AccessToken: accessToken, TokenType: tokenType, Expiry: asked.Add(lifetime)},
		refreshAt: asked.Add(lifetime - min(lifetime/4, maxEarly)),
		endAt:     asked.Add(lifetime - min(lifetime/10, maxReserve)),
	}
	switch {
	case accessToken == "":
		return grant{}, errors.New("the answer has no access_token: " + advice)
	case tokenType == "":
		return grant{}, errors.New("the answer has no token_type, which RFC 6749 section 5.1 requires: the provider must correct it")
	case !time.Now().Before(g.endAt):
		return grant{}, errLate
	}
	return g, check(g.token)
}

// check refuses a token that cannot be sent as a bearer token (RFC 6750).
func check(t *oauth2.Token) error {
	if t.Type() != "Bearer" {
		return errors.New("the token_type is not Bearer: have the provider issue bearer tokens to this client")
	}
	if _, err := token.Bearer([]string{"Bearer " + t.AccessToken}); err != nil {
		return errors.New("access_token cannot be sent: it is empty, has more than 16 KiB, or holds a character that no token has, such as a space, comma or quote: have the provider issue bearer tokens (RFC 6750)")
	}
	return nil
}

// A refusedError is a response of the token endpoint that grants no token.
type refusedError struct {
	status int
	code   string // of RFC 6749 section 5.2, or empty
}

// remedies are the error codes that may be repeated, and what to do about each. Other codes may be
// secrets.
var remedies = map[string]string{
	// RFC 6749
	"invalid_request":        "check the parameters of the Provider",
	"invalid_client":         "check the client's credentials, and how they are sent (AuthStyle)",
	"invalid_grant":          "check the client's settings at the provider",
	"unauthorized_client":    "let the client use the client credentials grant at the provider",
	"unsupported_grant_type": "let the client use the client credentials grant at the provider",
	"invalid_scope":          "check Target.Scopes",
	// RFC 8707
	"invalid_target": "check Target.Resource",
	// Logto and Auth0
	"access_denied": "check the client's roles at the provider, and Target.Organization",
	// Entra ID and others: these may pass
	"temporarily_unavailable": "it is tried again later",
	"server_error":            "it is tried again later",
}

// refusal returns the refusal in an error response.
func refusal(status int, body []byte) *refusedError {
	response, _ := readResponse(body) // an answer that cannot be read has no code
	return cmp.Or(response.refusal(status), newRefusal(status, ""))
}

// refusal returns nil if the response has no error.
func (r tokenResponse) refusal(status int) *refusedError {
	code, err := r.text("error")
	if err == nil && code == "" {
		return nil
	}
	return newRefusal(status, code)
}

func newRefusal(status int, code string) *refusedError {
	if remedies[code] == "" {
		code = ""
	}
	return &refusedError{status, code}
}

// Error implements error.
func (e *refusedError) Error() string {
	text := fmt.Sprintf("the endpoint answered with status %d", e.status)
	switch {
	case e.code != "":
		return text + ", " + e.code + ": " + remedies[e.code]
	case e.status == http.StatusUnauthorized:
		return text + ": " + remedies["invalid_client"]
	case e.status == http.StatusBadRequest, e.status == http.StatusForbidden:
		return text + ": check Target.Scopes, Target.Resource and Target.Organization, and what the provider lets the client have"
	case endpoint.Transient(e.status):
		return text + ": " + remedies["server_error"]
	default:
		return text + " and refused the request: look into the provider's log"
	}
}

// reason returns [ErrUnavailable] if another attempt may succeed, and [ErrRefused] otherwise.
func (e *refusedError) reason() error {
	if endpoint.Transient(e.status) || e.code == "temporarily_unavailable" || e.code == "server_error" {
		return ErrUnavailable
	}
	return ErrRefused
}

// ofClient reports whether the endpoint refuses the client, and not the target.
func (e *refusedError) ofClient() bool {
	return e.code == "invalid_client" || e.code == "" && e.status == http.StatusUnauthorized
}
