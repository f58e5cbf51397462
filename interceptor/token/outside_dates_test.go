package token_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/unverified"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const (
	newToken = "the client needs a new token; if this one is new, compare the clocks of this server and of the issuer with a third one, and set the wrong one right; for a small difference, see token.WithLeeway"
	clocks   = "compare the clocks of this server and of the issuer with a third one, and set the wrong one right; for a small difference, see token.WithLeeway"

	untoldExpiry = "token has expired: its exp and the leeway of 30s have passed: " + newToken
)

// testDates checks the texts for tokens with a good signature, which tell how far the clocks differ.
func testDates(t *testing.T) {
	for _, test := range []struct {
		leeway time.Duration
		claim  string
		value  float64 // seconds from now
		want   string
	}{
		{30 * time.Second, "exp", -30, "token has expired: its exp passed 30s ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -31, "token has expired: its exp passed 31s ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -150, "token has expired: its exp passed 2m30s ago, and the leeway is 30s: " + newToken},
		{0, "exp", 0, "token has expired: its exp passed 0s ago, and the leeway is 0s: " + newToken},
		{5 * time.Minute, "exp", -3600, "token has expired: its exp passed 1h0m0s ago, and the leeway is 5m0s: " + newToken},
		{30 * time.Second, "exp", -2*86400 + 1, "token has expired: its exp passed 47h59m59s ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -2 * 86400, "token has expired: its exp passed 2 days ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -1000*86400 + 1, "token has expired: its exp passed 999 days ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -1000 * 86400, "token has expired: its exp passed at least 1000 days ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -3 * 86400, "token has expired: its exp passed 3 days ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "exp", -epoch, "token has expired: its exp passed at least 1000 days ago, and the leeway is 30s: " + newToken},
		{30 * time.Second, "nbf", 31, "token is not valid yet: its nbf is 31s ahead of this server's clock, and the leeway is 30s: " + clocks},
		{30 * time.Second, "nbf", 30.25, "token is not valid yet: its nbf is 31s ahead of this server's clock, and the leeway is 30s: " + clocks},
		{0, "nbf", 300, "token is not valid yet: its nbf is 5m0s ahead of this server's clock, and the leeway is 0s: " + clocks},
		{30 * time.Second, "nbf", float64(never - epoch), "token is not valid yet: its nbf is at least 1000 days ahead of this server's clock, and the leeway is 30s: " + clocks},
		{0, "iat", 11, "token is not valid yet: its iat is 11s ahead of this server's clock, and iat may be ahead by 10s: " + clocks},
		{30 * time.Second, "iat", 3600, "token is not valid yet: its iat is 1h0m0s ahead of this server's clock, and iat may be ahead by 30s: " + clocks},
		{5 * time.Minute, "iat", 61, "token is not valid yet: its iat is 1m1s ahead of this server's clock, and iat may be ahead by 1m0s: " + clocks},
	} {
		raw := scene.Token(es256, test.claim, epoch+test.value)
		want := token.ErrNotYetValid
		if test.claim == "exp" {
			want = token.ErrExpired
		}
		verifier := newVerifier(t, newIDP(es256.JWK()), token.WithLeeway(test.leeway))
		checkError(t, verifier.Ready(t.Context()), nil)
		_, verified := verifier.Verify(t.Context(), raw)
		_, unsigned := unverified.Token(issuer(issuerURL), raw, token.WithLeeway(test.leeway))
		for _, err := range []error{verified, unsigned} {
			checkText(t, fmt.Sprint(test.leeway, test.claim, test.value), err, test.want)
			checkError(t, err, want)
		}
	}
}

// testDatesOfStrangers makes sure that an error tells nothing of the claims of a forged token.
func testDatesOfStrangers(t *testing.T) {
	_, verifier := warm(t)
	for name, raw := range map[string]string{
		"forged":                  scene.Token(newEd25519(eddsa.ID), "exp", epoch-150),
		"an unknown kid":          scene.Token(newEd25519("made up"), "exp", epoch-150),
		"another issuer's key":    foreign.Mint(foreign.Header("kid", es384.ID), payload("exp", epoch-150)),
		"a signature of no bytes": eddsa.Mint(eddsa.Header(), payload("exp", epoch-150))[:300] + "AA",
	} {
		_, err := verifier.Verify(t.Context(), raw)
		if name != "a signature of no bytes" {
			checkText(t, name, err, untoldExpiry)
		}
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "150") || strings.Contains(fmt.Sprintf("%#v", err), "151000000000") {
			t.Errorf("%s: %#v", name, err)
		}
	}
	for claim, allowed := range map[string]string{"nbf": "the leeway is 30s", "iat": "iat may be ahead by 30s"} {
		_, err := verifier.Verify(t.Context(), scene.Token(newEd25519(eddsa.ID), claim, epoch+3600))
		checkText(t, claim, err, "token is not valid yet: its "+claim+" is ahead of this server's clock, and "+allowed+": "+clocks)
	}
	if misses := verifier.Stats().Misses; misses != 1 {
		t.Errorf("%d signatures are counted", misses)
	}
}

