package policy

import (
	"fmt"
	"strings"
	"unicode"
)

const organizationSegment = "{organization}"

// checkPattern returns what is wrong with the pattern of a resource name, or nil.
func checkPattern(pattern string) error {
	if strings.ContainsFunc(pattern, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }) {
		return fmt.Errorf("pattern %q has a space, or a character that cannot be printed", pattern)
	}
	organizations := 0
	for segment := range strings.SplitSeq(pattern, "/") {
		switch {
		case segment == "":
			return fmt.Errorf("pattern %q has an empty segment", pattern)
		case isDots(segment):
			return fmt.Errorf("pattern %q: segment %q is a step in a path, and not a name: leave it out", pattern, segment)
		case segment == organizationSegment:
			organizations++
		case segment != "*" && strings.ContainsAny(segment, "{}*"):
			return fmt.Errorf("pattern %q: segment %q is neither a literal, nor *, nor %s", pattern, segment, organizationSegment)
		}
	}
	if organizations != 1 {
		return fmt.Errorf("pattern %q has %d segments %s: write exactly one", pattern, organizations, organizationSegment)
	}
	return nil
}

// isDots reports whether a segment is a step in a path. With such a segment, a handler that
// joins or cleans paths would act on another name than the name that was checked.
func isDots(segment string) bool { return segment == "." || segment == ".." }

// matchPattern reports whether value has the form of the pattern and names the
// organization id.
func matchPattern(pattern, value, id string) bool {
	for {
		want, restPattern, morePattern := strings.Cut(pattern, "/")
		got, restValue, moreValue := strings.Cut(value, "/")
		switch want {
		case organizationSegment:
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
