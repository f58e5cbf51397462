package clientauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestMain makes sure that no goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

const (
	tokenURL = "https://idp.test/oidc/token"
	// What must not be told has the word secret in it.
	clientSecret = "client-secret"
)

var target = clientauth.Target{Resource: "https://api.test", Scopes: []string{"read:a"}}

func newClient(t testing.TB, transport http.RoundTripper) *clientauth.Client {
	t.Helper()
	client, err := clientauth.New(clientauth.Logto("https://idp.test"), "shop", clientSecret, clientauth.WithTransport(transport))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// granting is a token endpoint that grants the tokens secret-1, secret-2, …, each for a lifetime
// in seconds.
func granting(seconds int) *tokens.IDP {
	idp := tokens.NewIDP()
	idp.Serve(tokenURL, grants(seconds))
	return idp
}

func grants(seconds int) tokens.Handler {
	var n atomic.Int64
	return func(request *http.Request) (*http.Response, error) {
		return tokens.Respond(http.StatusOK, fmt.Sprintf(
			`{"access_token": "secret-%d", "token_type": "Bearer", "expires_in": %d}`, n.Add(1), seconds))(request)
	}
}

// slow answers after a while, unless the request ends before.
func slow(wait time.Duration, then tokens.Handler) tokens.Handler {
	return func(request *http.Request) (*http.Response, error) {
		select {
		case <-time.After(wait): // the bubble's clock
			return then(request)
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
}

// get returns the token of a call.
func get(t testing.TB, source *clientauth.Source) string {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil {
		checkSecrets(t, err)
		return err.Error()
	}
	return token.AccessToken
}

// want makes sure that the next call gets the token. Any goroutine may call it.
func want(t testing.TB, source *clientauth.Source, token string) {
	t.Helper()
	if got := get(t, source); got != token {
		t.Errorf("%q instead of %q", got, token)
	}
}

// fails makes sure that the next call gets an error with the reason. Any goroutine may call it.
func fails(t testing.TB, source *clientauth.Source, reason error) {
	t.Helper()
	token, err := source.Token(t.Context())
	checkError(t, err, reason)
	if token != nil {
		t.Error("a token beside an error")
	}
}

func checkError(t testing.TB, err, reason error) {
	t.Helper()
	if !errors.Is(err, reason) {
		t.Errorf("%v instead of %v", err, reason)
	}
	checkSecrets(t, err)
}

// checkSecrets makes sure that an error and its causes hold no secret.
func checkSecrets(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if decoded, _ := url.QueryUnescape(text); strings.Contains(text+decoded, "secret") {
			t.Errorf("a secret is told: %s", text)
		}
	}
	switch wrapping := err.(type) { //nolint:errorlint // all causes, one by one
	case interface{ Unwrap() error }:
		checkSecrets(t, wrapping.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range wrapping.Unwrap() {
			checkSecrets(t, cause)
		}
	}
}

// asked checks the number of requests to the token endpoint.
func asked(t testing.TB, idp *tokens.IDP, times int) {
	t.Helper()
	if n := idp.Count(""); n != times {
		t.Fatalf("%d requests instead of %d", n, times)
	}
}
