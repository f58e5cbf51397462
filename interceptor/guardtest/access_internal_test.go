package guardtest

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestLateDecision makes sure that a busy machine changes no cell: a call in shadow whose token was not verified in time
// is made again.
func TestLateDecision(t *testing.T) {
	t.Parallel()
	table := harness.ShadowRules(t)
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		claims := User("alice").Audience(tokens.API).Scopes("read:a").Claims(t)
		decider := newDecider(table, harness.VerifierFunc(func(context.Context, string) (*token.Claims, error) {
			if calls.Add(1) == 1 {
				time.Sleep(time.Second) // the bubble's clock
			}
			return claims, nil
		}))
		rule, ok := table.Lookup("/test.v1.Read/Unary")
		if got := decider.decide(t.Context(), call{rule, "alice", claims}); !ok || got != "yes" || calls.Load() != 2 {
			t.Errorf("%q after %d calls", got, calls.Load())
		}
		time.Sleep(time.Second) // the bubble's clock: the verifier returns
	})
}
