package interceptor

import (
	"net/http"
	"testing"
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
