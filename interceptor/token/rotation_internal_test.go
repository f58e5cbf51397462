package token

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestAnswered makes sure that the number of answered key names is bounded, and that the oldest is
// forgotten first.
func TestAnswered(t *testing.T) {
	t.Parallel()
	var b budget
	now := time.Unix(0, 0)
	b.pay(now) // so that it is not whole
	for n := range maxAnswered + 1 {
		b.learn(keyName{id: strconv.Itoa(n)}, true)
	}
	if forgotten, known := b.affords(keyName{id: "0"}, now), b.affords(keyName{id: "1"}, now); len(b.answered) != maxAnswered || !forgotten || known {
		t.Errorf("%d names, the first may draw: %t, the second: %t", len(b.answered), forgotten, known)
	}
}

// TestRefund makes sure that fetches that fail leave the budget to fetches after them.
func TestRefund(t *testing.T) {
	t.Parallel()
	var b budget
	now := time.Unix(0, 0)
	for n := range 5 {
		if !b.affords(keyName{}, now) {
			t.Errorf("after %d fetches that have failed: no other", n)
		}
		b.pay(now)
		b.fail(now)
		now = now.Add(minRetry << n)
	}
	for n := range drawBudget / drawCost {
		if !b.affords(keyName{}, now) {
			t.Errorf("after %d fetches: no other", n)
		}
		b.pay(now)
	}
	if b.affords(keyName{}, now) {
		t.Error("the budget is larger than it should be")
	}
}

// TestChangedMeanwhile makes sure that a call with a wrong signature uses keys that another call has
// fetched, even if the budget is spent.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eddsa := tokens.I1.EdDSA
		idp := tokens.NewIDP(eddsa.JWK())
		v := limited(t, WithTransport(idp))
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys, name := v.issuers[tokens.I1.URL].keys, keyName{eddsa.ID, eddsa.Alg}
		keys.wholeAt = time.Now().Add(drawBudget)
		tried := keys.current.Load().find(name)
		if keys.changed(t.Context(), name, tried, time.Now()) {
			t.Error("changed, though nothing was fetched")
		}
		idp.ServeIssuer(tokens.I1, tokens.NewEd25519(eddsa.ID).JWK())
		time.Sleep(hardAge) // the bubble's clock
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		keys.wholeAt = time.Now().Add(drawBudget)
		if !keys.changed(t.Context(), name, tried, time.Now()) {
			t.Error("not changed")
		}
	})
}
