package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// scene is where all tokens are minted.
var scene = tokens.Scene{Now: 946684800, Leeway: 30, Attacker: "https://evil.test"}

// parse compares ParseObject with ParseMembers for all members and an absent one.
func parse(data []byte) (map[string]json.RawMessage, error) {
	o, err := jose.ParseObject(data)
	names := []string{"not there"}
	for _, m := range o.Members {
		names = append(names, m.Name)
	}
	asked, again := jose.ParseMembers(string(data), names)
	if !errors.Is(again, err) || err == nil && again != nil {
		return nil, fmt.Errorf("%w, and then %w", err, again)
	}
	all, err := members(o, err)
	if err != nil {
		return nil, err
	}
	for name, value := range all {
		for _, o := range []jose.Object{o, asked} {
			if found, ok := o.Get(name); !ok || found != string(value) {
				return nil, errors.New("a member is not found")
			}
		}
	}
	if _, there := all["not there"]; there != asked.Has("not there") {
		return nil, errors.New("a member is found")
	}
	return all, nil
}

func members(o jose.Object, err error) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	for _, m := range o.Members {
		members[m.Name] = json.RawMessage(m.Value)
	}
	return members, err
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func FuzzParseObject(f *testing.F) {
	seeds := []string{
		"{}", " {\t}\r\n", `{"a":1}`, `{"a":{"b":[1,{"c":null}]},"d":"\"}"}`, `{"a\\":"\\","b":[[],{}]}`, `{"\u0061":1,"b":-1.5e+9}`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `{"a":{"b":1,"b":2}}`, `{"a":[{"b":1,"b":2}]}`, `{"a":1,}`, `{"a":1}{}`, `{"a" 1}`, `{"a":1 "b":2}`,
		"{\"\xff\":1}", `{"\ud800":1}`, `{"a":"\udfff"}`, `{"a":"\ud83d\ude00"}`, `{"a":["\ud83d\u0041"]}`, `{"a":"\\ud800"}`, `[]`, `null`, `"{}"`, `{`, ``, `{"":{"":{"":0}}}`, `{"a":[1,,2]}`, `{"a":1,"b":01}`, scene.Payload(tokens.I1.URL), tokens.I1.ES384.Header(),
		`{"a":` + strings.Repeat("[", 31) + "0" + strings.Repeat("]", 31) + "}", `{"a":` + strings.Repeat("[", 32) + "0" + strings.Repeat("]", 32) + "}",
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", `{"a":` + strings.Repeat("[", 33) + strings.Repeat("]", 33) + "}",
	}
	tokens.CheckSeeds(f, seeds, func(seed string) bool { _, ok := tokens.ReadObject([]byte(seed)); return ok })
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 16<<10 {
			return // encoding/json has a limit of its own for the depth
		}
		if tokens.Replaced.Match(data) {
			return
		}
		want, ok := tokens.ReadObject(data)
		got, err := parse(data)
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

