package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// ParseIssuer returns the issuer that a JSON document (RFC 8259) describes. The document has a member for each field
// of [Issuer], named as the field with its first word in small letters: "url", "keySetURL", "caFile". MaxLifetime is a
// text that [time.ParseDuration] takes, such as "12h". issuer.schema.json in the folder of this package is the schema.
//
// A member that is unknown, given twice, null or of another type is a fault, except "$schema", which editors read. The
// error names every such fault or, without one, every fault of [NewVerifier]. ParseIssuer does no I/O. Read
// documents of your own alone: a document names files, and the hosts that get their texts.
func ParseIssuer(document []byte) (Issuer, error) {
	issuer, faults := readIssuer(document)
	for n, fault := range faults {
		faults[n] = fmt.Errorf("token: issuer document: %w", fault)
	}
	if len(faults) == 0 { // otherwise the faults of NewVerifier would follow from these
		if _, err := NewVerifier(issuer); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return Issuer{}, endpoint.JoinFaults(faults)
	}
	return issuer, nil
}

// UnmarshalJSON is [ParseIssuer], for an issuer inside a larger document.
func (i *Issuer) UnmarshalJSON(document []byte) (err error) {
	*i, err = ParseIssuer(document)
	return err
}

// MarshalJSON returns the document that [ParseIssuer] reads. Fields that are zero or empty are left out. The error
// names the faults of a preset's arguments.
func (i Issuer) MarshalJSON() ([]byte, error) {
	if len(i.faults) > 0 {
		return nil, endpoint.JoinFaults(i.faults)
	}
	var members []string
	for name, field := range i.fields() {
		value := field.Interface()
		if lifetime, ok := value.(time.Duration); ok {
			value = lifetime.String()
		}
		if list := field.Kind() == reflect.Slice || field.Kind() == reflect.Map; field.IsZero() || list && field.Len() == 0 {
			continue
		}
		text, _ := json.Marshal(value) // texts, lists and booleans have no error
		members = append(members, fmt.Sprintf("%q:%s", name, text))
	}
	return []byte("{" + strings.Join(members, ",") + "}"), nil
}

// fields returns the exported fields of an issuer by the names of their members, in the order of the struct.
func (i *Issuer) fields() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for field, value := range reflect.ValueOf(i).Elem().Fields() {
			if field.IsExported() && !yield(memberName(field.Name), value) {
				return
			}
		}
	}
}

// memberName returns the name of the member for a field: the first word is in small letters, as in url and caFile.
func memberName(field string) string {
	switch first := strings.IndexFunc(field, unicode.IsLower); first {
	case -1:
		return strings.ToLower(field)
	case 1:
		return strings.ToLower(field[:1]) + field[1:]
	default: // the last of several capitals begins the second word
		return strings.ToLower(field[:first-1]) + field[first-1:]
	}
}

// readIssuer reads the form of a document alone.
func readIssuer(document []byte) (issuer Issuer, faults []error) {
	document = endpoint.TrimMark(document)
	text := bytes.TrimSpace(document)
	if err := json.Unmarshal(document, new(json.RawMessage)); err != nil || !utf8.Valid(document) || text[0] != '{' {
		line, found := 1, ""
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line += bytes.Count(document[:syntax.Offset], []byte("\n"))
			found = ": " + syntax.Error()
		}
		return issuer, []error{fmt.Errorf(`line %d: %w%s: write {"url": "https://…", "algorithms": ["RS256"], …}`, line, jose.ErrJSON, found)}
	}
	var names []string
	fields := map[string]reflect.Value{}
	for name, field := range issuer.fields() {
		names, fields[name] = append(names, name), field
	}
	given := map[string]bool{}
	for name, value := range jose.Elements(string(text)) {
		field, known := fields[name]
		switch {
		case given[name]:
			faults = append(faults, fmt.Errorf("%s is given twice: remove one", name))
		case known:
			faults = append(faults, setField(name, field, value)...)
		case name == "$schema":
		default:
			faults = append(faults, unknownMember(name, names))
		}
		given[name] = true
	}
	if len(faults) == 0 { // what is left: half of a surrogate pair
		if _, err := jose.ParseObject(document); err != nil {
			faults = append(faults, err)
		}
	}
	return issuer, faults
}

func unknownMember(name string, names []string) error {
	for _, other := range names {
		if strings.EqualFold(name, other) {
			return fmt.Errorf("the member %q is unknown: did you mean %q?", name, other)
		}
	}
	return fmt.Errorf("the member %q is unknown: issuer.schema.json lists the members", name)
}

// setField sets a field to the value of a member, and returns the faults of the value.
func setField(name string, field reflect.Value, value string) []error {
	var ok bool
	var want string
	switch field := field.Addr().Interface().(type) {
	case *string:
		*field, ok = jose.Text(value)
		want = `a string: write "…"`
	case *bool:
		*field, ok = value == "true", value == "true" || value == "false"
		want = "a boolean: write true or false"
	case *time.Duration:
		text, _ := jose.Text(value)
		lifetime, err := time.ParseDuration(text)
		*field, ok = lifetime, err == nil
		want = `a duration: write a text such as "12h" or "30m"`
	case *[]string:
		*field, ok = texts(value)
		want = `an array of strings: write ["…"]`
	case *map[string][]string:
		if ok = strings.HasPrefix(value, "{"); ok {
			var faults []error
			*field, faults = readLists(name, value)
			return faults
		}
		want = `an object of arrays of strings: write {"claim": ["value"]}`
	}
	if !ok {
		return []error{fmt.Errorf("%s is not %s", name, want)}
	}
	return nil
}

// readLists reads the lists of values of claims.
func readLists(name, value string) (lists map[string][]string, faults []error) {
	lists = map[string][]string{}
	for claim, value := range jose.Elements(value) {
		list, ok := texts(value)
		if !ok {
			faults = append(faults, fmt.Errorf(`%s: %q is not an array of strings: write ["…"], with each value in quotes, also numbers, true and false`, name, claim))
		}
		if _, twice := lists[claim]; twice {
			faults = append(faults, fmt.Errorf("%s: %q is given twice: write one list", name, claim))
		}
		lists[claim] = list
	}
	return lists, faults
}

// texts returns the strings of an array.
func texts(value string) ([]string, bool) {
	list, array, ok := jose.Texts(value)
	return list, array && ok
}
