package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A noun is what a field of a request names: the organization, the subject or the client of
// the token.
type noun string

const (
	organizationNoun noun = "organization"
	subjectNoun      noun = "subject"
	clientNoun       noun = "client"
)

// segment returns the segment of a pattern that stands for the named one.
func (n noun) segment() string {
	switch n {
	case subjectNoun:
		return "{subject}"
	case clientNoun:
		return "{client}"
	default:
		return "{organization}"
	}
}

// A field is a field of the request that must name one of the nouns. It does not change.
type field struct {
	noun    noun
	name    string // the dotted path
	pattern string // empty if the field holds the name and nothing else
	path    []protoreflect.FieldDescriptor
}

var errNoField = errors.New("nothing can be looked for in this message: the server must call Check with a message, " +
	"with an id that is not empty, and for a rule that names a field")

// pathCopy returns a copy of the path, which is empty for nil.
func (f *field) pathCopy() []protoreflect.FieldDescriptor {
	if f == nil {
		return nil
	}
	return slices.Clone(f.path)
}

// check returns nil if a message names id, and nothing else, in the field.
func (f *field) check(message proto.Message, id string) error {
	if f == nil || id == "" || message == nil {
		return errNoField
	}
	if m := f.match(message.ProtoReflect(), f.path, id); m != nil {
		return m
	}
	return nil
}

func (f *field) match(message protoreflect.Message, path []protoreflect.FieldDescriptor, id string) *mismatch {
	step := fieldOf(message.Descriptor(), path[0])
	if step == nil {
		return &mismatch{what: mismatchType, rule: f}
	}
	name, rest := string(step.Name()), path[1:]
	if !step.IsList() {
		// The client did not send a field's default value (proto2). The default of a field
		// without presence is empty, and names nothing.
		if step.HasPresence() && !message.Has(step) {
			return &mismatch{what: mismatchUnset, field: name, rule: f}
		}
		return f.value(message.Get(step), rest, id).within(name)
	}
	list := message.Get(step).List()
	for i := range list.Len() {
		if m := f.value(list.Get(i), rest, id); m != nil {
			return m.within(name + "[" + strconv.Itoa(i) + "]")
		}
	}
	if list.Len() == 0 {
		return &mismatch{what: mismatchNoElement, field: name, rule: f}
	}
	return nil
}

// value checks the value of a field, from which the rest of the path leads on.
func (f *field) value(value protoreflect.Value, rest []protoreflect.FieldDescriptor, id string) *mismatch {
	if len(rest) > 0 {
		return f.match(value.Message(), rest, id)
	}
	text := value.String()
	names := text == id
	if f.pattern != "" {
		names = matchPattern(f.pattern, f.noun, text, id)
	}
	switch {
	case names:
		return nil
	case text == "":
		return &mismatch{what: mismatchEmpty, rule: f}
	case f.pattern != "" && !matchPattern(strings.ReplaceAll(f.pattern, f.noun.segment(), "*"), f.noun, text, ""):
		return &mismatch{what: mismatchForm, named: text, rule: f}
	default:
		return &mismatch{what: mismatchOther, named: text, rule: f}
	}
}

// fieldOf returns the field of a message that is the same as a compiled field, or nil. The
// message may come from another copy of the file: rules that were compiled from an image
// check generated messages too.
func fieldOf(message protoreflect.MessageDescriptor, compiled protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if compiled.ContainingMessage() == message {
		return compiled
	}
	found := message.Fields().ByNumber(compiled.Number())
	if found == nil || found.FullName() != compiled.FullName() || found.Kind() != compiled.Kind() ||
		found.IsList() != compiled.IsList() || found.IsMap() {
		return nil
	}
	return found
}

// compilePath resolves a dotted path of field names.
func compilePath(message protoreflect.MessageDescriptor, dotted string) ([]protoreflect.FieldDescriptor, error) {
	var path []protoreflect.FieldDescriptor
	names := strings.Split(dotted, ".")
	for i, name := range names {
		field := message.Fields().ByName(protoreflect.Name(name))
		switch last := i == len(names)-1; {
		case message.IsPlaceholder():
			return nil, fmt.Errorf("the file that declares message %s is missing, so that field %q cannot be checked: give the image with its imports", message.FullName(), name)
		case field == nil:
			return nil, fmt.Errorf("message %s has no field %q", message.FullName(), name)
		case field.IsMap():
			return nil, fmt.Errorf("field %s is a map: the path must not lead through a map", field.FullName())
		case last && field.Kind() != protoreflect.StringKind:
			return nil, fmt.Errorf("field %s is of type %s: the path must end in a string", field.FullName(), field.Kind())
		case !last && field.Message() == nil:
			return nil, fmt.Errorf("field %s is of type %s and has no fields of its own", field.FullName(), field.Kind())
		}
		path = append(path, field)
		message = field.Message()
	}
	return path, nil
}
