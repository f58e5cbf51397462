package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// AnyValue and NoValue stand alone in a list of [Issuer.RequiredClaims], [Issuer.RequiredHeader],
// [Issuer.ClientTokens] or [Issuer.UserTokens].
const (
	// AnyValue stands for any number or boolean, any string but the empty one, and an array that has one of
	// these.
	AnyValue = "*"
	// NoValue means that the claim must be absent.
	NoValue = "!*"
)

// mayBeAbsent stands in a list beside values: the claim may be absent.
const mayBeAbsent = ""

// A requirement is a claim that must have one of some values, or must be absent.
type requirement struct {
	claimName
	slot     int      // see reader.slots
	values   []string // sorted, without "", AnyValue and NoValue
	any      bool
	optional bool
	absent   bool
}

// compileRequirement compiles an entry of RequiredClaims, RequiredHeader, ClientTokens or UserTokens. The text of
// the error continues a sentence that begins with the name of the claim.
func compileRequirement(field, name string, values []string) (r requirement, err error) {
	if r.claimName, err = compileName(name, everyPlaceholder); err != nil {
		return r, err
	}
	for _, value := range values {
		switch {
		case value == mayBeAbsent:
			r.optional = true
		case value == AnyValue:
			r.any = true
		case value == NoValue:
			r.absent = true
		default:
			if err := checkValue(field, value); err != nil {
				return r, err
			}
			r.values = append(r.values, value)
		}
	}
	slices.Sort(r.values)
	r.values = slices.Compact(r.values)
	return r, r.checkList(field, values)
}

// isKind reports whether a field tells users from clients.
func isKind(field string) bool { return field == "ClientTokens" || field == "UserTokens" }

// checkValue refuses a value that no claim has, or that a setting has filled badly.
func checkValue(field, value string) error {
	braces, kinds := strings.ReplaceAll(value, clientPlaceholder, ""), isKind(field)
	switch {
	case endpoint.IsBlank(value):
		return errors.New("lists a blank value: if a variable or a file should supply it, set the variable or fill the file")
	case value != strings.TrimSpace(value):
		return fmt.Errorf("lists %q, which has white space around it: remove the white space, also where a variable or a file supplies it", value)
	case kinds && strings.ContainsAny(braces, "{}"):
		return fmt.Errorf("lists %q, whose braces are not %s: write the value itself, or %[2]s for the client", value, clientPlaceholder)
	case strings.Count(value, clientPlaceholder) > 1:
		return fmt.Errorf("lists %q, which holds %s twice: write it once", value, clientPlaceholder)
	case braces != value && !kinds:
		return fmt.Errorf("lists %q, and %s has a meaning in ClientTokens and UserTokens only: list the values themselves", value, clientPlaceholder)
	}
	return nil
}

// checkList refuses lists that accept every token, or none, against what their author may think.
func (r *requirement) checkList(field string, values []string) error {
	alone := len(r.values) == 0 && !(r.any && r.absent)
	kinds := isKind(field)
	switch {
	case len(values) == 0:
		return errors.New("has an empty list: list the values to accept, or token.AnyValue alone for any value")
	case (r.any || r.absent) && !alone:
		return errors.New("lists token.AnyValue or token.NoValue beside other values: list the values to accept, or one of the two alone")
	case r.absent && r.optional:
		return errors.New(`lists "" beside token.NoValue, which means the same: leave out ""`)
	case r.any && r.optional && (field != "RequiredClaims" || !r.isOfOtherKinds()):
		return errors.New(`lists "" beside token.AnyValue, so every token is accepted: leave the claim out, or list the values to accept`)
	case r.optional && !r.any && len(r.values) == 0:
		return errors.New(`lists "" alone: list the values to accept, and "" beside them if the claim may be absent, or token.NoValue if it must be`)
	case r.optional && kinds && !r.usesClient():
		return errors.New(`lists "", so a token without the claim would count as one of this kind: leave out "", or list token.NoValue alone if the tokens of this kind do not have the claim`)
	}
	return nil
}

// isOfOtherKinds reports whether the claim refuses a token unless RequiredClaims names it.
func (r *requirement) isOfOtherKinds() bool {
	return len(r.path) == 1 && len(r.rest) == 0 && slices.Contains(otherKinds, r.path[0])
}

// usesClient reports whether a value holds {client}.
func (r requirement) usesClient() bool {
	return slices.ContainsFunc(r.values, func(value string) bool { return strings.Contains(value, clientPlaceholder) })
}

// met reports whether the value at the claim's path is accepted. The client stands for {client} in a value.
func (r *requirement) met(value, client string) (bool, error) {
	switch {
	case r.absent && value == jose.Blocked:
		return false, r.wrongType()
	case value == "" || r.absent:
		return value == "" && (r.optional || r.absent), nil
	case len(r.rest) == 0:
		return r.accepts(value, client)
	default:
		return r.metBelow(value, client)
	}
}

// metBelow reports whether a value that a pointer with placeholders leads to is accepted.
func (r *requirement) metBelow(value, client string) (met bool, err error) {
	err = r.walk(value, "", func(l leaf) error {
		if l.value == "" {
			return nil
		}
		accepted, err := r.accepts(l.value, client)
		met = met || accepted
		return err
	})
	return met, err
}

// accepts reports whether a value, or an element of an array, is one of the values.
func (r *requirement) accepts(value, client string) (accepted bool, err error) {
	if value[0] != '[' {
		text, ok := scalar(value)
		if !ok {
			return false, r.wrongType()
		}
		return r.lists(text, client), nil
	}
	for _, element := range jose.Elements(value) {
		text, ok := scalar(element)
		if !ok {
			return false, r.wrongType()
		}
		accepted = accepted || r.lists(text, client)
	}
	return accepted, nil
}

func (r *requirement) wrongType() error {
	return invalid("%s has a value that is not a string, a number or a boolean", r.text)
}

// lists reports whether a text is one of the values.
func (r *requirement) lists(text, client string) bool {
	if r.any {
		return text != ""
	}
	return slices.ContainsFunc(r.values, func(value string) bool {
		before, after, ok := strings.Cut(value, clientPlaceholder)
		if !ok {
			return text == value
		}
		rest, begins := strings.CutPrefix(text, before)
		return begins && strings.HasPrefix(rest, client) && rest[len(client):] == after
	})
}

// scalar returns a string, or the JSON text of a number or a boolean. It reports false for null, an object and an
// array.
func scalar(value string) (text string, ok bool) {
	switch value[0] {
	case '"':
		return jose.Text(value)
	case '{', '[', 'n', jose.Blocked[0]:
		return "", false
	default:
		return value, true
	}
}
