package clientauth_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/clientauth"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestRefresh checks when a token is refreshed, and how long calls get it.
func TestRefresh(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		seconds        int
		refreshed, end time.Duration
	}{
		{3600, 55 * time.Minute, 59*time.Minute + 50*time.Second},
		{60, 45 * time.Second, 54 * time.Second},
		{1, 750 * time.Millisecond, 900 * time.Millisecond},
		{30 * 86400, 24*time.Hour - 5*time.Minute, 24*time.Hour - 10*time.Second},
	} {
		t.Run(strconv.Itoa(test.seconds), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := granting(test.seconds)
				source := newClient(t, idp).Source(target)
				want(t, source, "secret-1")
				time.Sleep(test.refreshed - 1) // the bubble's clock
				want(t, source, "secret-1")
				asked(t, idp, 1)
				time.Sleep(time.Nanosecond) // the bubble's clock
				want(t, source, "secret-1") // at once
				synctest.Wait()
				asked(t, idp, 2)
				want(t, source, "secret-2")
			})
			synctest.Test(t, func(t *testing.T) {
				idp := granting(test.seconds)
				source := newClient(t, idp).Source(target)
				want(t, source, "secret-1")
				time.Sleep(test.end) // the bubble's clock
				want(t, source, "secret-2")
			})
			synctest.Test(t, func(t *testing.T) {
				idp := granting(test.seconds)
				source := newClient(t, idp).Source(target)
				want(t, source, "secret-1")
				idp.Serve(tokenURL, tokens.Respond(503, ""))
				time.Sleep(test.refreshed) // the bubble's clock
				want(t, source, "secret-1")
				time.Sleep(test.end - test.refreshed - 1) // the bubble's clock
				want(t, source, "secret-1")
				time.Sleep(time.Nanosecond) // the bubble's clock
				fails(t, source, clientauth.ErrUnavailable)
			})
		})
	}
}

// TestExpiry makes sure that no call gets an expired token from a slow endpoint.
func TestExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(700*time.Millisecond, grants(2)))
		source := newClient(t, idp).Source(target)
		for range 100 {
			token, err := source.Token(t.Context())
			if err != nil || !time.Now().Before(token.Expiry) {
				t.Fatal(err, "or an expired token")
			}
			time.Sleep(123 * time.Millisecond) // the bubble's clock
		}
		idp.Serve(tokenURL, slow(1900*time.Millisecond, grants(2)))
		time.Sleep(2 * time.Second) // the bubble's clock
		fails(t, source, clientauth.ErrUnavailable)
	})
}

// TestHerd makes sure that calls share a request.
func TestHerd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(time.Second, grants(60)))
		client := newClient(t, idp)
		var calls sync.WaitGroup
		for range 1000 {
			calls.Go(func() {
				if got := get(t, client.Source(target)); got != "secret-1" {
					t.Error(got)
				}
			})
		}
		calls.Wait()
		asked(t, idp, 1)
	})
}

// TestCancelledCall makes sure that the end of a call ends no other call.
func TestCancelledCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(time.Second, grants(60)))
		source := newClient(t, idp).Source(target)
		ctx, cancel := context.WithCancel(t.Context())
		var calls sync.WaitGroup
		calls.Go(func() {
			_, err := source.Token(ctx)
			checkError(t, err, context.Canceled)
		})
		synctest.Wait()
		asked(t, idp, 1)
		calls.Go(func() { want(t, source, "secret-1") })
		synctest.Wait()
		cancel()
		calls.Wait()
		asked(t, idp, 1)
	})
}

// TestHangingEndpoint makes sure that calls wait for as long as a request may take, and no
// longer.
func TestHangingEndpoint(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(time.Hour, grants(60)))
		source := newClient(t, idp).Source(target)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := source.Token(ctx)
		checkError(t, err, context.DeadlineExceeded)
		if waited := time.Since(start); waited != time.Second {
			t.Error(waited)
		}
		fails(t, source, clientauth.ErrUnavailable)
		if waited := time.Since(start); waited != 5*time.Second {
			t.Error(waited)
		}
		asked(t, idp, 1)
	})
}

