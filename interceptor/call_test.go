package interceptor_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

var withToken = http.Header{"Authorization": {"Bearer any"}}

// admit admits a call, which must succeed.
func admit(t testing.TB, ctx context.Context, guard *interceptor.Guard, service string) *interceptor.Call { //nolint:revive // t comes first in every test helper
	t.Helper()
	call, denial := guard.Admit(ctx, procedure(service, connect.StreamTypeBidi), withToken)
	if denial != nil || call == nil {
		t.Fatalf("%v, %v", call, denial)
	}
	return call
}

// TestAdmit makes sure that a refused call is nil, and that an admitted call has a context and knows
// whether it awaits a message.
func TestAdmit(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	for _, test := range []struct {
		service string
		header  http.Header
		reason  interceptor.Reason
		awaits  bool
		caller  string
	}{
		{service: "Field", header: withToken, awaits: true, caller: "a"},
		{service: "Nested", header: withToken, awaits: true, caller: "a"},
		{service: "Token", header: withToken, caller: "a"},
		{service: "Public", header: http.Header{}},
		{service: opened, header: http.Header{}},
		{service: "Field", header: http.Header{}, reason: missing.reason},
		{service: "Header", header: withToken, reason: organization.reason},
		{service: "Global", header: withToken, reason: model.reason},
		{service: unruled, header: withToken, reason: ruleless.reason},
	} {
		call, denial := guard.Admit(t.Context(), procedure(test.service, connect.StreamTypeBidi), test.header)
		if test.reason != "" {
			if call != nil || denial == nil || denial.Reason() != test.reason {
				t.Errorf("%s: %v, %v, want %s", test.service, call, denial, test.reason)
			}
			continue
		}
		if denial != nil {
			t.Fatalf("%s: %v", test.service, denial)
		}
		if caller := interceptor.ClaimsFromContext(call.Context()).Subject(); caller != test.caller || call.AwaitsMessage() != test.awaits {
			t.Errorf("%s: called by %q, awaits a message: %t", test.service, caller, call.AwaitsMessage())
		}
	}
}

// TestJudge makes sure that a unary call is judged by the organization in its message, and by the time
// at which the message comes.
func TestJudge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service string
		message any
		took    time.Duration
		want    interceptor.Reason
		events  []interceptor.Reason
	}{
		"names it":             {"Field", naming(acme), 0, "", []interceptor.Reason{""}},
		"names another":        {"Field", naming(globex), 0, organization.reason, []interceptor.Reason{organization.reason}},
		"is no message":        {"Field", "acme", 0, organization.reason, []interceptor.Reason{organization.reason}},
		"in time":              {"Field", naming(acme), time.Minute - 1, "", []interceptor.Reason{""}},
		"too late":             {"Field", naming(acme), time.Minute, expired.reason, []interceptor.Reason{expired.reason}},
		"need not name it":     {"Token", naming(globex), 0, "", []interceptor.Reason{""}},
		"is late all the same": {"Token", naming(acme), time.Minute, expired.reason, []interceptor.Reason{"", expired.reason}},
		"public":               {"Public", nil, time.Hour, "", []interceptor.Reason{""}},
	} {
		bubble(t, name, func(t *testing.T) {
			ctx, record := withCall(t.Context())
			call := admit(t, ctx, harness.Expiring(t, time.Minute), test.service)
			time.Sleep(test.took) // the bubble's clock
			denial := call.Judge(test.message)
			if (denial == nil) != (test.want == "") || denial != nil && denial.Reason() != test.want {
				t.Errorf("%v, want %q", denial, test.want)
			}
			if denial != nil && !strings.HasPrefix(denial.Challenge(), `Bearer realm="`+api+`"`) {
				t.Errorf("challenge %s", denial.Challenge())
			}
			if got := record.Decisions(""); !slices.Equal(got, test.events) {
				t.Errorf("events %q, want %q", got, test.events)
			}
		})
	}
}