func testCachedExpiry(t *testing.T) {
	_, verifier := warm(t)
	raw := scene.Token(eddsa, "exp", epoch+300)
	check(t, verifier, raw, nil, 0)
	sleepUntil(400 * time.Second)
	for range 100 { // there is nothing to verify
		_, err := verifier.Verify(t.Context(), raw)
		checkText(t, "cached", err, "token has expired: its exp passed 1m40s ago, and the leeway is 30s: "+newToken)
	}
}

// testDatesWithoutKeys makes sure that an expired token waits for no keys, and that it starts a fetch, so that a
// verifier with a wrong clock can explain later refusals.
func testDatesWithoutKeys(t *testing.T) {
	late, forged := scene.Token(eddsa, "exp", epoch-150), scene.Token(newEd25519("made up"), "exp", epoch-150)
	// refused makes sure that a call is refused at once.
	refused := func(name string, verifier *token.Verifier, raw, want string) {
		t.Helper()
		start := time.Now() // the bubble's clock
		_, err := verifier.Verify(t.Context(), raw)
		checkText(t, name, err, want)
		checkError(t, err, token.ErrExpired)
		if took := time.Since(start); took != 0 { // the bubble's clock
			t.Errorf("%s: the call took %v", name, took)
		}
	}
	idp := newIDP(eddsa.JWK())
	idp.Serve(discoveryURL, slow(time.Second, respond(200, discovery())))
	verifier := newVerifier(t, idp)
	refused("cold", verifier, late, untoldExpiry)
	time.Sleep(time.Second + 1) // the bubble's clock
	refused("warm", verifier, late, "token has expired: its exp passed 2m31s ago, and the leeway is 30s: "+newToken)
	for name, fault := range map[string]handler{"down": down, "hangs": hang} {
		for _, raw := range []string{late, forged} {
			idp.Serve(discoveryURL, fault)
			verifier := newVerifier(t, idp)
			before := idp.Count("")
			for range 20 {
				refused(name, verifier, raw, untoldExpiry)
			}
			settle()
			if asked := idp.Count("") - before; asked > 1 {
				t.Errorf("%s: %d requests", name, asked)
			}
		}
	}
	// Keys that are old serve as they are.
	idp, verifier = warm(t)
	time.Sleep(16 * time.Minute) // the bubble's clock
	idp.Serve(keySetURL, hang)
	for range 20 {
		refused("old keys", verifier, forged, untoldExpiry)
	}
	settle()
	checkCount(t, idp, keySetURL, 2)
	time.Sleep(24 * time.Hour) // the bubble's clock
	refused("keys that are too old", verifier, late, untoldExpiry)
	settle()
}

// testExplanationBudget makes sure that a flood of expired tokens costs few signatures.
func testExplanationBudget(t *testing.T) {
	_, verifier := warm(t)
	late := scene.Token(eddsa, "exp", epoch-150)
	told := func(calls int) (n int) {
		for range calls {
			_, err := verifier.Verify(t.Context(), late)
			checkError(t, err, token.ErrExpired)
			if strings.Contains(err.Error(), "ago") {
				n++
			}
		}
		return n
	}
	for _, step := range []struct {
		wait time.Duration
		want int
	}{{0, 10}, {time.Second - 1, 0}, {1, 1}, {3 * time.Second, 3}, {time.Hour, 10}} {
		time.Sleep(step.wait) // the bubble's clock
		if got := told(100); got != step.want {
			t.Errorf("after %v: %d of 100 calls are told, want %d", step.wait, got, step.want)
		}
	}
	// Made-up kids draw no fetch, though each is looked up.
	idp := newIDP(eddsa.JWK())
	verifier = newVerifier(t, idp)
	checkError(t, verifier.Ready(t.Context()), nil)
	before := idp.Count("")
	for n := range 10 {
		_, err := verifier.Verify(t.Context(), scene.Token(newEd25519(fmt.Sprint("made up ", n)), "exp", 1))
		checkText(t, "made up", err, untoldExpiry)
	}
	settle()
	if n := idp.Count("") - before; n != 0 {
		t.Errorf("%d requests for expired tokens", n)
	}
}

// testUntold makes sure that a token that expires while its call waits is refused without an explanation.
func testUntold(t *testing.T) {
	idp := newIDP(eddsa.JWK())
	idp.Serve(discoveryURL, slow(time.Second, respond(200, discovery())))
	verifier := newVerifier(t, idp)
	_, err := verifier.Verify(t.Context(), scene.Token(eddsa, "exp", epoch-29))
	checkText(t, "it waits for keys", err, untoldExpiry)
}
