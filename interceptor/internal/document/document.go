// Package document reads JSON documents of configuration (RFC 8259) into structs, strictly and with lines.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse reads a document into a struct, given a pointer to the struct. The document has a member for each exported
// field, named by [MemberName]. The fields of an embedded struct are members of the outer one. Parse leaves a field
// without a member as it is.
//
// A field is a string, a bool, an int, a [time.Duration] (a text such as "12h"), a struct, a pointer, a slice, a map
// with strings as keys, or an any (numbers become [json.Number]). A type with a method UnmarshalJSON reads its object
// itself: a [Fault] in its error moves to its place in the document.
//
// Each error is a [*Fault]: what is not JSON in UTF-8, a member that is unknown, given twice or null, a value of another
// type, and more than 64 objects and arrays in each other. Faults repeat names of members, and nothing of a value. Parse
// drops a byte order mark and, in the outermost object, "$schema", which editors read. With faults, the struct holds a
// part of the document.
func Parse(text []byte, into any) (*Lines, []error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := reader{lines: map[string]int{"": 1}}
	if fault := checkForm(text); fault != nil {
		return &Lines{r.lines}, []error{fault}
	}
	root, fault := parse(text)
	if fault != nil {
		return &Lines{r.lines}, []error{fault}
	}
	root.members = slices.DeleteFunc(root.members, func(m member) bool { return m.name == "$schema" })
	r.read(reflect.ValueOf(into).Elem(), root, "")
	return &Lines{r.lines}, r.faults
}

// A Fault is a mistake in a document.
type Fault struct {
	// File is the name of the document, or empty. Parse leaves it empty.
	File string
	// Line counts from 1.
	Line int
	// Path is the member, such as `clients[0].scopes["https://api.test"]`, or empty for the whole document.
	Path string
	// Text is what is wrong and what to write instead. It continues a sentence that begins with Path.
	Text string
}

// Error returns a text such as `tenant.json:3: clients[0].secret is not a string: write "…"`. Without a file it begins
// with "line 3".
func (f *Fault) Error() string {
	place := fmt.Sprintf("%s:%d", f.File, f.Line)
	if f.File == "" {
		place = fmt.Sprintf("line %d", f.Line)
	}
	return place + ": " + strings.TrimPrefix(f.Path+" "+f.Text, " ")
}

// SplitFaults returns the faults that an error joins, also in joined errors, or else the error itself. It returns none
// for nil.
func SplitFaults(err error) (faults []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	for _, err := range joined.Unwrap() {
		faults = append(faults, SplitFaults(err)...)
	}
	return faults
}

// Lines are the lines of the members of a document.
type Lines struct{ lines map[string]int }

// Of returns the line of a member, given its path, such as `clients[0].scopes["https://api.test"]`. A member of a
// struct stands behind a dot, and a key of a map, quoted as %q does, in brackets. For a member that the document does
// not have, it is the line of the nearest member around it, and 1 without one.
func (l *Lines) Of(path string) int {
	for {
		if line, ok := l.lines[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// Has reports whether the document has a member, given its path.
func (l *Lines) Has(path string) bool { return l.lines[path] > 0 }

// MemberName returns the name of the member for a field: the first word is in small letters, as in url and caFile.
func MemberName(field string) string {
	switch first := strings.IndexFunc(field, unicode.IsLower); first {
	case -1:
		return strings.ToLower(field)
	case 1:
		return strings.ToLower(field[:1]) + field[1:]
	default: // the last of several capitals begins the second word
		return strings.ToLower(field[:first-1]) + field[first-1:]
	}
}

// surrogates matches the escapes of a document. A half of a surrogate pair is the first submatch.
var surrogates = regexp.MustCompile(`(?i)\\ud[89ab]..\\ud[c-f]..|(\\ud[89a-f]..)|\\.`)

// checkForm returns the first fault of a document that is not a JSON object in UTF-8.
func checkForm(text []byte) error {
	const write = "write one JSON object, with names and texts in double quotes, without comments, and without a comma behind a last member"
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return &Fault{Line: lineOf(text, at), Text: "not UTF-8: save the document in UTF-8"}
		}
		at += size
	}
	err := json.Unmarshal(text, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := max(0, int(syntax.Offset)-1)
		_, where, _ := strings.Cut(syntax.Error(), "' ") // what stands before repeats a character of the document
		if where == "" {
			where = syntax.Error()
		}
		return &Fault{Line: lineOf(text, at), Text: fmt.Sprintf("not a JSON object: column %d, %s: %s", at-bytes.LastIndexByte(text[:at], '\n'), where, write)}
	}
	if begin := bytes.TrimLeft(text, "\t\n\r "); err != nil || begin[0] != '{' {
		return &Fault{Line: lineOf(text, len(text)-len(begin)), Text: "not a JSON object: " + write}
	}
	for _, match := range surrogates.FindAllSubmatchIndex(text, -1) {
		if match[2] >= 0 {
			return &Fault{Line: lineOf(text, match[2]), Text: `a string has half of a surrogate pair: write the character itself, or both halves, as "\ud83d\ude00"`}
		}
	}
	return nil
}

func lineOf(text []byte, at int) int { return 1 + bytes.Count(text[:at], []byte("\n")) }
