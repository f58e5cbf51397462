package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible replaces what a terminal or a reader could be misled by: control characters,
// directions of writing, and what is no UTF-8. Names of files may hold any of that, and
// audiences some.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, invisible) {
		return s
	}
	var out strings.Builder
	for i, width := 0, 0; i < len(s); i += width {
		r := rune(0)
		if r, width = utf8.DecodeRuneInString(s[i:]); !invisible(r) && (r != utf8.RuneError || width > 1) {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteToASCII(s[i : i+width])
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}

func invisible(r rune) bool { return !unicode.IsPrint(r) }

// code makes Markdown of a text that is shown as it is, in a table too. In code no part
// becomes a link, mentions anybody, or is read as markup.
func code(s string) string {
	s = visible(s)
	switch {
	case s == "":
		return ""
	case !strings.ContainsAny(s, "`|\\<>&") && strings.TrimSpace(s) == s:
		return "`" + s + "`"
	}
	var out strings.Builder
	out.WriteString("<code>")
	for _, r := range s {
		if r < utf8.RuneSelf && strings.ContainsRune("`|\\<>&*_[]!~#@:\"'", r) {
			_, _ = fmt.Fprintf(&out, "&#%d;", r)
		} else {
			out.WriteRune(r)
		}
	}
	out.WriteString("</code>")
	return out.String()
}

// codes makes Markdown of a list.
func codes(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = code(s)
	}
	return strings.Join(all, " ")
}

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
