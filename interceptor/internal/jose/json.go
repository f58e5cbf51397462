package jose

import (
	"encoding/json"
	"slices"
	"strings"
)

// An Object is a JSON object whose member names are known to be unique. It holds members
// as they were written, as parts of the text that was read.
type Object struct {
	Members []Member
	partial bool // only those that were asked for
}

// A Member is a name and a JSON value. A member that was asked for and is not there has no value.
type Member struct{ Name, Value string }

// ParseObject reads a JSON object (RFC 8259). encoding/json alone would take the last of
// two members with one name, and replace invalid UTF-8 and half surrogate pairs,
// so that different strings become one.
func ParseObject(data []byte) (Object, error) { return parse(string(data), true, nil) }

// ParseShallow is [ParseObject], but leaves the objects inside the object to be
// parsed one by one.
func ParseShallow(data []byte) (Object, error) { return parse(string(data), false, nil) }

// ParseMembers is [ParseObject] that keeps only the members asked for, if any are. The others cost no memory.
func ParseMembers(text string, asked []string) (Object, error) { return parse(text, true, asked) }

func parse(text string, deep bool, asked []string) (Object, error) {
	names := newNameTable(text)
	defer names.release()
	s := scanner{text: text, deep: deep, names: names}
	if err := s.run(); err != nil {
		return Object{}, err
	}
	o := Object{partial: len(asked) > 0}
	if !o.partial {
		for _, n := range names.all {
			if n.object == outermost {
				o.Members = append(o.Members, Member{unescaped(n.name.of(text)), n.value.of(text)})
			}
		}
		return o, nil
	}
	o.Members = make([]Member, len(asked))
	for n, name := range asked {
		o.Members[n].Name = name
		if found := names.get(text, name); found != nil {
			o.Members[n].Value = found.value.of(text)
		}
	}
	return o, nil
}

// Get returns the value of a member, and whether it is there. Of an object of [ParseMembers] it must
// be one that was asked for, or Get panics: any other would seem to be absent.
func (o *Object) Get(name string) (value string, ok bool) {
	for n := range o.Members {
		if m := &o.Members[n]; m.Name == name {
			return m.Value, m.Value != ""
		}
	}
	if o.partial {
		panic("jose: nobody asked for the member " + name)
	}
	return "", false
}

// Has reports whether a member is there, as [Object.Get] does.
func (o *Object) Has(name string) bool {
	_, ok := o.Get(name)
	return ok
}

// Text returns the string member of that name, which may be a part of the object's text
// and keep all of it in memory, and whether it is there. A
// member of another type, null included, is a [ValueError].
func (o *Object) Text(name string) (value string, ok bool, err error) {
	raw, ok := o.Get(name)
	if !ok {
		return "", false, nil
	}
	if raw[0] != '"' {
		return "", true, ValueError(name + " is not a string")
	}
	return unescaped(raw[1 : len(raw)-1]), true, nil
}

// Texts returns copies of the member of that name, an array of strings or a single
// string, and whether it is there. A member of another type is a [ValueError].
func (o *Object) Texts(name string) (values []string, array, ok bool, err error) {
	raw, ok := o.Get(name)
	if !ok {
		return nil, false, false, nil
	}
	if raw[0] == '"' {
		value, _, err := o.Text(name)
		return []string{strings.Clone(value)}, false, true, err
	}
	// A null element would decode into an empty string.
	var elements []*string
	if raw[0] != '[' || json.Unmarshal([]byte(raw), &elements) != nil {
		return nil, false, true, ValueError(name + " is neither a string nor an array of strings")
	}
	values = slices.Grow(values, len(elements))
	for _, element := range elements {
		if element == nil {
			return nil, true, true, ValueError(name + " has an element that is not a string")
		}
		values = append(values, *element)
	}
	return values, true, true, nil
}

// DropNulls leaves out the members whose value is null, except members of the given names: .NET and Java write
// null for a member that an object does not have.
func (o *Object) DropNulls(except ...string) {
	o.Members = slices.DeleteFunc(o.Members, func(m Member) bool {
		return m.Value == "null" && !slices.Contains(except, m.Name)
	})
}