// FuzzParseShallow compares ParseShallow with encoding/json, which accepts duplicate names.
func FuzzParseShallow(f *testing.F) {
	seeds := []string{
		`{"keys":[{"a":1,"a":1}]}`, `{"a":1,"keys":[{"b":22,"c":{"d":333}}],"e":2}`, `{"a":1,"\u0061":1}`, `{"a":{"a":{"a":1}}}`, `{"\ud800":1,"\udfff":2}`, `{"\ud83d\u0041":1,"\ud83d":2}`, `{"\ud800":1}`, `{"a":"\ud83d\u0041"}`, "{\"\ufffd\":1,\"\\udc00\":1}", `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		`{"a":1}x`, "[]", "{\"a\":\"\xff\"}", "\ufeff{}", `{"a":01}`, `{"a":"\x"}`, "{\"a\":\"\x1f\"}", `{"a":tru}`, `{,}`, `{"a"}`, "{",
	}
	read := func(data []byte) (map[string]json.RawMessage, bool) {
		decoder := json.NewDecoder(bytes.NewReader(data))
		if first, err := decoder.Token(); err != nil || first != json.Delim('{') || !utf8.Valid(data) || !json.Valid(data) {
			return nil, false
		}
		members := map[string]json.RawMessage{}
		for decoder.More() {
			name, err := decoder.Token()
			var value json.RawMessage
			if err != nil || decoder.Decode(&value) != nil {
				return nil, false
			}
			text, _ := name.(string)
			if _, twice := members[text]; twice {
				return nil, false
			}
			members[text] = value
		}
		return members, true
	}
	tokens.CheckSeeds(f, seeds, func(seed string) bool { _, ok := read([]byte(seed)); return ok })
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, ok := read(data)
		got, err := members(jose.ParseShallow(data))
		if (err == nil) != ok || len(got) != len(want) {
			t.Fatalf("%q: %d members, %v, want %d, %t", data, len(got), err, len(want), ok)
		}
		for name, value := range want {
			if compact(t, got[name]) != compact(t, value) {
				t.Errorf("%q is %s, want %s", name, got[name], value)
			}
		}
	})
}

// TestParseObject has texts that FuzzParseObject leaves out, and known edges.
func TestParseObject(t *testing.T) {
	t.Parallel()
	nested := func(depth int, within string) string {
		return `{"a":` + strings.Repeat("[", depth) + within + strings.Repeat("]", depth) + "}"
	}
	for text, ok := range map[string]bool{
		"{\"\ufffd\":1}": true, `{"\ufffd":1}`: true, "{\"\ufffd\":1,\"\\ufffd\":1}": false, "{\"a\":\"\ufffd\\ufffd\"}": true, "{\"\ufffd\":1,\"\ufffd\ufffd\":1}": true,
		"{\"\xef\xbf\":1}": false, "{\"\xc0\x80\":1}": false, "{\"\xf4\x90\x80\x80\":1}": false, "{\"\U0010ffff\":1}": true, "\ufeff{}": false, "{}\x00": false, "\x00{}": false, "{\"a\x00\":1}": false, "{\"a\x7f\":1}": true,
		`{"\u0000":1,"":1}`: true, `{"\u0000":1,"\u0000\u0000":1}`: true, `{"a\u0000":1,"a":1}`: true, `{"\u0061":1,"a":1}`: false, `{"\u006A":1,"\u006a":1}`: false, `{"\/":1,"/":1}`: false, `{"":1,"":1}`: false, `{"\"":1,"\u0022":1}`: false,
		`{"\ud83d\ude00":1,"😀":1}`: false, `{"\ud83d\ude00":1,"\uD83D\uDE00":1}`: false, `{"\ude00\ud83d":1}`: false, `{"\ud83d":1}`: false, `{"\ud83dx":1}`: false, `{"\ud83d\n":1}`: false, `{"\ud83d\ud83d\ude00":1}`: false,
		`{"1234567":1,"12345678":1,"123456789":1}`: true, `{"1234567":1,"\u0031234567":1}`: false, `{"12345678":1,"\u00312345678":1}`: false, `{"12345\u00367":1,"1234567":1}`: false, `{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":1}]}`: true, `{"x":[{"y":1,"z":{"y":1},"y":1}]}`: false,
		`{"a":-}`: false, `{"a":-0}`: true, `{"a":-01}`: false, `{"a":00}`: false, `{"a":1.}`: false, `{"a":.1}`: false, `{"a":1e}`: false, `{"a":1e+}`: false, `{"a":1E-0}`: true, `{"a":0e0}`: true, `{"a":+1}`: false, `{"a":0x1}`: false, `{"a":1_0}`: false, `{"a":Infinity}`: false,
		`{"a":nulx}`: false, `{"a":trux}`: false, `{"a":1`: false, `{"a":"x`: false, `{a":1}`: false, `{"a":1,b":2}`: false, "{\"a\x80\":1}": false,
		`{"\/2345678":1,"/2345678":1}`: false, `{"\/23456789":1,"/23456789":1}`: false, `{"\/23456":1,"/23456":1}`: false, `{"\/234567":1,"/234567":1}`: false,
		`{"a":"\x0041"}`: false, `{"\ud83dxude00":1}`: false, `{"\uABCD":1,"\uEFef":2}`: true, `{"\uABCD":1,"\uabcd":2}`: false,
		`{"a":truee}`: false, `{"a":nul}`: false, `{"a":True}`: false, `{"a":"\u12g4"}`: false, `{"a":"\u123`: false, `{"a":"\u\u0030"}`: false, `{"a":"\x41"}`: false, `{"a":"\`: false, `{"a":1,}`: false, `{"a":[1,]}`: false, `{"a":[,1]}`: false, `{"a":1]`: false, `{"a":[1}}`: false, `{"a":{]}`: false, `{"a" :1}`: true, `{a:1}`: false, `{"a":1 2}`: false, `{1:1}`: false, "{\"a\"\v:1}": false, `{"a":}`: false, `{"a",1}`: false, `{"a":1;"b":2}`: false, `{"a":[1;2]}`: false,
		`{"x":[` + strings.Repeat(`{"x":1,"y":1,"z":1},`, 2000) + `0]}`: true, `{"x":[` + strings.Repeat(`{"x":1},`, 2000) + `{"x":1,"x":1}]}`: false,
		nested(31, "0"): true, nested(32, ""): true, nested(32, " "): true, nested(32, "0"): false, nested(33, ""): false, nested(31, "{}"): true, nested(31, `{"a":1}`): false,
	} {
		if _, err := parse([]byte(text)); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if _, sound := tokens.ReadObject([]byte(text)); sound != ok && !strings.Contains(text, "fffd") && !strings.Contains(text, "\ufffd") {
			t.Errorf("%q: the oracle returns %t", text, sound)
		}
	}
	for depth, ok := range map[int]bool{9_998: true, 9_999: true, 10_000: false} { // as encoding/json
		if _, err := jose.ParseShallow([]byte(nested(depth, ""))); (err == nil) != ok || json.Valid([]byte(nested(depth, ""))) != ok {
			t.Errorf("shallow, depth %d: %v", depth, err)
		}
	}
}

func TestParseObjectErrors(t *testing.T) {
	t.Parallel()
	const twice, half, deep = "an object has a member name twice", "a string has half of a surrogate pair", "nested too deeply"
	for text, want := range map[string]string{
		`{"a":1,"a":1}`: twice, `{"a":{"b":1,"b":1}}`: twice, `{"a":"\ud800"}`: half, `{"\ud800":1}`: half, `{"a":["\udfff"]}`: half,
		`{"a":` + strings.Repeat("[", 33): deep, `{"a":1`: jose.ErrJSON.Error(), `{"a":"\x"}`: jose.ErrJSON.Error(),
	} {
		if _, err := jose.ParseObject([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestManyNames reads objects with different numbers of names one after another. The tables are
// used again, and must not mix objects.
func TestManyNames(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for _, count := range []int{1, 5000, 0, 3, 2000, 17, 1} {
				var names []string
				for n := range count {
					names = append(names, fmt.Sprintf(`"%s%d":%d`, strings.Repeat("x", n%20), n, n))
				}
				members, err := parse([]byte("{" + strings.Join(names, ",") + "}"))
				if err != nil || len(members) != count {
					t.Errorf("%d members, %v, want %d", len(members), err, count)
				}
				if count > 0 {
					if _, err := parse([]byte("{" + strings.Join(append(names, names[len(names)/2]), ",") + "}")); err == nil {
						t.Errorf("one of %d names is accepted twice", count)
					}
				}
			}
		})
	}
	wait.Wait()
}

// TestTablesAreKept makes sure that the tables of names are used again, and that a table that is larger than
// any token needs is not kept.
func TestTablesAreKept(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun must be alone
	for count, kept := range map[int]bool{1: true, 4095: true, 4096: false} {
		text := strings.Builder{}
		for n := range count {
			fmt.Fprintf(&text, `,"%d":0`, n)
		}
		object := "{" + text.String()[1:] + "}"
		allocations := math.Inf(1)
		for range 50 { // the race detector makes a pool forget a quarter of its tables
			allocations = min(allocations, testing.AllocsPerRun(1, func() {
				if _, err := jose.ParseMembers(object, []string{"0"}); err != nil {
					t.Error(err)
				}
			}))
		}
		if (allocations == 1) != kept { // the members that are asked for
			t.Errorf("%v allocations for an object with %d names", allocations, count)
		}
	}
}

// TestMemberNobodyAskedFor makes sure that a member that ParseMembers was not asked for does not
// seem to be absent.
func TestMemberNobodyAskedFor(t *testing.T) {
	t.Parallel()
	o, err := jose.ParseMembers(`{"sub":"a","cnf":{}}`, []string{"sub", "exp"})
	if err != nil || !o.Has("sub") || o.Has("exp") {
		t.Fatalf("%+v, %v", o, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a member that nobody asked for seems to be absent")
		}
	}()
	o.Has("cnf")
}

// TestTextsOfAMember has members that are and are not strings or arrays of strings.
func TestTextsOfAMember(t *testing.T) {
	t.Parallel()
	o, err := jose.ParseObject([]byte(`{"one":"a","all":["a","b"],"none":[],"number":1,"mixed":["a",1],"null":null,"object":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"one": "[a] false true <nil>", "all": "[a b] true true <nil>", "none": "[] true true <nil>", "absent": "[] false false <nil>"} {
		texts, array, ok, err := o.Texts(name)
		if got := fmt.Sprint(texts, array, ok, err); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"number", "mixed", "null", "object"} {
		var fault jose.ValueError
		if texts, _, ok, err := o.Texts(name); !errors.As(err, &fault) || texts != nil || !ok {
			t.Errorf("%s: %q, %t, %v", name, texts, ok, err)
		}
	}
}
