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

// TestSameMap makes sure that no header passes for another one that is like it.
func TestSameMap(t *testing.T) {
	t.Parallel()
	header := http.Header{"A": {"1"}}
	for name, test := range map[string]struct {
		a, b http.Header
		want bool
	}{
		"itself":   {header, header, true},
		"its like": {header, header.Clone(), false},
		"empty":    {http.Header{}, http.Header{}, false},
		"nil":      {nil, nil, false},
		"one nil":  {header, nil, false},
	} {
		if got := sameMap(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPrintedContext makes sure that a context tells nothing of the call, whatever it is
// printed with.
func TestPrintedContext(t *testing.T) {
	t.Parallel()
	claims, denial := claimed(logto, "sub", `"secret"`)
	if denial != nil {
		t.Fatal(denial.Unwrap())
	}
	a := &admission{
		Context: t.Context(), claims: claims, rule: &policy.Rule{Procedure: "secret"}, organization: "secret",
		header: http.Header{"Authorization": {"Bearer secret"}},
	}
	child, cancel := context.WithTimeout(a, time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{a, child, context.WithValue(a, http.ServerContextKey, ""), ContextWithClaims(t.Context(), claims)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, ctx); strings.Contains(got, "secret") || strings.Contains(got, fmt.Sprintf("%x", "secret")) {
				t.Errorf("%s: %s", verb, got)
			}
		}
	}
}
