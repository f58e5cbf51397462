package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A reader sets values, and collects lines and faults.
type reader struct {
	lines  map[string]int
	faults []error
}

func (r *reader) fault(line int, path, format string, args ...any) {
	r.faults = append(r.faults, &Fault{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// read sets a value to a node.
func (r *reader) read(into reflect.Value, n node, path string) {
	switch target := into.Addr().Interface().(type) {
	case *any:
		*target = r.free(n, path)
		return
	case json.Unmarshaler:
		if n.token == json.Delim('{') {
			r.foreign(target.UnmarshalJSON(n.text), n.line, path)
			return
		}
	}
	ok := false
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		r.read(into.Elem(), n, path)
		return
	case reflect.String:
		var text string
		text, ok = n.token.(string)
		into.SetString(text)
	case reflect.Bool:
		var is bool
		is, ok = n.token.(bool)
		into.SetBool(is)
	case reflect.Int, reflect.Int64:
		var number int64
		number, ok = integer(into.Type(), n.token)
		into.SetInt(number)
	case reflect.Slice:
		if ok = n.token == json.Delim('['); ok {
			r.slice(into, n, path)
		}
	case reflect.Map:
		if ok = n.token == json.Delim('{'); ok {
			r.mapping(into, n, path)
		}
	case reflect.Struct:
		if ok = n.token == json.Delim('{'); ok {
			r.structure(into, n, path)
		}
	default:
		panic("document: a field is a " + into.Type().String())
	}
	if ok {
		return
	}
	noun, example := describe(into.Type())
	switch n.token.(type) {
	case nil:
		r.fault(r.lines[path], path, "is null: write %s", example)
		return
	case bool, json.Number:
		if into.Kind() == reflect.String {
			example = "the value in quotes"
		}
	}
	r.fault(r.lines[path], path, "is not %s: write %s", noun, example)
}

func (r *reader) slice(into reflect.Value, n node, path string) {
	into.Set(reflect.MakeSlice(into.Type(), len(n.members), len(n.members)))
	for i, m := range n.members {
		path := fmt.Sprintf("%s[%d]", path, i)
		r.lines[path] = m.line
		r.read(into.Index(i), m.node, path)
	}
}

func (r *reader) mapping(into reflect.Value, n node, path string) {
	into.Set(reflect.MakeMap(into.Type()))
	for path, m := range r.unique(n, path, keyPath) {
		value := reflect.New(into.Type().Elem()).Elem()
		r.read(value, m.node, path)
		into.SetMapIndex(reflect.ValueOf(m.name).Convert(into.Type().Key()), value)
	}
}

func (r *reader) structure(into reflect.Value, n node, path string) {
	var names []string
	fields := map[string]reflect.Value{}
	for name, field := range members(into) {
		names, fields[name] = append(names, name), field
	}
	listed := false
	for path, m := range r.unique(n, path, Below) {
		field, ok := fields[m.name]
		switch other := nearest(m.name, names); {
		case ok:
			r.read(field, m.node, path)
		case other != "":
			r.fault(m.line, path, "is unknown: did you mean %q?", other)
		case listed:
			r.fault(m.line, path, "is unknown: correct or remove it")
		default:
			listed = true
			r.fault(m.line, path, "is unknown: the members are %s", strings.Join(names, ", "))
		}
	}
}

// members returns the fields of a struct that are members, in the order of the struct.
func members(of reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for field, value := range of.Fields() {
			if field.Anonymous {
				members(value)(yield)
			} else if field.IsExported() && !yield(MemberName(field.Name), value) {
				return
			}
		}
	}
}

// free returns a node as any value.
func (r *reader) free(n node, path string) any {
	switch n.token {
	case json.Delim('['):
		list := []any{}
		r.slice(reflect.ValueOf(&list).Elem(), n, path)
		return list
	case json.Delim('{'):
		object := map[string]any{}
		r.mapping(reflect.ValueOf(&object).Elem(), n, path)
		return object
	default:
		return n.token
	}
}

// foreign adds the faults of a type that reads itself, at the line where its value begins.
func (r *reader) foreign(err error, line int, path string) {
	for _, err := range SplitFaults(err) {
		switch fault, ok := errors.AsType[*Fault](err); {
		case !ok:
			r.fault(line, path, "is faulty: %v", err)
		case fault.Path == "":
			r.fault(line+fault.Line-1, path, "is faulty: %s", fault.Text)
		default:
			dot := "."
			if fault.Path[0] == '[' {
				dot = ""
			}
			r.fault(line+fault.Line-1, path+dot+fault.Path, "%s", fault.Text)
		}
	}
}

// unique returns the members of an object with their paths, and reports the ones that are given twice.
func (r *reader) unique(n node, path string, below func(path, name string) string) iter.Seq2[string, member] {
	return func(yield func(string, member) bool) {
		seen := map[string]bool{}
		for _, m := range n.members {
			path := below(path, m.name)
			if seen[m.name] {
				r.fault(m.line, path, "is given twice: remove one")
				continue
			}
			seen[m.name], r.lines[path] = true, m.line
			if !yield(path, m) {
				return
			}
		}
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_$]+$`)

// Below returns the path of a member of a struct.
func Below(path, name string) string {
	switch {
	case !plainName.MatchString(name):
		return keyPath(path, name)
	case path == "":
		return name
	default:
		return path + "." + name
	}
}

func keyPath(path, name string) string { return fmt.Sprintf("%s[%q]", path, name) }

// integer returns a number, or the nanoseconds of a duration.
func integer(of reflect.Type, token json.Token) (int64, bool) {
	if of == reflect.TypeFor[time.Duration]() {
		text, _ := token.(string)
		duration, err := time.ParseDuration(text)
		return int64(duration), err == nil
	}
	text, _ := token.(json.Number)
	number, err := strconv.ParseInt(text.String(), 10, of.Bits())
	return number, err == nil
}

// describe returns what a value of a type is called, and an example.
func describe(of reflect.Type) (noun, example string) {
	switch of.Kind() {
	case reflect.Interface:
		return "", "…" // every value will do
	case reflect.String:
		return "a string", `"…"`
	case reflect.Bool:
		return "a boolean", "true or false"
	case reflect.Slice:
		_, element := describe(of.Elem())
		return "an array", "[" + element + "]"
	case reflect.Map:
		_, element := describe(of.Elem())
		return "an object", `{"…": ` + element + "}"
	case reflect.Int, reflect.Int64:
		if of == reflect.TypeFor[time.Duration]() {
			return "a duration", `a text such as "12h" or "30m"`
		}
		return "a whole number", "digits, such as 3"
	default:
		return "an object", "{…}"
	}
}
