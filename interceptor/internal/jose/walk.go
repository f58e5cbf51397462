package jose

import "errors"

// A Step leads from a value to a value inside it: to the member of a name, or, without a name, to every member of an
// object and every element of an array.
type Step struct {
	Name    string
	Members bool // without a name: of an object only
}

// ErrStep means that a step leads into a value that has no members, or no elements.
var ErrStep = errors.New("a value of another type")

// Walk calls visit for every value to which the steps, at least one, lead from a value of a text that a parser has
// passed. It goes through the text once. The names are those at steps without a name, and are empty for elements. The value is
// empty where the member that a name asks for is absent. Walk ends with the first error.
func Walk(value string, steps []Step, visit func(names []string, value string) error) error {
	w := walker{text: value, visit: visit}
	_, err := w.walk(0, steps)
	return err
}

type walker struct {
	text  string
	names []string
	visit func(names []string, value string) error
}

// walk returns the place behind the value at a place.
func (w *walker) walk(at int, steps []Step) (end int, err error) {
	if len(steps) == 0 {
		end = skip(w.text, at)
		return end, w.visit(w.names, w.text[at:end])
	}
	step, open := steps[0], w.text[at]
	if open != '{' && (open != '[' || step.Name != "" || step.Members) {
		return 0, ErrStep
	}
	found := false
	for at = space(w.text, at+1); w.text[at] != open+2; { // the closing bracket
		name := ""
		if open == '{' {
			end := skipString(w.text, at)
			name = w.text[at+1 : end-1]
			at = space(w.text, space(w.text, end)+len(":"))
		}
		switch {
		case step.Name == "":
			w.names = append(w.names, unescaped(name))
			at, err = w.walk(at, steps[1:])
			w.names = w.names[:len(w.names)-1]
		case !found && unescaped(name) == step.Name:
			found = true
			at, err = w.walk(at, steps[1:])
		default:
			at = skip(w.text, at)
		}
		if err != nil {
			return 0, err
		}
		if at = space(w.text, at); w.text[at] == ',' {
			at = space(w.text, at+1)
		}
	}
	if step.Name != "" && !found {
		err = w.visit(w.names, "")
	}
	return at + 1, err
}
