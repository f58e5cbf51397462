package clientauth_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// refuse replaces the token that a source has.
func refuse(t testing.TB, source *clientauth.Source) (string, error) {
	t.Helper()
	token, err := source.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token, err = source.Replace(t.Context(), token); err != nil {
		checkSecrets(t, err)
		return "", err
	}
	return token.AccessToken, nil
}

// TestReplace replaces tokens that servers refuse.
func TestReplace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := granting(3600)
		client := newClient(t, idp)
		source := client.Source(target)
		// A source ignores the refusal of a token that it does not hold.
		foreign := &oauth2.Token{AccessToken: "secret"}
		source.Drop(t.Context(), foreign)
		nowhere := client.SourceFunc(func(context.Context) (clientauth.Target, error) { return target, context.Canceled }) // any error
		nowhere.Drop(t.Context(), foreign)
		_, err := nowhere.Replace(t.Context(), foreign)
		checkError(t, err, context.Canceled)
		if got, err := refuse(t, source); got != "secret-2" || err != nil {
			t.Fatal(got, err)
		}
		want(t, source, "secret-2")
		asked(t, idp, 2)
		// A server that refuses every token causes one request in a minute.
		time.Sleep(time.Minute - 1) // the bubble's clock
		_, err = refuse(t, source)
		checkError(t, err, clientauth.ErrSameToken)
		asked(t, idp, 2)
		time.Sleep(time.Nanosecond) // the bubble's clock
		if got, err := refuse(t, source); got != "secret-3" || err != nil {
			t.Fatal(got, err)
		}
		// What is left of a token that somebody has copied is its text.
		time.Sleep(time.Minute) // the bubble's clock
		source.Drop(t.Context(), &oauth2.Token{AccessToken: "secret-3"})
		want(t, source, "secret-4")
		// The minute begins with the first refusal of a token.
		for range 2 {
			time.Sleep(time.Minute) // the bubble's clock
			source.Drop(t.Context(), &oauth2.Token{AccessToken: "secret-4"})
		}
		if got, err := refuse(t, source); got != "secret-6" || err != nil {
			t.Fatal(got, err)
		}
	})
}

// TestReplaceOld makes sure that the refusal of an old token does not replace the next one.
func TestReplaceOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(time.Second, grants(3600)))
		source := newClient(t, idp).Source(target)
		old, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				if token, err := source.Replace(t.Context(), old); err != nil || token.AccessToken != "secret-2" {
					t.Error(err, "or another token")
				}
			})
		}
		calls.Wait()
		time.Sleep(time.Hour / 2) // the bubble's clock
		for range 100 {
			source.Drop(t.Context(), old)
		}
		want(t, source, "secret-2")
		asked(t, idp, 2)
	})
}

// TestReplaceWhileDown makes sure that calls get a refused token until there is a new one, and that
// only the first calls wait for the new token.
func TestReplaceWhileDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := granting(3600)
		source := newClient(t, idp).Source(target)
		want(t, source, "secret-1")
		idp.Serve(tokenURL, slow(time.Second, tokens.Respond(503, "")))
		start := time.Now()
		var calls sync.WaitGroup
		calls.Go(func() {
			_, err := refuse(t, source)
			checkError(t, err, clientauth.ErrSameToken)
		})
		synctest.Wait()
		want(t, source, "secret-1")
		calls.Wait()
		if waited := time.Since(start); waited != time.Second {
			t.Error(waited)
		}
		asked(t, idp, 2)
		for range 2 { // too early, and in the background
			want(t, source, "secret-1")
			asked(t, idp, 2)
			time.Sleep(time.Second / 2) // the bubble's clock
		}
		want(t, source, "secret-1")
		if waited := time.Since(start); waited != 2*time.Second {
			t.Error(waited)
		}
		synctest.Wait()
		asked(t, idp, 3)
		idp.Serve(tokenURL, tokens.Respond(200, `{"access_token": "new", "token_type": "Bearer", "expires_in": 60}`))
		time.Sleep(3 * time.Second) // the bubble's clock
		want(t, source, "secret-1")
		synctest.Wait()
		want(t, source, "new")
	})
}

// TestReplaceTooEarly makes sure that calls get a refused token while it is too early for a request.
func TestReplaceTooEarly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := granting(3600)
		client := newClient(t, idp)
		source := client.Source(target)
		want(t, source, "secret-1")
		idp.Serve(tokenURL, tokens.Respond(503, ""))
		fails(t, client.Source(organization("acme")), clientauth.ErrUnavailable)
		_, err := client.Source(organization("acme")).Replace(t.Context(), &oauth2.Token{AccessToken: "secret"})
		checkError(t, err, clientauth.ErrUnavailable)
		_, err = refuse(t, source)
		checkError(t, err, clientauth.ErrSameToken)
		want(t, source, "secret-1")
		asked(t, idp, 2)
	})
}

// A tokenSource is any other source.
type tokenSource func() (*oauth2.Token, error)

func (s tokenSource) Token() (*oauth2.Token, error) { return s() }

