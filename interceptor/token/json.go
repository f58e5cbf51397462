package token

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An object is a JSON object whose member names are known to be unique. It holds the
// values as they were written, in parts of the text that was read.
type object struct {
	members []member
	index   map[string]int // of the members by name, if they are many
}

type member struct{ name, value string }

// manyMembers is up to how many members are searched one by one. Most tokens have fewer.
const manyMembers = 16

func (o *object) get(name string) (value string, ok bool) {
	if o.index != nil {
		n, ok := o.index[name]
		if !ok {
			return "", false
		}
		return o.members[n].value, true
	}
	for _, m := range o.members {
		if m.name == name {
			return m.value, true
		}
	}
	return "", false
}

func (o *object) has(name string) bool {
	_, ok := o.get(name)
	return ok
}

func (o *object) add(name, value string) {
	o.members = append(o.members, member{name, value})
	switch {
	case o.index != nil:
		o.index[name] = len(o.members) - 1
	case len(o.members) > manyMembers:
		o.index = make(map[string]int, 2*len(o.members))
		for n, m := range o.members {
			o.index[m.name] = n
		}
	}
}

var (
	errJSON      = errors.New("not a JSON object in UTF-8")
	errDuplicate = errors.New("an object has a member name twice")
	errSurrogate = errors.New("a string has half of a surrogate pair")
	errDepth     = errors.New("nested too deeply")
)

// parseObject reads a JSON object. encoding/json alone would take the last of
// two members with one name, and replace invalid UTF-8 and half surrogate pairs,
// so that different strings become one.
func parseObject(data []byte) (object, error) { return parse(data, true) }

// parseShallow is parseObject, but leaves the objects inside the object to be
// parsed one by one.
func parseShallow(data []byte) (object, error) { return parse(data, false) }

func parse(data []byte, deep bool) (object, error) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return object{}, errJSON
	}
	s := scanner{rest: string(data), deep: deep}
	if s.space(); s.rest[0] != '{' {
		return object{}, errJSON
	}
	o := object{members: make([]member, 0, manyMembers)}
	err := s.object(&o)
	return o, err
}

// maxDepth is how deeply objects and arrays may be nested. Real tokens and key sets
// need three or four levels.
const maxDepth = 32

// scanner walks through JSON that is known to be valid.
type scanner struct {
	rest  string
	deep  bool
	depth int
}

func (s *scanner) space() {
	for len(s.rest) > 0 && (s.rest[0] == ' ' || s.rest[0] == '\t' || s.rest[0] == '\n' || s.rest[0] == '\r') {
		s.rest = s.rest[1:]
	}
}

// skip passes the next n bytes and the space behind them.
func (s *scanner) skip(n int) {
	s.rest = s.rest[n:]
	s.space()
}

// object passes one object and the space behind it, and stores its members in o. If o is
// nil, names may stand twice.
func (s *scanner) object(o *object) error {
	for s.skip(1); s.rest[0] != '}'; {
		if s.rest[0] == ',' {
			s.skip(1)
		}
		quoted, err := s.string()
		if err != nil {
			return err
		}
		s.space()
		s.skip(1) // the colon
		value, err := s.value()
		if err != nil {
			return err
		}
		if o == nil {
			continue
		}
		name, err := unquote(quoted)
		if err != nil {
			return errJSON
		}
		if o.has(name) {
			return errDuplicate
		}
		o.add(name, value)
	}
	s.skip(1)
	return nil
}

// value passes one value and the space behind it.
func (s *scanner) value() (string, error) {
	start := s.rest
	if s.depth++; s.deep && s.depth > maxDepth {
		return "", errDepth
	}
	defer func() { s.depth-- }()
	switch s.rest[0] {
	case '{':
		var inner *object
		if s.deep {
			inner = new(object)
		}
		if err := s.object(inner); err != nil {
			return "", err
		}
	case '[':
		for s.skip(1); s.rest[0] != ']'; {
			if s.rest[0] == ',' {
				s.skip(1)
			}
			if _, err := s.value(); err != nil {
				return "", err
			}
		}
		s.skip(1)
	case '"':
		value, err := s.string()
		s.space()
		return value, err
	default:
		n := 0
		for n < len(s.rest) && s.rest[n] != ',' && s.rest[n] != '}' && s.rest[n] != ']' && s.rest[n] > ' ' {
			n++
		}
		s.skip(n)
		return start[:n], nil
	}
	return start[:len(start)-len(s.rest)], nil
}

// string passes one string, quotes included.
func (s *scanner) string() (string, error) {
	n := 1
	for s.rest[n] != '"' {
		if unit := codeUnit(s.rest[n:]); utf16.IsSurrogate(unit) && s.deep {
			const escape = len(`\u0000`)
			if n += escape; utf16.DecodeRune(unit, codeUnit(s.rest[n:])) == utf8.RuneError {
				return "", errSurrogate
			}
			n += escape
			continue
		}
		if s.rest[n] == '\\' {
			n++
		}
		n++
	}
	value := s.rest[:n+1]
	s.rest = s.rest[n+1:]
	return value, nil
}

// unquote returns the value of a JSON string. The error is errJSON if it is another value.
func unquote(quoted string) (string, error) {
	if quoted[0] != '"' {
		return "", errJSON
	}
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1], nil
	}
	var value string
	err := json.Unmarshal([]byte(quoted), &value)
	return value, err
}

// codeUnit returns the UTF-16 code unit that text begins with as an escape, or 0.
func codeUnit(text string) rune {
	if text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
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

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// date returns a NumericDate (RFC 7519 section 2) in seconds since the epoch,
// and whether it is there. A fraction is rounded by round.
func (o *object) date(name string, round func(float64) float64) (seconds int64, ok bool, err error) {
	raw, ok := o.get(name)
	if !ok {
		return 0, false, nil
	}
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, true, invalid("%s is not a number", name)
	}
	value, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsNaN(value) || value < 0 || value > maxDate {
		return 0, true, invalid("%s is out of range", name)
	}
	return int64(round(value)), true, nil
}
