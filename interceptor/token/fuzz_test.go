package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// checkSeeds fails unless there are inputs of both kinds: without them a target
// would hold, and show, nothing.
func checkSeeds[T any](f *testing.F, seeds []T, accepts func(T) bool) {
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

// replaced finds what encoding/json's replacement of broken text cannot be told
// from: the oracles know no answer for such inputs.
var replaced = regexp.MustCompile(`(?i)\\ufffd|\x{fffd}`)

// readObject reads a JSON object whose names are unique on all levels, by
// encoding/json's own walk through the tokens.
func readObject(data []byte) (members map[string]json.RawMessage, ok bool) {
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

// isSound reports whether a value is not too deep, its names are unique and
// encoding/json replaced nothing in its strings.
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

func FuzzParseObject(f *testing.F) {
	seeds := []string{
		"{}", " {\t}\r\n", `{"a":1}`, `{"a":{"b":[1,{"c":null}]},"d":"\"}"}`, `{"a\\":"\\","b":[[],{}]}`, `{"\u0061":1,"b":-1.5e+9}`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"b":2}]}`, `{"a":1,}`, `{"a":1}{}`, `{"a" 1}`, `{"a":1 "b":2}`,
		"{\"\xff\":1}", `{"\ud800":1}`, `{"a":"\udfff"}`, `{"a":"\ud83d\ude00"}`, `{"a":["\ud83d\u0041"]}`, `{"a":"\\ud800"}`, `[]`, `null`, `"{}"`, `{`, ``, `{"":{"":{"":0}}}`, `{"a":[1,,2]}`, `{"a":1,"b":01}`, payload(), es384.Header(),
		`{"a":` + strings.Repeat("[", 31) + "0" + strings.Repeat("]", 31) + "}", `{"a":` + strings.Repeat("[", 32) + "0" + strings.Repeat("]", 32) + "}",
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", `{"a":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + "}",
	}
	checkSeeds(f, seeds, func(seed string) bool { _, ok := readObject([]byte(seed)); return ok })
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > token.MaxBytes {
			return // encoding/json has a limit of its own for the depth
		}
		if replaced.Match(data) {
			return
		}
		want, ok := readObject(data)
		got, err := token.ParseObject(data)
		if (err == nil) != ok || len(got) != len(want) {
			t.Fatalf("%d members, %v, want %d, %v", len(got), err, len(want), ok)
		}
		for name, value := range want {
			if other, ok := got[name]; !ok || compact(t, other) != compact(t, value) {
				t.Errorf("%q is %s, want %s", name, other, value)
			}
		}
	})
}

func FuzzBearer(f *testing.F) {
	grammar := regexp.MustCompile(`\A(?:[Bb][Ee][Aa][Rr][Ee][Rr])( +)([A-Za-z0-9\-._~+/]+=*)\z`)
	scheme := regexp.MustCompile(`\A[Bb][Ee][Aa][Rr][Ee][Rr](?: |\z)`)
	const longest = len("Bearer ") + token.MaxBytes
	seeds := []string{
		"Bearer a.b.c", "bearer  a==", "BEARER a", "Bearer", "Bearer ", "", " ", "Basic a", "Bearer a b", "Bearer a=b", "Bearer\ta", "Bearer \ta", "Bearer a\n", "Bearer é", " Bearer a",
		"Bearer =", "Bearer a,b", "Bearer, a", "Bearera", "B\u212aarer a", "Bearer " + strings.Repeat("a", token.MaxBytes), "Bearer " + strings.Repeat("a", token.MaxBytes+1),
	}
	checkSeeds(f, seeds, grammar.MatchString)
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		raw, err := token.Bearer([]string{value})
		match := grammar.FindStringSubmatch(value)
		var want error
		switch {
		case value == "" || len(value) > longest:
			want = token.ErrMalformed
		case !scheme.MatchString(value):
			want = token.ErrScheme
		case match == nil:
			want = token.ErrMalformed
		}
		if checkError(t, err, want); err != nil {
			if raw != "" {
				t.Errorf("%q beside the error %v", raw, err)
			}
		} else if again := value[:len("Bearer")] + match[1] + raw; again != value {
			t.Errorf("%q became %q", value, again)
		}
		// Two values are refused, whatever they are: proxies differ in which they take.
		if raw, err := token.Bearer([]string{value, value}); raw != "" || !errors.Is(err, token.ErrMalformed) {
			t.Errorf("%q given twice became %q, %v", value, raw, err)
		}
	})
}
