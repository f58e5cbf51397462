package endpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// NotJSON returns the error for a body of [PlainHTTP.Do] that is not a JSON object (RFC 8259). The error tells what the
// body is, and what to do: the advice, unless the body has a better one. It repeats nothing of the body.
func NotJSON(body []byte, advice string) error {
	const (
		fault    = "not a JSON object in UTF-8"
		encoding = "it must be sent or saved in UTF-8"
	)
	found := ""
	text := bytes.TrimSpace(body)
	switch begins := func(with string) bool { return bytes.HasPrefix(text, []byte(with)) }; {
	case len(text) == 0:
		found = ": it is empty"
	case begins(byteOrderMark):
		found = ": it has two byte order marks"
	case begins("\x1f\x8b"):
		found = ": it is compressed, and Content-Encoding does not name the compression"
		advice = "the endpoint must name the compression, or send the answer without compression"
	case isWide(body):
		found = ": it is in UTF-16 or UTF-32"
		advice = encoding
	case begins("<"):
		found = ": it is HTML or XML, such as a page for signing in or an error page"
	case bytes.IndexByte(body, 0) >= 0 && !begins("{"):
		found = ": it is binary, and not JSON"
	case !utf8.Valid(body):
		found = ": it has bytes that are not UTF-8"
		advice = encoding
	case begins("{"):
		found = ": it is cut short, or has a mistake"
	case json.Valid(body):
		found = ": it is JSON, but not an object"
	}
	return errors.New(fault + found + ": " + advice)
}

// isWide reports whether a body is text in UTF-16 or UTF-32: it has a byte order mark, or NULs beside a first
// character that begins JSON or HTML.
func isWide(body []byte) bool {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff", "\x00\x00\xfe\xff"} {
		if bytes.HasPrefix(body, []byte(mark)) {
			return true
		}
	}
	text := bytes.TrimLeft(body, "\x00")
	switch len(body) - len(text) {
	case 0: // the lower byte comes first
		if len(text) < 2 || text[1] != 0 {
			return false
		}
	case 1, 3: // the lower byte comes last
	default:
		return false
	}
	return len(text) > 0 && bytes.IndexByte([]byte("{[< \t\r\n"), text[0]) >= 0
}
