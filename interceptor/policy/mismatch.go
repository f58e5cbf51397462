package policy

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// A mismatch is the error of [Organization.Check] and [Identifier.Check]. Error makes the text on demand: most
// refusals are not logged in full.
type mismatch struct {
	what  string // one of the constants below
	field string // the path to the field at fault, with the indices of elements
	named string // the value of the field
	rule  *field
}

const (
	mismatchType      = "another type of message"
	mismatchOther     = "another one"
	mismatchForm      = "another form"
	mismatchUnset     = "is not set"
	mismatchEmpty     = "is empty"
	mismatchNoElement = "has no elements"
)

// Named returns the value of the field at fault. The value is text of the client, and the text of the error never holds
// the value. Package interceptor finds the method by its name.
func (m *mismatch) Named() string { return m.named }

// within puts the name of an outer field in front of m's field. It returns m, which may be nil.
func (m *mismatch) within(outer string) *mismatch {
	switch {
	case m == nil:
	case m.field == "":
		m.field = outer
	default:
		m.field = outer + "." + m.field
	}
	return m
}

// Error returns what is wrong and what the client must do, in words of the rule alone.
func (m *mismatch) Error() string {
	what := m.what
	switch what {
	case mismatchType:
		return "the message has no field " + strconv.Quote(m.rule.name) + " as the rule knows it: " +
			"compile the rules from the version of the .proto file that the server is built from"
	case mismatchOther:
		return "the request names another " + string(m.rule.noun) + " than the token, in the field " + strconv.Quote(m.field) + ": " +
			m.remedy() + ", byte for byte, or use another token"
	case mismatchForm:
		what = "does not have the form " + m.rule.pattern + " (or a segment is empty, . or ..)"
	}
	return "the request names no " + string(m.rule.noun) + ": the field " + strconv.Quote(m.field) + " " + what + ": " + m.remedy()
}

func (m *mismatch) remedy() string {
	remedy := "the client must set " + strconv.Quote(m.rule.name)
	if slices.ContainsFunc(m.rule.path, protoreflect.FieldDescriptor.IsList) {
		remedy += ", in every element,"
	}
	if m.rule.pattern != "" {
		return remedy + " to " + m.rule.pattern + " with the " + string(m.rule.noun) + " of its token"
	}
	return remedy + " to the " + string(m.rule.noun) + " of its token"
}
