package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// WriteJSON writes the explanation for programs.
func (e *Explanation) WriteJSON(w io.Writer) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(e); err != nil {
		return err
	}
	lines := strings.SplitAfter(out.String(), "\n") // there are none in strings
	for n, line := range lines {
		text, end := strings.CutSuffix(line, "\n")
		if lines[n] = printable(text); end {
			lines[n] += "\n"
		}
	}
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// printable escapes, as JSON does, what could steer a terminal or turn text around.
func printable(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r <= 0xffff:
			_, _ = fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			_, _ = fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.String()
}
