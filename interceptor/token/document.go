package token

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/document"
	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// ParseIssuer returns the issuer that a JSON document (RFC 8259) describes. The document has a member for each field
// of [Issuer], named as the field with its first word in small letters: "url", "keySetURL", "caFile". MaxLifetime is a
// text that [time.ParseDuration] takes, such as "12h". issuer.schema.json in the folder of this package is the schema.
//
// The member "preset" is a list: the name of a function of this package, such as "keycloak" for [Keycloak], and its
// arguments. Then the other members replace what the function sets. Of RequiredClaims and RequiredHeader they replace
// single entries, and add others. ClientTokens and UserTokens have no members beside a preset: another entry could turn
// clients into users.
//
// A member that is unknown, given twice, null, empty or of another type is a fault, except "$schema", which editors read. The
// error names every such fault or, without one, every fault of [NewVerifier], with their lines. ParseIssuer does no I/O.
// Read documents of your own alone: a document names files, and the hosts that get their texts.
func ParseIssuer(text []byte) (Issuer, error) {
	issuer, faults := readIssuer(text)
	for n, fault := range faults {
		faults[n] = fmt.Errorf("token: issuer document: %w", fault)
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
	for field, value := range reflect.ValueOf(i).Fields() {
		list := value.Kind() == reflect.Slice || value.Kind() == reflect.Map
		if !field.IsExported() || value.IsZero() || list && value.Len() == 0 {
			continue
		}
		content := value.Interface()
		if lifetime, ok := content.(time.Duration); ok {
			content = lifetime.String()
		}
		text, _ := json.Marshal(content) // texts, lists and booleans have no error
		members = append(members, fmt.Sprintf("%q:%s", document.MemberName(field.Name), text))
	}
	return []byte("{" + strings.Join(members, ",") + "}"), nil
}

// An issuerDocument has the members of a document.
type issuerDocument struct {
	Preset []string
	fields
}

// fields are the fields of an issuer without its methods.
type fields Issuer

func readIssuer(text []byte) (Issuer, []error) {
	var d issuerDocument
	lines, faults := document.Parse(text, &d)
	if len(faults) > 0 { // others would follow from these
		return Issuer{}, faults
	}
	if faults = d.notMembers(lines); len(faults) > 0 {
		return Issuer{}, faults
	}
	if lines.Has("preset") {
		preset, err := callPreset(d.Preset)
		if err != nil {
			return Issuer{}, []error{&document.Fault{Line: lines.Of("preset"), Path: "preset", Text: err.Error()}}
		}
		given := d.fields
		d.fields = fields(preset)
		document.Parse(text, &d)
		d.RequiredClaims = united(preset.RequiredClaims, given.RequiredClaims)
		d.RequiredHeader = united(preset.RequiredHeader, given.RequiredHeader)
	}
	issuer := Issuer(d.fields)
	_, err := NewVerifier(issuer)
	for _, fault := range document.SplitFaults(err) {
		faults = append(faults, issuer.place(fault, lines))
	}
	return issuer, faults
}

// notMembers returns the faults of members that must not be given. An empty member would take what a preset sets out of
// force, without a word: most are variables that nobody has set.
func (d *issuerDocument) notMembers(lines *document.Lines) (faults []error) {
	for field, value := range reflect.ValueOf(d.fields).Fields() {
		if !field.IsExported() {
			continue
		}
		member, text := document.MemberName(field.Name), ""
		switch {
		case !lines.Has(member) || value.Kind() == reflect.Bool:
		case value.IsZero(), value.Kind() == reflect.Slice && value.Len() == 0, value.Kind() == reflect.Map && value.Len() == 0:
			text = "is empty: write a value, or leave the member out; if a variable should supply the value, set the variable"
		case lines.Has("preset") && (member == "clientTokens" || member == "userTokens"):
			text = "stands beside a preset, which tells users from clients: leave the member out, or write an issuer without a preset (protoauthz issuer -format json prints one)"
		}
		if text != "" {
			faults = append(faults, &document.Fault{Line: lines.Of(member), Path: member, Text: text})
		}
	}
	return faults
}

// united returns the entries of a preset, and the given ones in their place.
func united(preset, given claims) claims {
	if given == nil {
		return preset
	}
	all := claims{}
	maps.Copy(all, preset)
	maps.Copy(all, given)
	return all
}

// goValues are values of package token, and what a document writes for them.
var goValues = strings.NewReplacer("token.AnyValue", strconv.Quote(AnyValue), "token.NoValue", strconv.Quote(NoValue))

// inDocument returns a text about an issuer in the words of a document.
func inDocument(text string) string {
	return goValues.Replace(document.InMembers(text, reflect.TypeFor[Issuer]()))
}

// place returns a fault of NewVerifier in the words of the document, with the line of the member that has it.
func (i *Issuer) place(fault error, lines *document.Lines) *document.Fault {
	text := strings.TrimPrefix(fault.Error(), "token: ")
	if len(i.faults) > 0 {
		_, text, _ = strings.Cut(text, ": ") // without the function
		return &document.Fault{Line: lines.Of("preset"), Path: "preset", Text: "is faulty: " + text}
	}
	_, about, _ := strings.Cut(text, fmt.Sprintf("issuer %q: ", endpoint.DisplayURL(i.URL)))
	field, rest, _ := strings.Cut(about, ": ")
	if _, ok := reflect.TypeFor[Issuer]().FieldByName(field); !ok {
		return &document.Fault{Line: lines.Of("preset"), Text: inDocument(text)}
	}
	member := document.MemberName(field)
	if !lines.Has(member) && lines.Has("preset") {
		return &document.Fault{Line: lines.Of("preset"), Path: "preset", Text: "is faulty: " + member + ": " + inDocument(rest)}
	}
	return &document.Fault{Line: lines.Of(member), Path: member, Text: "is faulty: " + inDocument(rest)}
}