func TestFromTokenSource(t *testing.T) {
	t.Parallel()
	response := func(status int) *http.Response { return &http.Response{StatusCode: status, Status: "secret"} }
	for name, test := range map[string]struct {
		token  *oauth2.Token
		err    error
		reason error  // or nil if there is a token
		text   string // behind the reason
	}{
		"good":          {&oauth2.Token{AccessToken: "secret"}, nil, nil, ""},
		"good, expires": {&oauth2.Token{AccessToken: "secret", TokenType: "bearer", Expiry: time.Now().Add(time.Hour)}, nil, nil, ""},
		"neither":       {nil, nil, clientauth.ErrRefused, "the source returned neither a token nor an error"},
		"expired":       {&oauth2.Token{AccessToken: "secret", Expiry: time.Unix(1, 0)}, nil, clientauth.ErrUnavailable, "the source returned an expired token"},
		"DPoP": {&oauth2.Token{AccessToken: "secret", TokenType: "DPoP"}, nil, clientauth.ErrRefused,
			"the token_type is not Bearer: have the provider issue bearer tokens to this client"},
		"empty": {new(oauth2.Token), nil, clientauth.ErrRefused,
			"access_token cannot be sent: it is empty, has more than 16 KiB, or holds a character that no token has, such as a space, comma or quote: have the provider issue bearer tokens (RFC 6750)"},
		"two lines": {&oauth2.Token{AccessToken: "secret\r\nX-Secret: 1"}, nil, clientauth.ErrRefused,
			"access_token cannot be sent: it is empty, has more than 16 KiB, or holds a character that no token has, such as a space, comma or quote: have the provider issue bearer tokens (RFC 6750)"},
		"failure": {nil, errors.New("secret"), clientauth.ErrUnavailable, "the source failed with a *errors.errorString"},
		"refusal": {nil, &oauth2.RetrieveError{Response: response(400), Body: []byte("secret"), ErrorCode: "invalid_scope", ErrorDescription: "secret"},
			clientauth.ErrRefused, "the source failed: the endpoint answered with status 400, invalid_scope: check Target.Scopes"},
		"refusal with status 200": {nil, &oauth2.RetrieveError{Response: response(200), Body: []byte("secret"), ErrorCode: "secret"},
			clientauth.ErrRefused, "the source failed: the endpoint answered with status 200 and refused the request: look into the provider's log"},
		"refusal that may pass": {nil, &oauth2.RetrieveError{Response: response(400), ErrorCode: "temporarily_unavailable"},
			clientauth.ErrUnavailable, "the source failed: the endpoint answered with status 400, temporarily_unavailable: it is tried again later"},
		"refusal, unknown": {nil, &oauth2.RetrieveError{Response: response(500), Body: []byte("secret"), ErrorCode: "secret"},
			clientauth.ErrUnavailable, "the source failed: the endpoint answered with status 500: it is tried again later"},
		"refusal without a response": {nil, &oauth2.RetrieveError{ErrorCode: "secret"}, clientauth.ErrUnavailable, "the source failed with a *oauth2.RetrieveError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := clientauth.FromTokenSource(tokenSource(func() (*oauth2.Token, error) { return test.token, test.err }))
			if test.reason == nil {
				want(t, source, "secret")
				_, err := refuse(t, source)
				checkError(t, err, clientauth.ErrSameToken)
				return
			}
			if got := get(t, source); got != "clientauth: "+test.reason.Error()+": "+test.text {
				t.Error(got)
			}
			fails(t, source, test.reason)
		})
	}
}

// TestSlowTokenSource makes sure that a call stops waiting for a slow token source when its context
// ends, and that calls share an answer.
func TestSlowTokenSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		source := clientauth.FromTokenSource(tokenSource(func() (*oauth2.Token, error) {
			time.Sleep(time.Minute) // the bubble's clock
			return &oauth2.Token{AccessToken: "secret"}, errors.Join(nil, map[bool]error{true: errors.New("secret")}[n.Add(1) == 2])
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := source.Token(ctx)
		checkError(t, err, context.DeadlineExceeded)
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() { want(t, source, "secret") })
		}
		calls.Wait()
		fails(t, source, clientauth.ErrUnavailable)
		fails(t, source, clientauth.ErrUnavailable)
		if n := n.Load(); n != 2 {
			t.Errorf("%d questions instead of 2", n)
		}
	})
}

func TestNil(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(){
		"NewInterceptor":  func() { clientauth.NewInterceptor(nil) },
		"FromTokenSource": func() { clientauth.FromTokenSource(nil) },
		"ForwardFrom":     func() { clientauth.ForwardFrom(nil) },
		"SourceFunc":      func() { newClient(t, granting(60)).SourceFunc(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s(nil) does not panic", name)
				}
			}()
			call()
		}()
	}
}

// TestOwnToken makes sure that a user who writes to a token changes no other user's token.
func TestOwnToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := newClient(t, granting(3600)).Source(target)
		token, err := source.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		token.AccessToken = "written"
		want(t, source, "secret-1")
		if token, err = source.Replace(t.Context(), &oauth2.Token{AccessToken: "secret-1"}); err != nil {
			t.Fatal(err)
		}
		token.AccessToken = "written"
		want(t, source, "secret-2")
	})
}
