package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
)

// A sample has fields that encoding/json reads by the same names.
type sample struct {
	URL    string                 `json:"url"`
	On     bool                   `json:"on"`
	Count  int                    `json:"count"`
	Lists  map[string][]string    `json:"lists"`
	Inner  []sampleInner          `json:"inner"`
	ByName map[string]sampleInner `json:"byName"`
	Claims map[string]any         `json:"claims"`
	Raw    map[string]any         `json:"raw"`
	Own    *sampleInner           `json:"own"`
}

type sampleInner struct {
	ID string `json:"id"`
}

// FuzzParse makes sure that a document without faults says what encoding/json reads, and that faults have lines
// of the document.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "{}", "\ufeff{\"$schema\": 1}", `{"url": "\ud83d\ude00\\", "on": true, "count": -3, "lists": {"a": ["b"], "": []}}`,
		"{\"inner\": [{\"id\": \"a\"},\n{}], \"byName\": {\"x\": {\"id\": \"y\"}},\n\"claims\": {\"n\": 1E400, \"deep\": [null, {\"a\": 0.5}]}, \"raw\": {\"a\": [ 1 ]}, \"own\": {\"id\": \"\"}}",
		"{\"url\": 1,\n\"on\": null, \"lists\": {\"a\": 1, \"a\": 2},\n\"Count\": [1, {\"id\": {\"id\": 1}}]}", `{"url": "\ud800"}`, "{\"url\": \"\xff\"}", `{"claims": {"a": {"b": 1, "b": 2}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got sample
		_, faults := document.Parse(text, &got)
		lines := 1 + bytes.Count(text, []byte("\n"))
		for _, err := range faults {
			if fault, ok := errors.AsType[*document.Fault](err); !ok || fault.Line < 1 || fault.Line > lines || fault.Text == "" {
				t.Errorf("%q: the fault is %#v, of %d lines", text, err, lines)
			}
		}
		if len(faults) > 0 {
			return
		}
		var want struct {
			sample
			Schema any `json:"$schema"`
		}
		decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
		decoder.UseNumber()
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil || !reflect.DeepEqual(got, want.sample) {
			t.Errorf("%q is %+v, want %+v, %v", text, got, want.sample, err)
		}
	})
}
