package rules_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
)

// expiry is when the tokens of all callers expire.
var expiry = time.Now().Add(time.Hour)

// shownTo is what a handler shows to the owner of an account, and to staff.
func shownTo(ctx context.Context) string {
	if way, ok := interceptor.WayFromContext(ctx); ok && way.Number == 0 {
		return "the whole account" // the owner calls
	}
	return "the account without its secrets"
}

// plansFor are what a handler lists for a caller with or without an organization.
func plansFor(ctx context.Context) []string {
	plans := []string{"free", "pro"}
	if way, ok := interceptor.WayFromContext(ctx); ok && way.Organization != "" {
		plans = append(plans, "contract of "+way.Organization)
	}
	return plans
}

// TestHandlers makes sure that the handlers of the document tell the ways apart.
func TestHandlers(t *testing.T) {
	t.Parallel()
	g := newGuide(t)
	const account, plans = "2. Self or staff", "10. With or without an organization"
	for _, test := range []struct{ section, caller, request, want string }{
		{account, "alice", "`{\"userId\": \"alice\"}`", "the whole account"},
		{account, "sam, with `read:accounts`", "`{\"userId\": \"alice\"}`", "the account without its secrets"},
		{plans, "alice", "`{}`", "free pro"},
		{plans, "alice, in acme", "`{}`", "free pro contract of acme"},
	} {
		got := "nothing"
		g.run(t, row{section: test.section, caller: test.caller, request: test.request}, func(ctx context.Context) {
			got = shownTo(ctx)
			if test.section == plans {
				got = strings.Join(slices.Clone(plansFor(ctx)), " ")
			}
		})
		if got != test.want {
			t.Errorf("%s, %s: %s", test.section, test.caller, got)
		}
	}
	// A call in shadow has no way.
	if got := shownTo(t.Context()); got != "the account without its secrets" {
		t.Errorf("without a way: %s", got)
	}
	if got := plansFor(t.Context()); len(got) != 2 {
		t.Errorf("without a way: %q", got)
	}
}
