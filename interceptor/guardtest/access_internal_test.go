package guardtest

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/protos"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
	"github.com/protoauthz/protoauthz/interceptor/policy"
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

// TestChallenging makes sure that a test gets challenges for rules that name a user, whose issuer no test knows.
func TestChallenging(t *testing.T) {
	t.Parallel()
	files, err := protos.Compile(t.Context(), "../../proto", map[string]string{"order.proto": protos.OrderService(`option (protoauthz.v1.service) = {model: MODEL_GLOBAL_RESOURCE};`,
		`option (protoauthz.v1.method) = {authenticated: true, subject: {field: "a"}};`)}, "order.proto")
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.Compile(files, policy.WithAudience(tokens.API))
	if err != nil {
		t.Fatal(err)
	}
	if _, denial := challenging(table).Admit(t.Context(), "/order.v1.OrderService/Call0", http.Header{}); denial.Challenge() != `Bearer realm="`+tokens.API+`"` {
		t.Errorf("the challenge is %s", denial.Challenge())
	}
}
