// Package terminal writes texts of tokens, images and servers so that they neither steer a
// terminal nor mislead a reader.
package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Escape escapes invisible characters as JSON does: control characters, directions of writing,
// and all white space but the space. A byte that is not UTF-8 becomes `\x` and two digits.
func Escape(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, hidden) {
		return s
	}
	var out strings.Builder
	for i, width := 0, 0; i < len(s); i += width {
		r := rune(0)
		switch r, width = utf8.DecodeRuneInString(s[i:]); {
		case r == utf8.RuneError && width == 1:
			_, _ = fmt.Fprintf(&out, `\x%02x`, s[i])
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case !hidden(r):
			out.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				_, _ = fmt.Fprintf(&out, `\u%04x`, unit)
			}
		}
	}
	return out.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) }

// Wrap breaks a text into lines of at most 100 bytes, unless a word is longer.
func Wrap(text string) (lines []string) {
	const width = 100
	for _, word := range strings.Fields(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+len(" ")+len(word) <= width {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// WriteJSON writes a document as indented JSON with invisible characters escaped.
func WriteJSON(w io.Writer, document any) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	// The encoder leaves no line break and no invalid UTF-8 in a string.
	lines := strings.Split(out.String(), "\n")
	for i, line := range lines {
		lines[i] = Escape(line)
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}
