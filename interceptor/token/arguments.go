package token

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// claims are the values of claims, by their names.
type claims = map[string][]string

// An argument is an argument of a preset, or the list of the last ones.
type argument struct {
	name    string
	form    *regexp.Regexp
	example string
	values  []string
}

func given(name string, form *regexp.Regexp, example string, values ...string) argument {
	return argument{name, form, example, values}
}

// The forms of arguments. The URL of an issuer may be empty here, since every issuer's is checked.
var (
	anyText     = regexp.MustCompile(`.`)
	guidForm    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	originForm  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://[^/]+$`)
	poolForm    = regexp.MustCompile(`^[a-z0-9-]+_[A-Za-z0-9]+$`)
	realmForm   = regexp.MustCompile(`^$|/realms/[^/]+$`)
	serverForm  = regexp.MustCompile(`^$|/oauth2/[^/]+$`)
	addressForm = regexp.MustCompile(`^[^@]+@[^@]+\.gserviceaccount\.com$`)
)

// check returns the issuer of a preset with a fault for each argument that cannot be meant. An empty list, an empty
// value and a value for any value would accept more than the caller of the preset thinks.
func (i Issuer) check(preset string, arguments ...argument) Issuer {
	for _, a := range arguments {
		if len(a.values) == 0 {
			i.faults = append(i.faults, fmt.Errorf("token: %s: no %s are given: give some, such as %q", preset, a.name, a.example))
		}
		for _, value := range a.values {
			if err := endpoint.CheckSetting(value); err != nil && !a.form.MatchString("") {
				i.faults = append(i.faults, fmt.Errorf("token: %s: %s: %q %w", preset, a.name, value, err))
			} else if !a.form.MatchString(value) || slices.Contains([]string{AnyValue, NoValue}, value) {
				i.faults = append(i.faults, fmt.Errorf("token: %s: %s: %q does not look like %q", preset, a.name, endpoint.DisplayURL(value), a.example))
			}
		}
	}
	return i
}
