package jose

import (
	"errors"
	"math"
	"strings"
)

var (
	// ErrJSON means that a text is not a JSON object in UTF-8.
	ErrJSON      = errors.New("not a JSON object in UTF-8")
	errDuplicate = errors.New("an object has a member name twice")
	errSurrogate = errors.New("a string has half of a surrogate pair")
	errDepth     = errors.New("nested too deeply")
)

const (
	// maxDepth is the deepest nesting of objects and arrays. Real tokens and key sets have
	// three or four levels.
	maxDepth = 32
	// maxShallowDepth is the deepest nesting for ParseShallow, as in encoding/json.
	maxShallowDepth = 10_000
)

// A scanner reads a JSON text (RFC 8259) once, from front to back. The time for each byte is
// bounded, whatever the text is.
type scanner struct {
	text    string
	deep    bool   // check inner objects too
	objects uint32 // begun so far
	names   *nameTable
}

// A frame is an object or an array that has begun.
type frame struct {
	end    byte
	object uint32 // number of the object
	member int    // index in names of the last member
}

// run reads the text, which must be one object.
func (s *scanner) run() error {
	var few [maxDepth + 1]frame
	stack := few[:0]
	at := space(s.text, 0)
	if uint64(len(s.text)) > math.MaxUint32 || peek(s.text, at) != '{' {
		return ErrJSON
	}
	for {
		// A value begins here.
		if s.deep && len(stack) > maxDepth {
			return errDepth
		}
		begun := false
		var err error
		switch c := peek(s.text, at); c {
		case '{', '[':
			if len(stack) == maxShallowDepth {
				return errDepth
			}
			stack = append(stack, s.begin(c, stack))
			begun = true
			at++
		case '"':
			at, _, err = s.string(at)
		default:
			at, err = scalar(s.text, at)
		}
		if err != nil {
			return err
		}
		if !begun {
			s.end(stack, at)
		}
		// Then come ends of objects and arrays, and a comma unless an object or array has just begun.
		at = space(s.text, at)
		for peek(s.text, at) == stack[len(stack)-1].end {
			begun = false
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				if space(s.text, at+1) < len(s.text) {
					return ErrJSON
				}
				return nil
			}
			s.end(stack, at+1)
			at = space(s.text, at+1)
		}
		if !begun {
			if peek(s.text, at) != ',' {
				return ErrJSON
			}
			at = space(s.text, at+1)
		}
		if object := &stack[len(stack)-1]; object.end == '}' {
			if at, err = s.name(at, object); err != nil {
				return err
			}
		}
	}
}

// begin returns the frame of an object or array that begins with c.
func (s *scanner) begin(c byte, stack []frame) frame {
	if c == '[' {
		return frame{end: ']'}
	}
	s.objects++
	if member := s.member(stack); member != nil {
		member.inner = s.objects
	}
	return frame{end: '}', object: s.objects}
}

// end notes where the value of the last member ends.
func (s *scanner) end(stack []frame, at int) {
	if member := s.member(stack); member != nil {
		member.value.end = offset(at)
	}
}

// member returns the member whose value is being read, or nil if the value is an element of an array, the outermost
// object, or inside an object that is not checked.
func (s *scanner) member(stack []frame) *name {
	if len(stack) == 0 || stack[len(stack)-1].end == ']' || !s.deep && len(stack) > 1 {
		return nil
	}
	return &s.names.all[stack[len(stack)-1].member]
}

// name reads a member's name and the colon, and returns the place of the value.
func (s *scanner) name(start int, object *frame) (at int, err error) {
	if peek(s.text, start) != '"' {
		return 0, ErrJSON
	}
	end, escaped, err := s.string(start)
	if err != nil {
		return 0, err
	}
	if at = space(s.text, end); peek(s.text, at) != ':' {
		return 0, ErrJSON
	}
	at = space(s.text, at+1)
	if !s.deep && object.object != outermost {
		return at, nil
	}
	object.member = len(s.names.all)
	if !s.names.add(s.text, object.object, span{offset(start + 1), offset(end - 1)}, escaped, at) {
		return 0, errDuplicate
	}
	return at, nil
}

// peek returns a byte of a text, or 0 behind the end.
func peek(text string, at int) byte {
	if at < len(text) {
		return text[at]
	}
	return 0
}

// blank are the characters of white space.
var blank = [256]bool{' ': true, '\t': true, '\n': true, '\r': true}

// space returns the place behind any white space.
func space(text string, at int) int {
	for at < len(text) && blank[text[at]] {
		at++
	}
	return at
}

// scalar returns the place behind a number, true, false or null.
func scalar(text string, at int) (end int, err error) {
	integer := at
	switch peek(text, at) {
	case 't':
		return word(text, at, "true")
	case 'f':
		return word(text, at, "false")
	case 'n':
		return word(text, at, "null")
	case '-':
		integer++
	}
	if end = digits(text, integer); end == integer || text[integer] == '0' && end > integer+1 {
		return 0, ErrJSON
	}
	c := peek(text, end)
	if c == '.' {
		fraction := end + 1
		if end = digits(text, fraction); end == fraction {
			return 0, ErrJSON
		}
		c = peek(text, end)
	}
	if c == 'e' || c == 'E' {
		exponent := end + 1
		if c := peek(text, exponent); c == '+' || c == '-' {
			exponent++
		}
		if end = digits(text, exponent); end == exponent {
			return 0, ErrJSON
		}
	}
	return end, nil
}

func word(text string, at int, word string) (end int, err error) {
	if !strings.HasPrefix(text[at:], word) {
		return 0, ErrJSON
	}
	return at + len(word), nil
}

// digits returns the place behind any digits.
func digits(text string, at int) int {
	for at < len(text) && '0' <= text[at] && text[at] <= '9' {
		at++
	}
	return at
}
