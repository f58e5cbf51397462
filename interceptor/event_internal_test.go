package interceptor

import (
	"strings"
	"testing"
)

// TestPrintable makes sure that a client's text is one line of printable ASCII, and bounded.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                         "",
		"acme":                     "acme",
		`organizations/"a"\b`:      `organizations/"a"\\b`,
		"a\nb\r\x1b[2J\x00":        `a\nb\r\x1b[2J\x00`,
		"ä\u202e":                  `\u00e4\u202e`,
		"\xff":                     `\xff`,
		strings.Repeat("x", 201):   strings.Repeat("x", 200),
		strings.Repeat("\n", 5000): strings.Repeat(`\n`, 100),
	} {
		if got := printable(text); got != want {
			t.Errorf("%.20q: %s, want %s", text, got, want)
		}
	}
}
