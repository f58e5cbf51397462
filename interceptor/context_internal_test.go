package interceptor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestPrintedContext makes sure that a printed context holds nothing of the call.
func TestPrintedContext(t *testing.T) {
	t.Parallel()
	claims, denial := claimed(logto, "sub", `"secret"`)
	if denial != nil {
		t.Fatal(denial.Unwrap())
	}
	call := &Call{
		ctx: t.Context(), claims: claims, rule: &guardRule{Rule: &policy.Rule{Procedure: "secret"}}, organization: "secret",
		request: connectHeader{"Authorization": {"Bearer secret"}},
	}
	for _, printed := range []any{call, call.Context()} {
		if got := fmt.Sprint(printed); got != "interceptor.Call" {
			t.Errorf("%T: %s", printed, got)
		}
	}
	child, cancel := context.WithTimeout(call.Context(), time.Hour)
	defer cancel()
	for _, printed := range []any{
		call, call.Context(), child, context.WithValue(call.Context(), http.ServerContextKey, ""), ContextWithClaims(t.Context(), claims),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, printed); strings.Contains(got, "secret") || strings.Contains(got, fmt.Sprintf("%x", "secret")) {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}
