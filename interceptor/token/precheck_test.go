package token_test

import (
	"errors"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// precheck fails unless a verifier tells of a token what is wanted: an error, the claims,
// or neither.
func precheck(t *testing.T, verifier *token.Verifier, raw string, claims bool, want error) {
	t.Helper()
	got, err := verifier.Precheck([]string{"Bearer " + raw})
	checkError(t, err, want)
	if (got != nil) != claims {
		t.Errorf("at %v: claims %v, want any: %t", sinceEpoch(), got, claims)
	}
}

// TestPrecheck asks about every token, before and after it may be cached: what is told must
// be what Authenticate answers, and all that stands before the signature is told.
func TestPrecheck(t *testing.T) {
	t.Parallel()
	bubble(t, "", func(t *testing.T) {
		idp := newIDP(jwksOf(all...)...)
		verifier := newVerifier(t, idp)
		for _, trial := range scene.Trials() {
			if claims, _ := verifier.Precheck([]string{"Bearer " + trial.Raw}); claims != nil {
				t.Errorf("%v: claims of a token that nobody has verified", trial)
			}
		}
		checkCount(t, idp, "", 0)
		told, known := map[error]int{}, 0
		for _, at := range []time.Duration{1, 330} { // good tokens expire then
			sleepUntil(at * time.Second)
			for _, trial := range scene.Trials() {
				values := []string{"Bearer " + trial.Raw}
				for range 2 {
					claims, early := verifier.Precheck(values)
					want, err := verifier.Authenticate(t.Context(), values)
					switch {
					case early != nil:
						checkError(t, early, err)
						checkSilent(t, early, trial.Raw)
						told[sentinelOf(early)]++
					case claims != nil:
						known++
						if claims != want {
							t.Errorf("at %v, %v: the claims are others", sinceEpoch(), trial)
						}
					case err != nil && !errors.Is(err, token.ErrInvalid):
						t.Errorf("at %v, %v: not told: %v", sinceEpoch(), trial, err)
					}
				}
			}
		}
		for _, want := range []error{token.ErrMalformed, token.ErrInvalid, token.ErrExpired, token.ErrNotYetValid} {
			if told[want] == 0 {
				t.Errorf("nothing was refused with %v", want)
			}
		}
		if known < 20 {
			t.Errorf("%d cached tokens were told", known)
		}
	})
}

func sentinelOf(err error) error {
	for _, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return nil
}

// TestPrecheckForm makes sure that it refuses what Bearer refuses.
func TestPrecheckForm(t *testing.T) {
	t.Parallel()
	verifier := newVerifier(t, newIDP())
	for _, values := range [][]string{nil, {""}, {"Basic a"}, {"Bearer "}, {"Bearer a.b.c", "Bearer a.b.c"}} {
		_, want := token.Bearer(values)
		claims, err := verifier.Precheck(values)
		if checkError(t, err, want); claims != nil {
			t.Errorf("%q: %v", values, claims)
		}
	}
}

// TestPrecheckCached makes sure that the claims of a cached token are told as long as it
// would be accepted without waiting, and that nothing is fetched to find out.
func TestPrecheckCached(t *testing.T) {
	t.Parallel()
	raw := scene.Token(eddsa, "exp", never)
	bubble(t, "its time", func(t *testing.T) {
		_, verifier := warm(t)
		precheck(t, verifier, scene.Token(eddsa), true, nil)
		sleepUntil(330*time.Second - 1)
		precheck(t, verifier, scene.Token(eddsa), true, nil)
		sleepUntil(330 * time.Second)
		precheck(t, verifier, scene.Token(eddsa), false, token.ErrExpired)
	})
	bubble(t, "keys that are to be refreshed", func(t *testing.T) {
		idp, verifier := warm(t)
		check(t, verifier, raw, nil, 0)
		sleepUntil(10*time.Minute - 1)
		precheck(t, verifier, raw, true, nil)
		sleepUntil(10 * time.Minute)
		precheck(t, verifier, raw, false, nil)
		checkCount(t, idp, "", 2)
	})
	bubble(t, "key that is gone", func(t *testing.T) {
		idp, verifier := warm(t)
		check(t, verifier, raw, nil, 0)
		idp.Serve(keySetURL, respond(200, keySet(jwksOf(es256)...)))
		sleepUntil(15 * time.Minute)
		check(t, verifier, scene.Token(es256, "exp", never), nil, 0)
		precheck(t, verifier, raw, false, nil)
		check(t, verifier, raw, token.ErrInvalid, 0)
	})
	bubble(t, "no cache", func(t *testing.T) {
		_, verifier := warm(t, token.WithoutCache())
		precheck(t, verifier, raw, false, nil)
		precheck(t, verifier, tokentest.I2.ES384.Mint(tokentest.I2.ES384.Header(), scene.Payload(otherIssuer)), false, token.ErrInvalid)
	})
}