// TestBackoff makes sure that an endpoint that fails gets requests with growing pauses.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, tokens.Respond(503, "secret"))
		source := newClient(t, idp).Source(target)
		start, requests := time.Now(), []time.Duration{}
		for time.Since(start) < 4*time.Minute {
			before := idp.Count("")
			fails(t, source, clientauth.ErrUnavailable)
			if idp.Count("") > before {
				requests = append(requests, time.Since(start))
			}
			time.Sleep(500 * time.Millisecond) // the bubble's clock
		}
		if got, want := fmt.Sprint(requests), "[0s 1s 3s 7s 15s 31s 1m3s 2m3s 3m3s]"; got != want {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
		idp.Serve(tokenURL, grants(60))
		time.Sleep(3 * time.Second) // the bubble's clock
		want(t, source, "secret-1")
		// One success, and it begins anew.
		idp.Serve(tokenURL, tokens.Respond(503, "secret"))
		time.Sleep(time.Minute) // the bubble's clock
		fails(t, source, clientauth.ErrUnavailable)
		idp.Serve(tokenURL, grants(60))
		time.Sleep(time.Second) // the bubble's clock
		want(t, source, "secret-1")
	})
}

func organization(id string) clientauth.Target {
	return clientauth.Target{Resource: "https://api.test", Organization: id}
}

// TestBackoffOfOthers checks which failures delay other targets.
func TestBackoffOfOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		serve  tokens.Handler
		reason error
		all    bool
	}{
		"no answer": {func(*http.Request) (*http.Response, error) { return nil, context.Canceled }, // any error
			clientauth.ErrUnavailable, true},
		"endpoint down":     {tokens.Respond(503, ""), clientauth.ErrUnavailable, true},
		"rate limit":        {tokens.Respond(429, ""), clientauth.ErrUnavailable, true},
		"unknown authority": {func(*http.Request) (*http.Response, error) { return nil, x509.UnknownAuthorityError{} }, clientauth.ErrRefused, true},
		"wrong secret":      {tokens.Respond(401, ""), clientauth.ErrRefused, true},
		"unknown client":    {tokens.Respond(400, `{"error": "invalid_client"}`), clientauth.ErrRefused, true},
		"wrong target":      {tokens.Respond(400, `{"error": "invalid_target"}`), clientauth.ErrRefused, false},
		"no member":         {tokens.Respond(403, `{"error": "access_denied"}`), clientauth.ErrRefused, false},
		"no reason is told": {tokens.Respond(403, ""), clientauth.ErrRefused, false},
		"no rights":         {tokens.Respond(401, `{"error": "invalid_target"}`), clientauth.ErrRefused, false},
		"no such path":      {tokens.Respond(404, ""), clientauth.ErrRefused, false},
		"no token":          {tokens.Respond(200, "{}"), clientauth.ErrRefused, false},
		"try again":         {tokens.Respond(400, `{"error": "temporarily_unavailable"}`), clientauth.ErrUnavailable, true},
		"too much":          {tokens.Respond(200, strings.Repeat(" ", 1<<20+1)), clientauth.ErrRefused, false},
		"panic":             {func(*http.Request) (*http.Response, error) { panic("secret") }, clientauth.ErrUnavailable, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := tokens.NewIDP()
				idp.Serve(tokenURL, slow(time.Second, test.serve))
				client := newClient(t, idp)
				var calls sync.WaitGroup // all side by side
				for n := range 10 {
					calls.Go(func() { fails(t, client.Source(organization("side"+strconv.Itoa(n))), test.reason) })
				}
				calls.Wait()
				asked(t, idp, 10)
				idp.Serve(tokenURL, test.serve)
				for n := range 10 {
					fails(t, client.Source(organization(strconv.Itoa(n))), test.reason)
				}
				if test.all {
					asked(t, idp, 10)
				} else {
					asked(t, idp, 20)
				}
				idp.Serve(tokenURL, grants(60))
				time.Sleep(time.Second) // the bubble's clock
				want(t, client.Source(organization("another")), "secret-1")
			})
		})
	}
}

// TestBackoffOfOne makes sure that a target for which the endpoint fails delays other targets for a
// second, and no longer.
func TestBackoffOfOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, func(request *http.Request) (*http.Response, error) {
			if request.FormValue("organization_id") == "bad" {
				return tokens.Respond(500, "")(request)
			}
			return grants(3600)(request)
		})
		client := newClient(t, idp)
		bad := client.Source(organization("bad"))
		for n := range 10 { // each later than the last
			fails(t, bad, clientauth.ErrUnavailable)
			time.Sleep(time.Second - 1) // the bubble's clock
			source := client.Source(organization(strconv.Itoa(n)))
			fails(t, source, clientauth.ErrUnavailable)
			time.Sleep(time.Nanosecond) // the bubble's clock
			want(t, source, "secret-1")
			want(t, client.Source(organization("another"+strconv.Itoa(n))), "secret-1")
			time.Sleep(time.Minute) // the bubble's clock
		}
	})
}

