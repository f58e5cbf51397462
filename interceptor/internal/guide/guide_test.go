package guide_test

import (
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/guide"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestLiterals makes sure that no literal has a fault, and that each has a name of its own.
func TestLiterals(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for _, literal := range guide.Literals() {
		if _, err := token.NewVerifier(literal.Issuer); err != nil {
			t.Errorf("%s: %v", literal.Name, err)
		}
		if sections[literal.Name] != "" {
			t.Errorf("%s is in %s and in %s", literal.Name, sections[literal.Name], literal.Section)
		}
		sections[literal.Name] = literal.Section
	}
	if len(sections) < 39 {
		t.Errorf("there are %d literals", len(sections))
	}
}
