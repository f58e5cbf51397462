package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// CheckSeeds fails a fuzz target unless some seeds are accepted and others are not: with one kind alone, the target
// proves nothing.
func CheckSeeds[T any](f interface {
	Helper()
	Fatalf(format string, args ...any)
}, seeds []T, accepts func(T) bool) {
	f.Helper()
	accepted := 0
	for _, seed := range seeds {
		if accepts(seed) {
			accepted++
		}
	}
	if accepted == 0 || accepted == len(seeds) {
		f.Fatalf("%d of %d seeds are accepted", accepted, len(seeds))
	}
}

// Replaced matches the character by which encoding/json replaces broken text, as it stands and as an escape. The
// oracles have no answer for an input with it.
var Replaced = regexp.MustCompile(`(?i)\\ufffd|\x{fffd}`)

// ReadObject is an oracle: it reads a JSON object whose names are unique on all levels, by the token reader of
// encoding/json.
func ReadObject(data []byte) (members map[string]json.RawMessage, ok bool) {
	if !utf8.Valid(data) {
		return nil, false
	}
	return readMembers(data, 1)
}

// readMembers reads an object whose members are values of the given depth.
func readMembers(data []byte, depth int) (members map[string]json.RawMessage, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return nil, false
	}
	members = map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		text, isString := name.(string)
		if strings.ContainsRune(text, utf8.RuneError) {
			return nil, false
		}
		var value json.RawMessage
		if err != nil || !isString || decoder.Decode(&value) != nil {
			return nil, false
		}
		if _, twice := members[text]; twice || !isSound(value, depth) {
			return nil, false
		}
		members[text] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return members, true
}

// isSound reports whether a value is not too deep, has unique names, and has no strings in which encoding/json
// replaces a character.
func isSound(value json.RawMessage, depth int) bool {
	const deepest = 32
	if depth > deepest {
		return false
	}
	switch value[0] {
	case '"':
		var text string
		return json.Unmarshal(value, &text) == nil && !strings.ContainsRune(text, utf8.RuneError)
	case '{':
		_, ok := readMembers(value, depth+1)
		return ok
	case '[':
		var elements []json.RawMessage
		return json.Unmarshal(value, &elements) == nil &&
			!slices.ContainsFunc(elements, func(e json.RawMessage) bool { return !isSound(e, depth+1) })
	}
	return true
}
