package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
)

type inner struct {
	ID     string
	Scopes map[string][]string
}

// Embedded has a member of the struct around it.
type Embedded struct{ CAFile string }

type config struct {
	Embedded
	URL         string
	On          bool
	Count       int
	MaxLifetime time.Duration
	Names       []string
	Clients     []inner
	ByName      map[string]inner
	Claims      map[string]any
	Raw         any
	Pointer     *inner
	Own         own
	hidden      string //nolint:unused // a document must not reach it
}

// own reads itself.
type own struct{ Text string }

func (o *own) UnmarshalJSON(text []byte) error {
	type plain own
	if _, faults := document.Parse(text, (*plain)(o)); len(faults) > 0 {
		return errors.Join(faults...)
	}
	switch o.Text {
	case "bad":
		return errors.New("bad is bad")
	case "worse":
		return fmt.Errorf("own: %w", &document.Fault{Line: 2, Text: "it is worse"})
	}
	return nil
}

const whole = "\ufeff" + `{
  "$schema": "x",
  "caFile": "ca", "url": "\u0075\ud83d\ude00", "on": true, "count": 3,
  "maxLifetime": "12h",
  "names": ["a",
    "b"],
  "clients": [
    {"id": "one"},
    {
      "scopes": {"https://api.test": ["read"],
        "a.b[": []}}],
  "byName": {"x": {"id": "y"}},
  "claims": {"n": 1E2, "deep": [{"a": null}]},
  "raw": [1,
    {}],
  "pointer": {"id": "p"},
  "own": {"text": "t"}
}`

func TestParse(t *testing.T) {
	t.Parallel()
	got := config{Count: 1, Names: []string{"old", "older", "oldest"}}
	lines, faults := document.Parse([]byte(whole), &got)
	want := config{
		Embedded: Embedded{CAFile: "ca"}, URL: "u😀", On: true, Count: 3, MaxLifetime: 12 * time.Hour, Names: []string{"a", "b"},
		Clients: []inner{{ID: "one"}, {Scopes: map[string][]string{"https://api.test": {"read"}, "a.b[": {}}}}, ByName: map[string]inner{"x": {ID: "y"}},
		Claims: map[string]any{"n": json.Number("1E2"), "deep": []any{map[string]any{"a": nil}}}, Raw: []any{json.Number("1"), map[string]any{}}, Pointer: &inner{ID: "p"}, Own: own{"t"},
	}
	if len(faults) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, %v\nwant %+v", got, faults, want)
	}
	for path, want := range map[string]int{
		"": 1, "url": 3, "maxLifetime": 4, "names": 5, "names[0]": 5, "names[1]": 6, "names[2]": 5, "clients": 7, "clients[0]": 8, "clients[0].id": 8, "clients[0].scopes": 8, "clients[1]": 9,
		`clients[1].scopes["https://api.test"]`: 10, `clients[1].scopes["https://api.test"][0]`: 10, `clients[1].scopes["a.b["]`: 11, `clients[1].scopes["a.b"]`: 10,
		`byName["x"].id`: 12, `claims["deep"][0]["a"]`: 13, "raw[1]": 15, "own.text": 17, "nothing": 1, "nothing.at[0].all": 1,
	} {
		if got := lines.Of(path); got != want {
			t.Errorf("%s is in line %d, want %d", path, got, want)
		}
	}
	before := config{URL: "u", Names: []string{"n"}, Claims: map[string]any{"a": true}}
	kept := before
	if _, faults := document.Parse([]byte("{}"), &kept); len(faults) > 0 || !reflect.DeepEqual(kept, before) {
		t.Errorf("without members it is %+v, %v", kept, faults)
	}
}

