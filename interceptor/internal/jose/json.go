package jose

import "slices"

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
func ParseObject(data []byte) (Object, error) { return parse(string(data), true) }

// ParseShallow is [ParseObject] for the outermost object alone. The objects inside are still
// to be parsed.
func ParseShallow(data []byte) (Object, error) { return parse(string(data), false) }

func parse(text string, deep bool) (o Object, err error) {
	index, err := newIndex(text, deep)
	if err != nil {
		return Object{}, err
	}
	defer index.Release()
	for _, n := range index.names.all {
		if n.object == outermost {
			o.Members = append(o.Members, Member{unescaped(n.name.of(text)), n.value.of(text)})
		}
	}
	return o, nil
}

// ParseMembers is [ParseObject] that returns only the members asked for. The others cost no memory.
func ParseMembers(text string, asked []string) (Object, error) {
	index, err := NewIndex(text)
	if err != nil {
		return Object{}, err
	}
	defer index.Release()
	o := Object{Members: make([]Member, len(asked)), partial: true}
	for n, name := range asked {
		o.Members[n] = Member{name, index.Find(asked[n : n+1])}
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
func (o *Object) Text(name string) (text string, ok bool, err error) {
	value, ok := o.Get(name)
	if !ok {
		return "", false, nil
	}
	if text, ok = Text(value); !ok {
		return "", true, ValueError(name + " is not a string")
	}
	return text, true, nil
}

// Texts returns the strings in a member that is a string or an array of strings,
// whether the member is an array, and whether the object has the member. The strings may keep the whole text of
// the object in memory. A member of another type is a [ValueError].
func (o *Object) Texts(name string) (texts []string, array, ok bool, err error) {
	value, ok := o.Get(name)
	if !ok {
		return nil, false, false, nil
	}
	if texts, array, ok = Texts(value); !ok {
		return nil, array, true, ValueError(name + " is neither a string nor an array of strings")
	}
	return texts, array, true, nil
}

// DropNulls leaves out the members whose value is null, except members of the given names: .NET and Java write
// null for a member that an object does not have.
func (o *Object) DropNulls(except ...string) {
	o.Members = slices.DeleteFunc(o.Members, func(m Member) bool {
		return m.Value == "null" && !slices.Contains(except, m.Name)
	})
}