// TestHerdOfTargets makes sure that many targets send few requests while the endpoint is down, and
// all of their requests when it works again.
func TestHerdOfTargets(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]tokens.Handler{
		"it grants":  grants(60),
		"it refuses": tokens.Respond(400, `{"error": "invalid_target"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				idp := tokens.NewIDP()
				idp.Serve(tokenURL, slow(time.Second, tokens.Respond(503, "")))
				client := newClient(t, idp)
				ask := func() {
					var calls sync.WaitGroup
					for n := range 100 {
						calls.Go(func() { _ = get(t, client.Source(organization(strconv.Itoa(n)))) })
					}
					calls.Wait()
				}
				ask() // at the start, when nothing is known
				asked(t, idp, 100)
				for n := range 10 {
					time.Sleep(time.Minute) // the bubble's clock
					ask()
					asked(t, idp, 101+n)
				}
				idp.Serve(tokenURL, slow(time.Second, answers))
				time.Sleep(time.Minute) // the bubble's clock
				ask()
				asked(t, idp, 111)
				ask()
				asked(t, idp, 210)
			})
		})
	}
}

// TestLateFailure makes sure that the late failure of a request does not delay targets if the
// endpoint has served others in the meantime.
func TestLateFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		idp := tokens.NewIDP()
		idp.Serve(tokenURL, slow(time.Hour, nil))
		client := newClient(t, idp)
		var calls sync.WaitGroup
		calls.Go(func() { fails(t, client.Source(organization("slow")), clientauth.ErrUnavailable) })
		time.Sleep(time.Second) // the bubble's clock
		idp.Serve(tokenURL, grants(60))
		want(t, client.Source(organization("acme")), "secret-1")
		calls.Wait()
		want(t, client.Source(organization("globex")), "secret-2")
	})
}

// TestTokensOfTargets makes sure that no target gets the token of another target, and that equal
// targets share a token.
func TestTokensOfTargets(t *testing.T) {
	t.Parallel()
	idp := granting(60)
	client := newClient(t, idp)
	for n, target := range []clientauth.Target{
		{Resource: "a"},
		{Organization: "a"},
		{Resource: "a", Organization: "b"},
		{Resource: "b", Organization: "a"},
		{Resource: "a&organization_id=b"},
		{Resource: "a", Scopes: []string{"a"}},
		{Resource: "a", Scopes: []string{"a", "b"}},
	} {
		for range 2 {
			want(t, client.Source(target), fmt.Sprintf("secret-%d", n+1))
		}
	}
	asked(t, idp, 7)
}

// TestManyTargets makes sure that a client keeps a bounded number of tokens.
func TestManyTargets(t *testing.T) {
	t.Parallel()
	const size, many = 10_000, 11_000
	idp := granting(60)
	client := newClient(t, idp)
	for range 2 {
		for n := range many {
			if _, err := client.Source(organization(strconv.Itoa(n))).Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if again := idp.Count("") - many; again < many-size {
		t.Errorf("only %d tokens had to make room", again)
	}
}

type organizationKey struct{}

// TestSourceFunc chooses the target for each call.
func TestSourceFunc(t *testing.T) {
	t.Parallel()
	idp := tokens.NewIDP()
	idp.Serve(tokenURL, func(request *http.Request) (*http.Response, error) {
		return tokens.Respond(200, `{"access_token": "`+request.FormValue("organization_id")+`", "token_type": "Bearer", "expires_in": 60}`)(request)
	})
	source := newClient(t, idp).SourceFunc(func(ctx context.Context) (clientauth.Target, error) {
		id, ok := ctx.Value(organizationKey{}).(string)
		if !ok {
			return clientauth.Target{}, context.Canceled // any error
		}
		return organization(id), nil
	})
	for _, id := range []string{"acme", "globex", "acme"} {
		token, err := source.Token(context.WithValue(t.Context(), organizationKey{}, id))
		if err != nil || token.AccessToken != id {
			t.Error(err, "or another organization's token")
		}
	}
	asked(t, idp, 2)
	fails(t, source, context.Canceled)
	asked(t, idp, 2)
}
