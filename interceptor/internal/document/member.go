package document

import (
	"reflect"
	"regexp"
	"strings"
)

// names matches what may name a field, and text in quotes.
var names = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\b(?:\w+\.)?[A-Z]\w*\b`)

// InMembers returns a text about a struct in which members stand for fields: keySetURL for KeySetURL, and url for
// Issuer.URL, given an Issuer. A field whose name may be a word of the text, such as URL, needs the name of the type. Text
// in quotes stays.
func InMembers(text string, of reflect.Type) string {
	return names.ReplaceAllStringFunc(text, func(word string) string {
		name, qualified := strings.CutPrefix(word, of.Name()+".")
		if _, ok := of.FieldByName(name); ok && (qualified || strings.ToUpper(name) != name) {
			return MemberName(name)
		}
		return word
	})
}