func TestParseFaults(t *testing.T) {
	t.Parallel()
	const write = ": write one JSON object, with names and texts in double quotes, without comments, and without a comma behind a last member"
	for text, want := range map[string][]string{
		"":                         {"line 1: not a JSON object: column 1, unexpected end of JSON input" + write},
		" \n":                      {"line 1: not a JSON object: column 2, unexpected end of JSON input" + write},
		"\nnull":                   {"line 2: not a JSON object" + write},
		"[{}]":                     {"line 1: not a JSON object" + write},
		"{}\n {}":                  {"line 2: not a JSON object: column 2, after top-level value" + write},
		"{\n\"url\": \"u\",\n }\n": {"line 3: not a JSON object: column 2, looking for beginning of object key string" + write},
		"{\n\"url\": secret}":      {"line 2: not a JSON object: column 8, looking for beginning of value" + write},
		"\ufeff\ufeff{}":           {"line 1: not a JSON object: column 1, looking for beginning of value" + write},
		"{\n\"url\": \"�\xff\"":    {"line 2: not UTF-8: save the document in UTF-8"},
		"{\n\"url\": \"\\\\ud800 \\ud83d\\ude00 \n":                               {"line 2: not a JSON object: column 30, in string literal" + write},
		"{\n\"url\": \"\\ud83d\\ude00\\\\ud800\",\n\"names\": [\"\\\\\\uDe00\"]}": {`line 3: a string has half of a surrogate pair: write the character itself, or both halves, as "\ud83d\ude00"`},
		"{\n\"URL\": 1,\n\"urll\": 2}": {
			`line 2: URL is unknown: did you mean "url"?`,
			`line 3: urll is unknown: did you mean "url"?`,
		},
		`{"hidden": "x", "embedded": {}}`: {
			"line 1: hidden is unknown: the members are caFile, url, on, count, maxLifetime, names, clients, byName, claims, raw, pointer, own",
			"line 1: embedded is unknown: correct or remove it",
		},
		`{"client": 1, "maxLivetme": 2, "name": 3, "o": 4, "us": 5, "pinter": {}, "clients": [{"it": 1}, {"scope": {}, "x": {}}]}`: {
			`line 1: client is unknown: did you mean "clients"?`, `line 1: maxLivetme is unknown: did you mean "maxLifetime"?`, `line 1: name is unknown: did you mean "names"?`,
			"line 1: o is unknown: the members are caFile, url, on, count, maxLifetime, names, clients, byName, claims, raw, pointer, own", "line 1: us is unknown: correct or remove it",
			`line 1: pinter is unknown: did you mean "pointer"?`, "line 1: clients[0].it is unknown: the members are id, scopes", `line 1: clients[1].scope is unknown: did you mean "scopes"?`, "line 1: clients[1].x is unknown: the members are id, scopes",
		},
		"{\"url\": \"a\",\n\"\\u0075rl\": 1}": {"line 2: url is given twice: remove one"},
		`{"caFile": 1, "url": ["s3cret"], "on": "true", "count": 1.5, "maxLifetime": 3600, "names": "a", "clients": {}, "byName": [], "claims": "s3cret", "pointer": false}`: {
			`line 1: caFile is not a string: write the value in quotes`, `line 1: url is not a string: write "…"`, "line 1: on is not a boolean: write true or false", "line 1: count is not a whole number: write digits, such as 3",
			`line 1: maxLifetime is not a duration: write a text such as "12h" or "30m"`, `line 1: names is not an array: write ["…"]`, "line 1: clients is not an array: write [{…}]",
			`line 1: byName is not an object: write {"…": {…}}`, `line 1: claims is not an object: write {"…": …}`, "line 1: pointer is not an object: write {…}",
		},
		`{"count": "3", "maxLifetime": "a day"}`: {"line 1: count is not a whole number: write digits, such as 3", `line 1: maxLifetime is not a duration: write a text such as "12h" or "30m"`},
		`{"count": 9223372036854775808}`:         {"line 1: count is not a whole number: write digits, such as 3"},
		"{\"names\": null,\n\"url\": null, \"clients\": [null], \"pointer\": null}": {
			`line 1: names is null: write ["…"]`, `line 2: url is null: write "…"`, "line 2: clients[0] is null: write {…}", "line 2: pointer is null: write {…}",
		},
		"{\"names\": [\"a\",\n1],\n\"clients\": [{}, {\n\"secret\": 1, \"a b\": 2, \"scopes\": {\"https://api.test\": [\n0]}}]}": {
			`line 2: names[1] is not a string: write the value in quotes`, "line 4: clients[1].secret is unknown: the members are id, scopes",
			`line 4: clients[1]["a b"] is unknown: correct or remove it`, `line 5: clients[1].scopes["https://api.test"][0] is not a string: write the value in quotes`,
		},
		"{\"claims\": {\"a\": [{\"b\": 1,\n\"b\": 2}]},\n\"raw\": {\"$schema\": 1, \"$schema\": 2}, \"byName\": {\"x\": {}, \"x\": {}}}": {
			`line 2: claims["a"][0]["b"] is given twice: remove one`, `line 3: raw["$schema"] is given twice: remove one`, `line 3: byName["x"] is given twice: remove one`,
		},
		"{\n\"own\":\n{\"text\": 1,\n\"a b\": 2}}": {`line 3: own.text is not a string: write the value in quotes`, `line 4: own["a b"] is unknown: the members are text`},
		"{\n\"own\":\n[]}":                         {"line 2: own is not an object: write {…}"},
		"{\n\"own\":\n{\"text\": \"bad\"}}":        {"line 3: own is faulty: bad is bad"},
		"{\n\"own\":\n{\n\"text\": \"worse\"}}":    {"line 4: own is faulty: it is worse"},
	} {
		lines, faults := document.Parse([]byte(text), new(config))
		var got []string
		for _, fault := range faults {
			got = append(got, fault.Error())
		}
		if !slices.Equal(got, want) || lines.Of("") != 1 {
			t.Errorf("%s:\n%s\nwant\n%s", text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestParseDepth makes sure that the memory for a document does not grow with the square of its depth.
func TestParseDepth(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`{"a":[`, depth/2) + strings.Repeat("{", depth%2) + strings.Repeat("}", depth%2) + strings.Repeat("]}", depth/2)
	}
	const want = "[line 2: more than 64 objects and arrays stand in each other: write fewer]"
	for text, want := range map[string]string{
		`{"raw":` + nested(63) + "}":                                                   "[]",
		"{\n\"raw\":" + nested(64) + "}":                                               want,
		"{\n\"raw\":" + nested(64) + ",\n\"claims\":" + nested(64) + "}":               want,
		`{"raw":` + strings.Repeat("[", 63) + `"text"` + strings.Repeat("]", 63) + "}": "[]",
		"{\"url\": \"\ufffd\"}":                                                        "[]",
		"{\n\"claims\":" + nested(9000) + "}":                                          want,
		`{"clients": [` + strings.Repeat("{},", 99) + `{}]}`:                           "[]",
	} {
		if _, faults := document.Parse([]byte(text), new(config)); fmt.Sprint(faults) != want {
			t.Errorf("%.100s: %v, want %s", text, faults, want)
		}
	}
}

// TestFault makes sure that a fault of a file is a place that editors open.
func TestFault(t *testing.T) {
	t.Parallel()
	fault := document.Fault{File: "tenant.json", Line: 3, Path: "url", Text: "is null"}
	if got := fault.Error(); got != "tenant.json:3: url is null" {
		t.Error(got)
	}
}

// TestSplitFaults splits joined errors.
func TestSplitFaults(t *testing.T) {
	t.Parallel()
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	wrapped := fmt.Errorf("d: %w", errors.Join(a, b))
	for _, test := range []struct {
		err  error
		want []error
	}{
		{nil, nil},
		{a, []error{a}},
		{errors.Join(a, errors.Join(b, errors.Join(c))), []error{a, b, c}},
		{errors.Join(wrapped, c), []error{wrapped, c}}, // wrapped has one text
	} {
		if got := document.SplitFaults(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%v has the faults %v, want %v", test.err, got, test.want)
		}
	}
}
