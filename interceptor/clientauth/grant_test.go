package clientauth_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// spaces is a body without end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for n := range p {
		p[n] = ' '
	}
	return len(p), nil
}

func (spaces) Close() error { return nil }

// TestAnswers has the possible responses of a token endpoint.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const good = `{"access_token": "secret-1", "token_type": "Bearer", "expires_in": 60}`
	ok := func(body string, headers ...string) tokens.Handler {
		return tokens.Respond(200, body, headers...)
	}
	with := func(old, new string) tokens.Handler { return ok(strings.Replace(good, old, new, 1)) }
	refuse := func(status int, code string) tokens.Handler {
		return tokens.Respond(status, `{"error": "`+code+`", "error_description": "secret"}`)
	}
	for name, test := range map[string]struct {
		serve  tokens.Handler
		reason error // or nil if there is a token
	}{
		"good":                   {ok(good), nil},
		"more members":           {with(`{`, `{"scope": "a", "refresh_token": "x", "id_token": null, `), nil},
		"another case of Bearer": {with("Bearer", "bearer"), nil},
		"text/html by name":      {ok(good, "Content-Type", "text/html"), nil},

		"no access_token":          {with("access_token", "accesstoken"), clientauth.ErrRefused},
		"access_token empty":       {with("secret-1", ""), clientauth.ErrRefused},
		"access_token a number":    {with(`"secret-1"`, "1"), clientauth.ErrRefused},
		"access_token two lines":   {with("secret-1", `secret-1\r\nX-Secret: 1`), clientauth.ErrRefused},
		"access_token two words":   {with("secret-1", "secret 1"), clientauth.ErrRefused},
		"access_token too large":   {with("secret-1", strings.Repeat("secret", 3000)), clientauth.ErrRefused},
		"no token_type":            {with("token_type", "type"), clientauth.ErrRefused},
		"token_type empty":         {with("Bearer", ""), clientauth.ErrRefused},
		"token_type DPoP":          {with("Bearer", "DPoP"), clientauth.ErrRefused},
		"token_type N_A":           {with("Bearer", "N_A"), clientauth.ErrRefused},
		"token_type a number":      {with(`"Bearer"`, "1"), clientauth.ErrRefused},
		"no expires_in":            {with("expires_in", "expires"), nil},
		"expires_in null":          {with("60", "null"), nil},
		"expires_in 0":             {with("60", "0"), clientauth.ErrRefused},
		"expires_in negative":      {with("60", "-1"), clientauth.ErrRefused},
		"expires_in overflows":     {with("60", "-9223372037"), clientauth.ErrRefused},
		"expires_in a string":      {with("60", `"60"`), nil},
		"expires_in a fraction":    {with("60", "59.9"), clientauth.ErrRefused},
		"expires_in 2^64":          {with("60", "18446744073709551616"), clientauth.ErrRefused},
		"expires_in 2^63":          {with("60", "9.223372036854775808e18"), clientauth.ErrRefused},
		"expires_in 1.0":           {with("60", "1.0"), nil},
		"expires_in 2^63-1":        {with("60", "9223372036854775807"), nil},
		"HTML":                     {ok("<!doctype html><title>secret</title>"), clientauth.ErrRefused},
		"a form":                   {ok("access_token=secret-1&token_type=Bearer&expires_in=60"), clientauth.ErrRefused},
		"empty":                    {ok(""), clientauth.ErrRefused},
		"null":                     {ok("null"), clientauth.ErrRefused},
		"an array":                 {ok("[" + good + "]"), clientauth.ErrRefused},
		"an array of pairs":        {ok(`["access_token", "secret-1", "token_type", "Bearer"]`), clientauth.ErrRefused},
		"two answers":              {ok(good + good), clientauth.ErrRefused},
		"half an answer":           {ok(good[:40]), clientauth.ErrRefused},
		"without its end":          {ok(strings.TrimSuffix(good, "}")), clientauth.ErrRefused},
		"error empty":              {with(`{`, `{"error": "", `), nil},
		"try again, status 200":    {ok(`{"error": "temporarily_unavailable"}`), clientauth.ErrUnavailable},
		"an error with status 200": {ok(`{"error": "invalid_client", "error_description": "secret"}`), clientauth.ErrRefused},
		"huge":                     {ok(strings.Repeat(" ", 1<<20) + good), clientauth.ErrRefused},
		"without end": {func(request *http.Request) (*http.Response, error) {
			response, err := ok("")(request)
			response.Body = spaces{}
			return response, err
		}, clientauth.ErrRefused},
		"breaks off": {func(request *http.Request) (*http.Response, error) {
			response, err := ok("")(request)
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader(good), errorReader{}))
			return response, err
		}, clientauth.ErrUnavailable},
		"no answer":       {func(*http.Request) (*http.Response, error) { return nil, errors.New("secret") }, clientauth.ErrUnavailable},
		"transport panic": {func(*http.Request) (*http.Response, error) { panic("secret") }, clientauth.ErrUnavailable},
		"transport exits": {func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil }, clientauth.ErrUnavailable},

		"201": {tokens.Respond(201, good), clientauth.ErrRefused},
		"302": {tokens.Respond(302, good, "Location", tokenURL+"2"), clientauth.ErrRefused},
		"307": {tokens.Respond(307, good, "Location", "https://evil.test/?secret"), clientauth.ErrRefused},
		"308": {tokens.Respond(308, good, "Location", "http://idp.test/#secret"), clientauth.ErrRefused},
		"404": {tokens.Respond(404, "secret"), clientauth.ErrRefused},
		"429": {tokens.Respond(429, "secret", "Retry-After", "10"), clientauth.ErrUnavailable},
		"408": {tokens.Respond(408, "secret"), clientauth.ErrUnavailable},
		"425": {tokens.Respond(425, "secret"), clientauth.ErrUnavailable},
		"500": {tokens.Respond(500, "secret"), clientauth.ErrUnavailable},
		"503": {tokens.Respond(503, good), clientauth.ErrUnavailable},

		"invalid_client":  {refuse(401, "invalid_client"), clientauth.ErrRefused},
		"invalid_target":  {refuse(400, "invalid_target"), clientauth.ErrRefused},
		"access_denied":   {refuse(403, "access_denied"), clientauth.ErrRefused},
		"try again":       {refuse(400, "temporarily_unavailable"), clientauth.ErrUnavailable},
		"it is broken":    {refuse(400, "server_error"), clientauth.ErrUnavailable},
		"an unknown code": {refuse(400, "secret"), clientauth.ErrRefused},
		"403 with HTML":   {tokens.Respond(403, "<html>secret"), clientauth.ErrRefused},
		"400 with a token": {
			tokens.Respond(400, good), clientauth.ErrRefused,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := tokens.NewIDP()
				idp.Serve(tokenURL, test.serve)
				source := newClient(t, idp).Source(target)
				if test.reason == nil {
					want(t, source, "secret-1")
				} else {
					fails(t, source, test.reason)
				}
				asked(t, idp, 1)
				idp.Serve(tokenURL, ok(good))
				time.Sleep(time.Second) // the bubble's clock
				want(t, source, "secret-1")
			})
		})
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, errors.New("secret") }

// TestRefusalText checks the text for each refusal.
func TestRefusalText(t *testing.T) {
	t.Parallel()
	idp := tokens.NewIDP()
	idp.Serve(tokenURL, tokens.Respond(401, `{"error": "invalid_client", "error_description": "secret"}`))
	const text = `clientauth: no token is granted: token endpoint "https://idp.test/oidc/token": the endpoint answered with status 401, invalid_client: check the client's credentials, and how they are sent (AuthStyle)`
	if got := get(t, newClient(t, idp).Source(target)); got != text {
		t.Error(got)
	}
}

// TestDefaultTransport makes sure that the default transport keeps no connection.
func TestDefaultTransport(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, ok := r.BasicAuth(); !ok || id != "shop" || secret != clientSecret || r.FormValue("scope") != "read:a" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"access_token": "secret-1", "token_type": "Bearer", "expires_in": 60}`)
	}))
	defer server.Close()
	client, err := clientauth.New(clientauth.Logto(server.URL), "shop", clientSecret)
	if err != nil {
		t.Fatal(err)
	}
	want(t, client.Source(target), "secret-1")
	server.Close()
	fails(t, client.Source(clientauth.Target{Resource: "another"}), clientauth.ErrUnavailable)
}
