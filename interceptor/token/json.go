package token

import (
	"encoding/json"
	"slices"
	"strings"
)

// An object is a JSON object whose member names are known to be unique. It holds members
// as they were written, as parts of the text that was read.
type object struct {
	members []member
	partial bool // only those that were asked for
}

// A member that was asked for and is not there has no value.
type member struct{ name, value string }

// parseObject reads a JSON object (RFC 8259). encoding/json alone would take the last of
// two members with one name, and replace invalid UTF-8 and half surrogate pairs,
// so that different strings become one.
func parseObject(data []byte) (object, error) { return parse(string(data), true) }

// parseShallow is parseObject, but leaves the objects inside the object to be
// parsed one by one.
func parseShallow(data []byte) (object, error) { return parse(string(data), false) }

func parse(text string, deep bool) (object, error) {
	names := newNameTable(text)
	defer names.release()
	s := scanner{text: text, deep: deep, names: names}
	if err := s.run(); err != nil {
		return object{}, err
	}
	var o object
	for _, n := range names.all {
		if n.object == outermost {
			o.members = append(o.members, member{unescaped(n.name.of(text)), n.value.of(text)})
		}
	}
	return o, nil
}

// parseMembers is parseObject that keeps only the members asked for. The others cost no memory.
func parseMembers(text string, asked []string) (object, error) {
	names := newNameTable(text)
	defer names.release()
	s := scanner{text: text, deep: true, names: names}
	if err := s.run(); err != nil {
		return object{}, err
	}
	o := object{members: make([]member, len(asked)), partial: true}
	for n, name := range asked {
		o.members[n].name = name
		if found := names.get(text, name); found != nil {
			o.members[n].value = found.value.of(text)
		}
	}
	return o, nil
}

// get returns the value of a member. Of a partial object it must be one that was asked for: any other
// would seem to be absent.
func (o *object) get(name string) (value string, ok bool) {
	for n := range o.members {
		if m := &o.members[n]; m.name == name {
			return m.value, m.value != ""
		}
	}
	if o.partial {
		panic("token: nobody asked for the member " + name)
	}
	return "", false
}

func (o *object) has(name string) bool {
	_, ok := o.get(name)
	return ok
}

// unquote returns the value of a JSON string. The error is errJSON if it is another value.
func unquote(quoted string) (string, error) {
	if quoted[0] != '"' {
		return "", errJSON
	}
	return unescaped(quoted[1 : len(quoted)-1]), nil
}

// text returns the string member of that name, which may be a part of the object's text
// and keep all of it in memory, and whether it is there. A
// member of another type, null included, is an error.
func (o *object) text(name string) (value string, ok bool, err error) {
	raw, ok := o.get(name)
	if !ok {
		return "", false, nil
	}
	if value, err = unquote(raw); err != nil {
		return "", true, invalid("%s is not a string", name)
	}
	return value, true, nil
}

// texts returns copies of the member of that name, an array of strings or a single
// string, and whether it is there.
func (o *object) texts(name string) (values []string, array, ok bool, err error) {
	raw, ok := o.get(name)
	if !ok {
		return nil, false, false, nil
	}
	if raw[0] == '"' {
		value, _, err := o.text(name)
		return []string{strings.Clone(value)}, false, true, err
	}
	// A null element would decode into an empty string.
	var elements []*string
	if raw[0] != '[' || json.Unmarshal([]byte(raw), &elements) != nil {
		return nil, false, true, invalid("%s is neither a string nor an array of strings", name)
	}
	values = slices.Grow(values, len(elements))
	for _, element := range elements {
		if element == nil {
			return nil, true, true, invalid("%s has an element that is not a string", name)
		}
		values = append(values, *element)
	}
	return values, true, true, nil
}
