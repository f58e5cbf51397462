package callctx_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// TestSameHeader makes sure that a header does not pass for an equal one.
func TestSameHeader(t *testing.T) {
	t.Parallel()
	header := http.Header{"A": {"1"}}
	for name, test := range map[string]struct {
		a, b http.Header
		want bool
	}{
		"itself":  {header, header, true},
		"equal":   {header, header.Clone(), false},
		"empty":   {http.Header{}, http.Header{}, false},
		"nil":     {nil, nil, false},
		"one nil": {header, nil, false},
	} {
		if got := callctx.SameHeader(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
		admitted := context.WithValue(t.Context(), callctx.HeaderKey{}, test.a)
		if got := callctx.Admitted(admitted, test.b); got != test.want {
			t.Errorf("%s: admitted with it: %v", name, got)
		}
		if callctx.Admitted(t.Context(), test.b) {
			t.Errorf("%s: admitted without a guard", name)
		}
	}
}
