package jose

import (
	"iter"
	"strings"
)

// The functions of this file take values of a text that a parser has passed.

// Text returns the string that a value is. It reports false for a value of another type. The string may keep the
// text of the value in memory.
func Text(value string) (text string, ok bool) {
	if !strings.HasPrefix(value, `"`) {
		return "", false
	}
	return unescaped(value[1 : len(value)-1]), true
}

// Texts returns the strings in a value that is a string or an array of strings, and whether it is an
// array. It reports false for a value of another type. The strings may keep the text of the value in memory.
func Texts(value string) (texts []string, array, ok bool) {
	if text, ok := Text(value); ok {
		return []string{text}, false, true
	}
	if !strings.HasPrefix(value, "[") {
		return nil, false, false
	}
	for _, element := range Elements(value) {
		text, ok := Text(element)
		if !ok {
			return nil, true, false
		}
		texts = append(texts, text)
	}
	return texts, true, true
}

// Elements returns the members of an object with their names, or the elements of an array with empty names. A
// value of another type has none.
func Elements(value string) iter.Seq2[string, string] {
	return func(yield func(name, element string) bool) {
		if !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") {
			return
		}
		for at := space(value, 1); at < len(value)-1; {
			name := ""
			if value[0] == '{' {
				end := skip(value, at)
				name = unescaped(value[at+1 : end-1])
				at = space(value, space(value, end)+len(":"))
			}
			end := skip(value, at)
			if !yield(name, value[at:end]) {
				return
			}
			at = space(value, space(value, end)+len(","))
		}
	}
}

// structure are the characters at which a scalar ends, or from which skip counts.
var structure = func() (structure [256]bool) {
	for _, c := range []byte(`"{}[],: ` + "\t\n\r") {
		structure[c] = true
	}
	return structure
}()

// skip returns the place behind the value that begins at a place. It takes what separates values for scalars.
func skip(text string, at int) int {
	for depth := 0; ; {
		switch text[at] {
		case '"':
			at = skipString(text, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		default:
			for at++; !structure[text[at]]; at++ {
			}
		}
		if depth == 0 {
			return at
		}
	}
}

// skipString returns the place behind the string that begins at a place.
func skipString(text string, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}
