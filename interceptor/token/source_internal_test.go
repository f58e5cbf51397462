package token

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// failOnce ends a flight of the source with an error.
func failOnce(s *source) KeySetEvent {
	event, _ := s.finish(&flight{done: make(chan struct{})}, nil, errors.New("down"))
	return event
}

// TestColdPeriod makes sure that an endpoint that has never worked is asked often for exactly coldPeriod.
func TestColdPeriod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := limited(t).issuers[tokens.I1.URL].keys
		retry := func() time.Duration {
			failOnce(s)
			return time.Until(s.retryAt)
		}
		for range 10 {
			retry()
		}
		time.Sleep(coldPeriod - 1) // the bubble's clock
		if got := retry(); got != coldRetry {
			t.Errorf("in the cold period: another attempt after %v, want %v", got, coldRetry)
		}
		time.Sleep(time.Nanosecond) // the bubble's clock
		if got := retry(); got != maxRetry {
			t.Errorf("after the cold period: another attempt after %v, want %v", got, maxRetry)
		}
	})
}

// TestFailure makes sure that an event counts keys that can be used, and that a failure is followed by another
// attempt, also beside fresh keys: two calls may have started a flight each.
func TestFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eddsa, newer := tokens.I1.EdDSA, tokens.NewEd25519("newer")
		idp := tokens.NewIDP(eddsa.JWK())
		v := limited(t, WithTransport(idp))
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := v.issuers[tokens.I1.URL].keys
		if got := failOnce(s).Keys; got != 1 {
			t.Errorf("%d keys, want 1", got)
		}
		idp.ServeIssuer(tokens.I1, newer.JWK())
		time.Sleep(minRetry) // the bubble's clock
		if _, err := v.Verify(t.Context(), tokens.Scene{Now: time.Now().Unix()}.Token(newer)); err != nil {
			t.Error(err)
		}
		for _, test := range []struct {
			sleep time.Duration
			want  int
		}{{maxStale - 1, 1}, {1, 0}} {
			time.Sleep(test.sleep) // the bubble's clock
			if got := failOnce(s).Keys; got != test.want {
				t.Errorf("%d keys, want %d", got, test.want)
			}
		}
	})
}
