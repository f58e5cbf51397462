package terminal_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEscape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                     "",
		"https://é.example/ ☃": "https://é.example/ ☃",
		"\x1b[31mred":          `\u001b[31mred`,
		"a\nb\tc\r":            `a\nb\tc\u000d`,
		"\u202egnp.exe":        `\u202egnp.exe`,
		"\u009b31m\x7f":        `\u009b31m\u007f`,
		"\U000e0001":           `\udb40\udc01`,
		"\xff\ufffd":           `\xff` + "\ufffd",
		"\u00a0":               `\u00a0`,
	} {
		if got := terminal.Escape(text); got != want {
			t.Errorf("Escape(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestWriteJSON makes sure that programs read back the document, and that people see all characters.
func TestWriteJSON(t *testing.T) {
	t.Parallel()
	want := map[string]string{"a\u202e<b>": "\x1b[31m\n\t\"\\\x7f\u009b\u2028\U000e0001é"}
	var out strings.Builder
	if err := terminal.WriteJSON(&out, want); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.ReplaceAll(out.String(), "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("it writes %q", out.String())
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil || len(got) != 1 || got["a\u202e<b>"] != want["a\u202e<b>"] {
		t.Errorf("it reads %q: %v", got, err)
	}
}
