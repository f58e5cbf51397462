package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A claimName is where a claim stands in a payload, compiled from its name or its JSON Pointer.
type claimName struct {
	text string   // as the Issuer has it
	path []string // the members up to the first placeholder
	rest []step   // from the first placeholder on
}

// A step is a placeholder, or the name of a member behind one.
type step struct{ placeholder, member string }

// holds reports whether the pointer has a placeholder.
func (c *claimName) holds(placeholder string) bool {
	return slices.ContainsFunc(c.rest, func(s step) bool { return s.placeholder == placeholder })
}

// maxSteps is the largest number of steps in a pointer. No payload is nested more deeply.
const maxSteps = 32

// compileName compiles a name, or a JSON Pointer with some of the placeholders. The text of the error continues a
// sentence that begins with the name.
func compileName(text string, placeholders ...string) (claimName, error) {
	if !strings.HasPrefix(text, "/") {
		return claimName{text, []string{text}, nil}, checkBareName(text)
	}
	c := claimName{text: text}
	for part := range strings.SplitSeq(text[1:], "/") {
		if part == everyPlaceholder || strings.ContainsAny(part, "{}") {
			if err := c.checkPlaceholder(part, placeholders); err != nil {
				return c, err
			}
			c.rest = append(c.rest, step{placeholder: part})
			continue
		}
		name := unescape.Replace(part)
		switch {
		case part == "":
			return c, errors.New("has an empty step: write the name of a member behind each slash")
		case !isMember(name):
			return c, fmt.Errorf("has the step %q: write the name of a member as the token has it, or a placeholder (%s, %s or %s)", part, everyPlaceholder, scopePlaceholder, organizationPlaceholder)
		case escape.Replace(name) != part:
			return c, errors.New("has a ~ that begins neither ~0 nor ~1: write ~0 for ~, and ~1 for a slash (RFC 6901)")
		case len(c.rest) > 0:
			c.rest = append(c.rest, step{member: name})
		default:
			c.path = append(c.path, name)
		}
	}
	switch {
	case len(c.path) == 0:
		return c, errors.New("begins with a placeholder: name a claim first")
	case len(c.path)+len(c.rest) > maxSteps:
		return c, fmt.Errorf("has more than %d steps, and no token is nested so deeply", maxSteps)
	}
	return c, nil
}

// checkPlaceholder refuses a step that is not one of the placeholders, or is there twice.
func (c *claimName) checkPlaceholder(step string, placeholders []string) error {
	switch {
	case !slices.Contains([]string{everyPlaceholder, scopePlaceholder, organizationPlaceholder}, step):
		return fmt.Errorf("has braces that are not a placeholder: the placeholders are %s, %s and %s, each as a whole step", everyPlaceholder, scopePlaceholder, organizationPlaceholder)
	case len(placeholders) == 0:
		return fmt.Errorf("has the placeholder %s, and must name one claim: write a pointer without placeholders", step)
	case !slices.Contains(placeholders, step):
		return fmt.Errorf("has the placeholder %s, which has no meaning here: write a pointer whose placeholders are %s", step, strings.Join(placeholders, " or "))
	case step != everyPlaceholder && c.holds(step):
		return fmt.Errorf("has the placeholder %s twice: write it once", step)
	}
	return nil
}

// escape and unescape are the escapes of RFC 6901 section 4.
var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// isMember reports whether a step can be the name of a member. It refuses white space around a name, characters that
// nobody sees, and what stands for an index or a variable in other notations.
func isMember(name string) bool {
	unseen := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	return name == strings.TrimSpace(name) && !strings.ContainsFunc(name, unseen) && !strings.ContainsAny(name, "*<>[]") && !strings.HasPrefix(name, ":")
}

// plainCharacters are the characters of names that need no pointer, and of segments of a path.
const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// checkBareName refuses names that look like paths in another notation, since no token would have such a claim. A name
// with a colon is a URI, such as https://acme.example/roles, or has a prefix, such as cognito:groups.
func checkBareName(name string) error {
	allowed := plainCharacters
	switch {
	case strings.TrimSpace(name) == "":
		return errors.New("is blank: write the name of a claim; if a variable or a file should supply it, set the variable or fill the file")
	case strings.Contains(name, "://"):
		allowed += ".~:/?@!$&()+,;=%"
	case strings.Contains(name, ":"):
		allowed += ".:"
	}
	n := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
	for _, escaped := range []string{"~0", "~1"} {
		n = max(n, strings.Index(name, escaped))
	}
	if n < 0 {
		return nil
	}
	odd, _ := utf8.DecodeRuneInString(name[n:])
	advice, whole := "remove the character", "/"+escape.Replace(name)
	if isPointer(whole) {
		advice = fmt.Sprintf("write %q if %q belongs to the name", whole, odd)
	}
	switch {
	case name != strings.TrimSpace(name):
		advice = "remove the white space, also where a variable or a file supplies the name"
	case strings.ContainsRune("{}*", odd):
		advice = `a placeholder stands in a JSON Pointer, such as "/roles/*" or "/roles/{scope}"`
	case strings.ContainsRune("./[$#~", odd) && isPointer(whole):
		advice = fmt.Sprintf("a nested claim is written as a JSON Pointer, such as %q; %s", nested(name), advice)
	case strings.ContainsRune("./[$#~", odd):
		advice = fmt.Sprintf("a nested claim is written as a JSON Pointer, such as %q", nested(name))
	}
	return fmt.Errorf("has %q in it: %s", odd, advice)
}

// nested returns the pointer that the author of a name may have meant, or an example.
func nested(name string) string {
	steps := strings.FieldsFunc(strings.TrimLeft(name, "$#"), func(r rune) bool { return strings.ContainsRune("./", r) })
	if pointer := "/" + strings.Join(steps, "/"); isPointer(pointer) && !strings.Contains(name, "://") {
		return pointer
	}
	return "/realm_access/roles"
}

// isPointer reports whether a JSON Pointer can be a name in some field.
func isPointer(pointer string) bool {
	_, err := compileName(pointer, everyPlaceholder, scopePlaceholder, organizationPlaceholder)
	return err == nil
}

// A leaf is a value that a pointer with placeholders leads to.
type leaf struct {
	value               string // empty if the last member is absent
	scope, organization string // the names at {scope} and {organization}
}

// walk calls visit for each leaf below the value at the pointer's path. If in is not empty, {organization} leads to
// the member of that name alone.
func (c *claimName) walk(value, in string, visit func(leaf) error) error {
	var room [maxSteps]jose.Step
	steps, scope, organization := room[:0], -1, -1
	unnamed := 0
	for _, s := range c.rest {
		next := jose.Step{Name: s.member, Members: s.placeholder != everyPlaceholder}
		switch s.placeholder {
		case scopePlaceholder:
			scope = unnamed
		case organizationPlaceholder:
			next.Name, organization = in, unnamed
		}
		if next.Name == "" {
			unnamed++
		}
		steps = append(steps, next)
	}
	err := jose.Walk(value, steps, func(names []string, value string) error {
		at := leaf{value: value}
		if scope >= 0 && scope < len(names) {
			at.scope = names[scope]
		}
		if organization >= 0 && organization < len(names) {
			at.organization = names[organization]
		}
		return visit(at)
	})
	if errors.Is(err, jose.ErrStep) {
		return invalid("%s leads through a value that is neither an object nor, at *, an array", c.text)
	}
	return err
}
