package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// keyFor returns the claims of an API key without an end, that are good for some time.
func keyFor(left time.Duration) (*token.Claims, error) {
	return token.NewClaims(keyValues(func(v *token.ClaimValues) { v.Expiry, v.Deadline = time.Time{}, time.Now().Add(left) }))
}

// serveKey serves a stream whose verifier is given, and returns the error of the stream.
func serveKey(t *testing.T, verify verifierFunc, handler func(context.Context) error) error {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer key"}}
	call, denial := interceptor.New(verify, rules(t)).Admit(t.Context(), procedure("Global", connect.StreamTypeBidi), header)
	if denial != nil {
		t.Fatal(denial.Unwrap())
	}
	return call.Serve(new(frame).transport(), func(ctx context.Context, _ *interceptor.Stream) error { return handler(ctx) })
}

// TestHangingVerifier makes sure that a verifier that does not come back ends a stream five seconds after the deadline of
// its claims.
func TestHangingVerifier(t *testing.T) {
	t.Parallel()
	bubble(t, "hanging", func(t *testing.T) {
		start, asked := time.Now(), 0
		err := serveKey(t, func(context.Context, string) (*token.Claims, error) {
			if asked++; asked > 1 {
				time.Sleep(time.Hour) // the bubble's clock
			}
			return keyFor(time.Minute)
		}, func(ctx context.Context) error {
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), token.ErrVerifierUnavailable) {
				t.Errorf("the context ends with %v", context.Cause(ctx))
			}
			return nil
		})
		denial, ok := errors.AsType[*interceptor.Denial](err)
		if took := time.Since(start); !ok || denial.Reason() != interceptor.ReasonVerifierUnavailable || took != time.Minute+5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestNearDeadlines makes sure that a verifier whose claims are good for no time to speak of is not asked without a
// pause.
func TestNearDeadlines(t *testing.T) {
	t.Parallel()
	bubble(t, "near", func(t *testing.T) {
		asked := 0
		err := serveKey(t, func(context.Context, string) (*token.Claims, error) { asked++; return keyFor(time.Microsecond) }, func(context.Context) error {
			time.Sleep(100 * time.Millisecond) // the bubble's clock
			return nil
		})
		if err != nil || asked < 50 || asked > 150 {
			t.Errorf("asked %d times, %v", asked, err)
		}
	})
}
