package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkPattern returns what is wrong with the pattern of a resource name that names a noun, or nil.
func checkPattern(pattern string, noun noun) error {
	if strange(pattern) {
		return fmt.Errorf("pattern %q has a space, or a character that cannot be printed", pattern)
	}
	named := 0
	for segment := range strings.SplitSeq(pattern, "/") {
		switch {
		case segment == "":
			return fmt.Errorf("pattern %q has an empty segment", pattern)
		case isDots(segment):
			return fmt.Errorf("pattern %q: segment %q is a step in a path, and not a name: leave it out", pattern, segment)
		case segment == noun.segment():
			named++
		case segment != "*" && strings.ContainsAny(segment, "{}*"):
			return fmt.Errorf("pattern %q: segment %q is neither a literal, nor *, nor %s", pattern, segment, noun.segment())
		}
	}
	if named != 1 {
		return fmt.Errorf("pattern %q has %d segments %s: write exactly one", pattern, named, noun.segment())
	}
	return nil
}

// strange reports whether a text has a space, or a character that cannot be printed.
func strange(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) })
}

// isDots reports whether a segment is a step in a path. With such a segment, a handler that
// joins or cleans paths would act on another name than the name that was checked.
func isDots(segment string) bool { return segment == "." || segment == ".." }

// matchPattern reports whether value has the form of the pattern and names id.
func matchPattern(pattern string, noun noun, value, id string) bool {
	segment := noun.segment()
	for {
		want, restPattern, morePattern := strings.Cut(pattern, "/")
		got, restValue, moreValue := strings.Cut(value, "/")
		switch want {
		case segment:
			want = id
		case "*":
			want = got
		}
		if got == "" || isDots(got) || got != want || morePattern != moreValue {
			return false
		}
		if !morePattern {
			return true
		}
		pattern, value = restPattern, restValue
	}
}

// contradiction returns why no message can name what two fields ask for, and what to do, or "". Either may be nil.
func contradiction(a, b *field) string {
	if a == nil || b == nil {
		return ""
	}
	for i, step := range a.path { // both paths end in a string, so that neither leads on from the other
		if other := b.path[i]; other != step {
			oneof := step.ContainingOneof()
			if oneof == nil || oneof != other.ContainingOneof() {
				return ""
			}
			return fmt.Sprintf("%s and %s name fields of the oneof %s, of which a message has one: give each a way of its own", a.noun, b.noun, oneof.FullName())
		}
	}
	// Without a pattern, the whole value would have to be two names. The segments differ if only one has a pattern.
	if a.pattern != "" && slices.EqualFunc(strings.Split(a.pattern, "/"), strings.Split(b.pattern, "/"), func(one, other string) bool {
		return one == "*" || other == "*" || one == other
	}) {
		return ""
	}
	return fmt.Sprintf("%s and %s name the same field %q, and no value can name both: give both a pattern, with the same segments", a.noun, b.noun, b.name)
}
