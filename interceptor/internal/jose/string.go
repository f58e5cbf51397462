package jose

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// plain are the ASCII characters that stand for themselves in a string.
var plain = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// string returns the place behind a string, and whether the string has escapes.
func (s *scanner) string(at int) (end int, escaped bool, err error) {
	text := s.text
	for n := at + 1; n < len(text); {
		c := text[n]
		switch {
		case plain[c]:
			n++
		case c == '"':
			return n + 1, escaped, nil
		case c == '\\':
			escaped = true
			if n+1 < len(text) && simple[text[n+1]] != 0 {
				n += 2
				continue
			}
			size, err := s.unit(text[n:])
			if err != nil {
				return 0, false, err
			}
			n += size
		default: // a rune of one byte is a control character or invalid UTF-8
			_, size := utf8.DecodeRuneInString(text[n:])
			if size == 1 {
				return 0, false, ErrJSON
			}
			n += size
		}
	}
	return 0, false, ErrJSON
}

// sizeOfUnit is the length of an escape such as `\u0000`.
const sizeOfUnit = 6

// unit returns the length of the \u escape, or of the surrogate pair of two, that a text begins with.
func (s *scanner) unit(text string) (size int, err error) {
	unit, ok := codeUnit(text)
	if !ok {
		return 0, ErrJSON
	}
	if !s.deep || !utf16.IsSurrogate(unit) {
		return sizeOfUnit, nil
	}
	if low, _ := codeUnit(text[sizeOfUnit:]); utf16.DecodeRune(unit, low) == utf8.RuneError {
		return 0, errSurrogate
	}
	return 2 * sizeOfUnit, nil
}

// simple are the escapes of one character, with their meaning.
var simple = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// codeUnit returns the UTF-16 code unit of the \u escape that a text begins with.
func codeUnit(text string) (unit rune, ok bool) {
	if len(text) < sizeOfUnit || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit = rune(hex[text[2]])<<12 | rune(hex[text[3]])<<8 | rune(hex[text[4]])<<4 | rune(hex[text[5]])
	return unit, unit >= 0
}

// hex are the values of hexadecimal digits, and -1 for other characters.
var hex = func() (hex [256]int8) {
	for c := range hex {
		hex[c] = -1
	}
	for value, digit := range []byte("0123456789abcdef") {
		hex[digit] = int8(value)
	}
	copy(hex['A':'G'], hex['a':'g'])
	return hex
}()

// unescaped returns the value of a string that a scanner has passed, given the text between the quotes.
func unescaped(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	return string(appendUnescaped(nil, text))
}

// appendUnescaped appends the value that unescaped returns.
func appendUnescaped(data []byte, text string) []byte {
	for n := 0; n < len(text); {
		c := text[n]
		if c != '\\' {
			data = append(data, c)
			n++
			continue
		}
		if c := simple[text[n+1]]; c != 0 {
			data = append(data, c)
			n += 2
			continue
		}
		unit, _ := codeUnit(text[n:])
		n += sizeOfUnit
		if low, _ := codeUnit(text[n:]); utf16.IsSurrogate(unit) {
			if unit = utf16.DecodeRune(unit, low); unit != utf8.RuneError {
				n += sizeOfUnit
			}
		}
		data = utf8.AppendRune(data, unit)
	}
	return data
}
