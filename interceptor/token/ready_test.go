package token_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

func TestReady(t *testing.T) {
	t.Parallel()
	// ready asks and fails unless the answer comes as wanted, after that time.
	ready := func(t *testing.T, verifier *token.Verifier, want error, took time.Duration) {
		t.Helper()
		start := time.Now() // the bubble's clock
		checkError(t, verifier.Ready(t.Context()), want)
		if got := time.Since(start); got != took { // the bubble's clock
			t.Errorf("at %v: it took %v, want %v", sinceEpoch(), got, took)
		}
	}
	bubble(t, "as the process starts", func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		idp.Serve(discoveryURL, slow(time.Second, down))
		verifier := newVerifier(t, idp)
		ready(t, verifier, token.ErrKeysUnavailable, time.Second)
		for range 1000 {
			ready(t, verifier, token.ErrKeysUnavailable, 0)
		}
		checkCount(t, idp, "", 1)
		idp.Serve(discoveryURL, hang)
		time.Sleep(time.Second) // the bubble's clock
		ready(t, verifier, token.ErrKeysUnavailable, 2*time.Second)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		checkError(t, verifier.Ready(canceled), token.ErrKeysUnavailable)
		settle()
		idp.Serve(discoveryURL, respond(200, discovery()))
		time.Sleep(2 * time.Second) // the bubble's clock
		ready(t, verifier, nil, 0)
		checkCount(t, idp, keySetURL, 1)
		check(t, verifier, scene.Token(eddsa), nil, 0)
		checkCount(t, idp, keySetURL, 1)
	})
	for _, nobody := range []*token.Verifier{nil, {}} {
		checkError(t, nobody.Ready(t.Context()), token.ErrKeysUnavailable)
	}
	bubble(t, "as long as keys serve", func(t *testing.T) {
		idp, verifier := warm(t)
		idp.Serve(keySetURL, down)
		sleepUntil(24*time.Hour - 1)
		ready(t, verifier, nil, 0)
		sleepUntil(24 * time.Hour)
		ready(t, verifier, token.ErrKeysUnavailable, 0)
	})
	bubble(t, "B9 with a partner's issuer, which is down", func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		idp.Serve(otherIssuer+"/.well-known/openid-configuration", slow(time.Second, down))
		verifier := newVerifier(t, idp, token.WithIssuer(issuer(otherIssuer)))
		ours, theirs := verifier.Ready(t.Context(), issuerURL), verifier.Ready(t.Context(), otherIssuer)
		checkError(t, ours, nil)
		checkError(t, theirs, token.ErrKeysUnavailable)
		checkError(t, verifier.Ready(t.Context()), token.ErrKeysUnavailable)
		checkError(t, verifier.Ready(t.Context(), issuerURL, otherIssuer), token.ErrKeysUnavailable)
		for _, unknown := range []string{"", issuerURL + "/", "https://user:secret@idp.test"} {
			err := verifier.Ready(t.Context(), issuerURL, unknown)
			if err == nil || errors.Is(err, token.ErrKeysUnavailable) || !strings.Contains(err.Error(), issuerURL) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", unknown, err)
			}
		}
		if idp.Count(keySetURL) != 1 {
			t.Errorf("asked: %q", idp.Requested())
		}
	})
	bubble(t, "with a second issuer, and both are slow", func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		idp.ServeIssuer(tokens.I2, tokens.I2.EdDSA.JWK())
		idp.Serve(discoveryURL, slow(3*time.Second/2, respond(200, discovery())))
		idp.Serve(tokens.I2.DiscoveryURL(), slow(time.Second, respond(200, tokens.I2.Discovery())))
		verifier := newVerifier(t, idp, token.WithIssuer(issuer(otherIssuer)))
		ready(t, verifier, nil, 3*time.Second/2)
	})
	bubble(t, "with a second issuer, which hangs", func(t *testing.T) {
		idp := newIDP(eddsa.JWK())
		idp.Serve(discoveryURL, slow(time.Second, respond(200, discovery())))
		idp.Serve(otherIssuer+"/.well-known/openid-configuration", hang)
		verifier := newVerifier(t, idp, token.WithIssuer(issuer(otherIssuer)))
		ready(t, verifier, token.ErrKeysUnavailable, 2*time.Second)
		err := verifier.Ready(t.Context()) // waits for the rest of the fetch
		if err == nil || !strings.Contains(err.Error(), otherIssuer) || strings.Contains(err.Error(), issuerURL) {
			t.Errorf("the error is %v, want one about %s alone", err, otherIssuer)
		}
		check(t, verifier, scene.Token(eddsa), nil, 0)
		settle()
	})
}
