package token

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A preset is a function that returns an Issuer, and the names of its arguments.
type preset struct {
	function  any
	arguments []string
}

// presets are the presets by their names in documents.
var presets = map[string]preset{
	"auth0":                 {Auth0, []string{"domain"}},
	"authAction":            {AuthAction, []string{"domain"}},
	"clerk":                 {Clerk, []string{"domain", "audience", "origins"}},
	"cognito":               {Cognito, []string{"poolID", "audience", "clientIDs"}},
	"dex":                   {Dex, []string{"url"}},
	"entra":                 {Entra, []string{"tenantID"}},
	"entraAnyTenant":        {EntraAnyTenant, nil},
	"entraTenants":          {EntraTenants, []string{"tenantIDs"}},
	"firebase":              {Firebase, []string{"projectID", "providers"}},
	"googleServiceAccounts": {GoogleServiceAccounts, []string{"addresses"}},
	"keycloak":              {Keycloak, []string{"url"}},
	"kubernetes":            {Kubernetes, []string{"url"}},
	"logto":                 {Logto, []string{"tenant"}},
	"okta":                  {Okta, []string{"url"}},
	"supabase":              {Supabase, []string{"projectURL"}},
	"workOS":                {WorkOS, []string{"clientID", "audience"}},
	"zitadel":               {Zitadel, []string{"url", "projectID"}},
}

// callPreset returns the issuer of a list that begins with the name of a preset. The error continues a sentence about
// the list.
func callPreset(list []string) (Issuer, error) {
	if len(list) == 0 {
		return Issuer{}, errors.New(`is empty: write the name of a preset and its arguments, such as ["keycloak", "https://sso.example.com/realms/acme"]`)
	}
	name, given := list[0], list[1:]
	preset, ok := presets[name]
	if !ok {
		return Issuer{}, fmt.Errorf("begins with %q, and the presets are %s: write one of these names, or an issuer without a preset", name, strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
	}
	function, need := reflect.ValueOf(preset.function), len(preset.arguments)
	form := strings.Join(append([]string{strconv.Quote(name)}, preset.arguments...), ", ")
	several := function.Type().IsVariadic()
	if several {
		need-- // the preset has the fault of an empty list
		form += ", …"
	}
	if len(given) < need || len(given) > need && !several {
		return Issuer{}, fmt.Errorf("does not have the arguments of %s: write [%s], with each argument in quotes", name, form)
	}
	var values []reflect.Value
	for _, argument := range given {
		values = append(values, reflect.ValueOf(argument))
	}
	issuer, _ := function.Call(values)[0].Interface().(Issuer) // a test holds the types
	return issuer, nil
}
