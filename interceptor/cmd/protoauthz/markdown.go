package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/cmd/protoauthz/internal/terminal"
)

// code returns Markdown that shows a text as it is, in a table too: no part of the text becomes
// a link, a mention or markup.
func code(s string) string {
	s = terminal.Escape(s)
	switch {
	case s == "":
		return ""
	case !strings.ContainsAny(s, "`|\\<>&") && strings.TrimSpace(s) == s:
		return "`" + s + "`"
	}
	var out strings.Builder
	out.WriteString("<code>")
	for _, r := range s {
		if r < utf8.RuneSelf && strings.ContainsRune("`|\\<>&*_[]!~#@:.\"'", r) {
			_, _ = fmt.Fprintf(&out, "&#%d;", r)
		} else {
			out.WriteRune(r)
		}
	}
	out.WriteString("</code>")
	return out.String()
}

// codes returns Markdown that shows a list of texts.
func codes(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = code(s)
	}
	return strings.Join(all, " ")
}
