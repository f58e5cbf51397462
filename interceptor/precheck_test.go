package interceptor_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestPrecheck makes sure that what can be told at once is told and observed once, and that
// nothing is refused that Admit lets in.
func TestPrecheck(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(calltest.Observe))
	for name, test := range map[string]struct {
		service string
		header  http.Header
		fresh   interceptor.Reason // of a token that is not cached
		cached  interceptor.Reason // of one that is, and of Admit
	}{
		"good":          {"Global", bearer(t, global("read:a write:b")), "", ""},
		"public":        {"Public", http.Header{}, "", ""},
		"no rule":       {unruled, bearer(t, global("")), ruleless.reason, ruleless.reason},
		"no token":      {"Global", http.Header{}, missing.reason, missing.reason},
		"malformed":     {"Global", http.Header{"Authorization": {"Bearer a.b.c"}}, malformed.reason, malformed.reason},
		"expired":       {"Global", bearer(t, with(global(""), "exp", 1)), expired.reason, expired.reason},
		"scope":         {"Global", bearer(t, global("read:a")), "", "SCOPE_INSUFFICIENT"},
		"header":        {"Header", bearer(t, resource(acme, "read:data")), "", organization.reason},
		"for a message": {"Field", bearer(t, resource(acme, "read:data")), "", ""},
	} {
		ctx, record := withCall(t.Context())
		path := procedure(test.service, connect.StreamTypeUnary)
		var want []interceptor.Reason
		for n, reason := range []interceptor.Reason{test.fresh, test.cached} {
			denial := guard.Precheck(ctx, path, test.header)
			if (denial == nil) != (reason == "") || denial != nil && denial.Reason != reason {
				t.Errorf("%s, cached %t: %v, want %q", name, n == 1, denial, reason)
			}
			if reason != "" {
				want = append(want, reason)
			}
			if got := record.Decisions(); !slices.Equal(got, want) {
				t.Errorf("%s, cached %t: events %q, want %q", name, n == 1, got, want)
			}
			_, denial = guard.Admit(t.Context(), path, test.header)
			if (denial == nil) != (test.cached == "") || denial != nil && denial.Reason != test.cached {
				t.Errorf("%s: admitted with %v, want %q", name, denial, test.cached)
			}
		}
	}
}

// TestPrecheckOtherVerifiers makes sure that nothing is told of a token whose verifier is not
// known, even if there is a known one inside, but what its form tells.
func TestPrecheckOtherVerifiers(t *testing.T) {
	t.Parallel()
	for name, verifier := range map[string]interceptor.Verifier{
		"a function": unverified(until(time.Now().Add(time.Hour).Unix())),
		"embedding":  lenient{shared(t).verifier},
	} {
		guard := interceptor.New(verifier, rules(t))
		path := procedure("Token", connect.StreamTypeUnary)
		if denial := guard.Precheck(t.Context(), path, withToken); denial != nil {
			t.Errorf("%s: %v", name, denial)
		}
		if _, denial := guard.Admit(t.Context(), path, withToken); denial != nil {
			t.Errorf("%s: not admitted: %v", name, denial)
		}
		if denial := guard.Precheck(t.Context(), path, http.Header{"Authorization": {"Bearer "}}); denial == nil || denial.Reason != malformed.reason {
			t.Errorf("%s: %v", name, denial)
		}
	}
}

// A lenient verifier is one with a Verify of its own.
type lenient struct{ *token.Verifier }

func (lenient) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	return unverified(until(time.Now().Add(time.Hour).Unix()))(ctx, raw)
}

// TestPanickingHeader makes sure that an adapter's mistake opens nothing, and ends no server.
func TestPanickingHeader(t *testing.T) {
	t.Parallel()
	guard, path := expiring(t, time.Hour), procedure("Token", connect.StreamTypeUnary)
	denial := guard.Precheck(t.Context(), path, panicking{})
	call, admitted := guard.Admit(t.Context(), path, panicking{})
	if denial == nil || denial.Reason != failed.reason || admitted == nil || admitted.Reason != failed.reason || call != nil {
		t.Errorf("%v, %v, %v", denial, call, admitted)
	}
}

type panicking struct{}

func (panicking) Values(string) []string { panic("an adapter's panic") }
