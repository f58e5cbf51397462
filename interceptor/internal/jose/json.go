package jose

import (
	"encoding/json"
	"slices"
	"strings"
)

// An Object is a JSON object with unique member names. Its values are parts of the text that
// was read.
type Object struct {
	Members []Member
	partial bool // Members are the members that ParseMembers was asked for
}

// A Member is a name and a JSON value. The value is empty if ParseMembers was asked for a member that
// is absent.
type Member struct{ Name, Value string }

// ParseObject reads a JSON object (RFC 8259). It refuses a member name that an object has
// twice, invalid UTF-8, and half of a surrogate pair. encoding/json would take the last of two
// members, and replace bad characters so that different strings become equal.
func ParseObject(data []byte) (Object, error) { return parse(string(data), true, nil) }

// ParseShallow is [ParseObject] for the outermost object alone. The objects inside are still
// to be parsed.
func ParseShallow(data []byte) (Object, error) { return parse(string(data), false, nil) }

// ParseMembers is [ParseObject] that returns only the members asked for, if any are. The others cost no memory.
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

// Get returns the value of a member, and whether the object has the member. It panics for a member that
// [ParseMembers] was not asked for, since the member would seem to be absent.
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

// Has reports whether the object has a member. It panics as [Object.Get] does.
func (o *Object) Has(name string) bool {
	_, ok := o.Get(name)
	return ok
}

// Text returns the value of a string member, and whether the object has the member. The value
// may keep the whole text of the object in memory. A member of another type, such as null, is
// a [ValueError].
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

// Texts returns copies of the strings in a member that is a string or an array of strings,
// whether the member is an array, and whether the object has the member. A member of another
// type is a [ValueError].
func (o *Object) Texts(name string) (values []string, array, ok bool, err error) {
	raw, ok := o.Get(name)
	if !ok {
		return nil, false, false, nil
	}
	if raw[0] == '"' {
		value, _, err := o.Text(name)
		return []string{strings.Clone(value)}, false, true, err
	}
	// encoding/json would decode null into an empty string.
	var elements []*string
	if raw[0] != '[' || json.Unmarshal([]byte(raw), &elements) != nil {
		return nil, false, true, ValueError(name + " is neither a string nor an array of strings")
	}
	texts := slices.Grow([]string(nil), len(elements))
	for _, element := range elements {
		if element == nil {
			return nil, true, true, ValueError(name + " has an element that is not a string")
		}
		texts = append(texts, *element)
	}
	return texts, true, true, nil
}

// DropNulls leaves out the members whose value is null, except members of the given names: .NET and Java write
// null for a member that an object does not have.
func (o *Object) DropNulls(except ...string) {
	o.Members = slices.DeleteFunc(o.Members, func(m Member) bool {
		return m.Value == "null" && !slices.Contains(except, m.Name)
	})
}
