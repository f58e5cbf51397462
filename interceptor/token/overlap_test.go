package token_test

import (
	"fmt"
	"testing"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestIssuersOverlap has issuers of which two can match one `iss`, and the neighbours that cannot.
func TestIssuersOverlap(t *testing.T) {
	t.Parallel()
	named := func(url string, tenants ...string) token.Issuer {
		return multi(func(i *token.Issuer) {
			if i.URL = url; len(tenants) > 0 {
				i.RequiredClaims, i.OrganizationClaim = lists{"tid": tenants}, "tid"
			}
		})
	}
	const (
		literal  = "https://idp.test/a/v2"
		template = "https://idp.test/{tid}/v2"
		other    = "https://idp.test/x/{tid}"
	)
	twice := func(url string) string {
		return fmt.Sprintf("token: issuer %q is given twice: give each iss to one Issuer; if two servers write the same iss, set another at one of them", url)
	}
	both := func(a, b string) string {
		return fmt.Sprintf("token: issuers %q and %q can be the iss of one token: leave one of them out, or list different tenants in their RequiredClaims", a, b)
	}
	tests := []struct {
		name  string
		a, b  token.Issuer
		fault string // for a and then b
	}{
		{"equal URLs", named(literal), named(literal), twice(literal)},
		{"equal names that are no URL", named("acme.com"), named("acme.com"), twice("acme.com")},
		{"a slash at the end", named(literal), named(literal + "/"), ""},
		{"another case", named("acme.com"), named("Acme.com"), ""},
		{"equal templates", named(template, "*"), named(template, "*"), twice(template)},
		{"a template and a literal", named(template, "*"), named(literal), both(template, literal)},
		{"a template and another path", named(template, "*"), named("https://idp.test/a/v1"), ""},
		{"a template and another host", named(template, "*"), named("https://idp2.test/a/v2"), ""},
		{"a template and a longer path", named(template, "*"), named("https://idp.test/a/b/v2"), ""},
		{"a template and no segment", named(template, "*"), named("https://idp.test//v2"), ""},
		{"a template and a segment with another character", named(template, "*"), named("https://idp.test/a%20b/v2"), ""},
		{"a template and a segment of dots", named(template, "*"), named("https://idp.test/../v2"), ""},
		{"two templates that cross", named(template, "*"), named("https://idp.test/x/{tid}", "*"), both(template, other)},
		{"two templates that do not", named(template, "*"), named("https://idp.test/x/y/{tid}", "*"), ""},
		{"a template and its tenant", named(template, "*"), named("https://idp.test/{tid}/v2", "a"), twice(template)},
		{"tenants and a literal", named(template, "a", "b"), named(literal), both(template, literal)},
		{"tenants and another literal", named(template, "b", "c"), named(literal), ""},
		{"tenants and equal tenants", named(template, "a", "b"), named(template, "c", "b"), twice(template)},
		{"tenants and other tenants", named(template, "a", "b"), named(template, "c", "d"), ""},
		{"tenants and a template that crosses", named(template, "x", "y"), named(other, "*"), both(template, other)},
		{"tenants and a template that does not", named(template, "a", "y"), named(other, "*"), ""},
		{"tenants and tenants that cross", named(template, "x"), named(other, "v2"), both(template, other)},
		{"tenants and tenants that do not", named(template, "x"), named(other, "v1"), ""},
	}
	for _, test := range tests {
		var there, back []string
		if test.fault != "" {
			there, back = []string{test.fault}, []string{test.fault}
		}
		if test.fault == both(test.a.URL, test.b.URL) {
			back = []string{both(test.b.URL, test.a.URL)}
		}
		checkFaults(t, []configuration{
			{test.name, test.a, []token.Issuer{test.b}, there},
			{test.name + ", the other way", test.b, []token.Issuer{test.a}, back},
		})
	}
}

// TestPresetFaults gives each preset an empty value for each argument, as an unset variable does.
func TestPresetFaults(t *testing.T) {
	t.Parallel()
	const (
		noURL    = "token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"
		audience = "Audience: it is blank: give the audience that rules name; if a variable or a file should supply it, set the variable or fill the file"
		none     = " has an empty list: list the values to accept, or token.AnyValue alone for any value"
		blank    = ` lists a blank value, or "*" in a preset: list the values to accept; if a variable or a file should supply one, set the variable or fill the file`
		entra    = `token: issuer "https://login.microsoftonline.com/{tid}/v2.0": `
		cognito  = `token: issuer "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a": `
		clerk    = `token: issuer "https://clerk.test": `
	)
	checkFaults(t, []configuration{
		{"Auth0", token.Auth0(""), nil, []string{noURL}},
		{"AuthAction", token.AuthAction(""), nil, []string{noURL}},
		{"Clerk, domain", token.Clerk("", api, "https://app.test"), nil, []string{noURL}},
		{"Clerk, audience", token.Clerk("clerk.test", "", "https://app.test"), nil, []string{clerk + audience}},
		{"Clerk, no origins", token.Clerk("clerk.test", api), nil, []string{clerk + `RequiredClaims: "azp"` + none}},
		{"Clerk, origin", token.Clerk("clerk.test", api, ""), nil, []string{clerk + `RequiredClaims: "azp"` + blank}},
		{"Clerk, one of the origins", token.Clerk("clerk.test", api, "https://app.test", ""), nil, []string{clerk + `RequiredClaims: "azp"` + blank}},
		{"Cognito, pool", token.Cognito("", api, "a"), nil, []string{noURL}},
		{"Cognito, audience", token.Cognito("eu-west-1_a", "", "a"), nil, []string{cognito + audience}},
		{"Cognito, no clients", token.Cognito("eu-west-1_a", api), nil, []string{cognito + `RequiredClaims: "client_id"` + none}},
		{"Cognito, one of the clients", token.Cognito("eu-west-1_a", api, "a", ""), nil, []string{cognito + `RequiredClaims: "client_id"` + blank}},
		{"Dex", token.Dex(""), nil, []string{noURL}},
		{"Entra", token.Entra(""), nil, []string{noURL}},
		{"Entra, blank", token.Entra(" "), nil, []string{noURL}},
		{"EntraTenants, none", token.EntraTenants(), nil, []string{entra + `RequiredClaims: "tid"` + none}},
		{"EntraTenants, one of them", token.EntraTenants("a", ""), nil, []string{entra + `RequiredClaims: "tid"` + blank}},
		{"Firebase, project", token.Firebase("", "password"), nil, []string{noURL}},
		{"Firebase, no providers", token.Firebase("p"), nil, []string{`token: issuer "https://securetoken.google.com/p": RequiredClaims: "/firebase/sign_in_provider"` + none}},
		{"Firebase, one of the providers", token.Firebase("p", "", "password"), nil, []string{`token: issuer "https://securetoken.google.com/p": RequiredClaims: "/firebase/sign_in_provider"` + blank}},
		{"GoogleServiceAccounts, none", token.GoogleServiceAccounts(), nil, []string{`token: issuer "https://accounts.google.com": RequiredClaims: "email"` + none}},
		{"GoogleServiceAccounts, one of them", token.GoogleServiceAccounts("a@b.test", ""), nil, []string{`token: issuer "https://accounts.google.com": RequiredClaims: "email"` + blank}},
		{"Clerk, any origin", token.Clerk("clerk.test", api, token.AnyValue), nil, []string{clerk + `RequiredClaims: "azp"` + blank}},
		{"Cognito, any client", token.Cognito("eu-west-1_a", api, token.AnyValue), nil, []string{cognito + `RequiredClaims: "client_id"` + blank}},
		{"EntraTenants, any", token.EntraTenants(token.AnyValue), nil, []string{entra + `RequiredClaims: "tid"` + blank}},
		{"GoogleServiceAccounts, any", token.GoogleServiceAccounts(token.AnyValue), nil, []string{`token: issuer "https://accounts.google.com": RequiredClaims: "email"` + blank}},
		{"Keycloak", token.Keycloak(""), nil, []string{noURL}},
		{"Kubernetes", token.Kubernetes(""), nil, []string{noURL}},
		{"Logto", token.Logto(""), nil, []string{noURL}},
		{"Okta", token.Okta(""), nil, []string{noURL}},
		{"Supabase", token.Supabase(""), nil, []string{noURL}},
		{"WorkOS, client", token.WorkOS("", api), nil, []string{noURL, `token: issuer "": RequiredClaims: "iss"` + blank}},
		{"WorkOS, audience", token.WorkOS("client_1", ""), nil, []string{`token: issuer "https://api.workos.com/user_management/client_1": ` + audience}},
		{"Zitadel, URL", token.Zitadel("", "1"), nil, []string{noURL}},
		{"Zitadel, project", token.Zitadel("https://idp.test", ""), nil, []string{`token: issuer "https://idp.test": ScopeClaims: "" is blank: write the name of a claim; if a variable or a file should supply it, set the variable or fill the file`}},

		{"all given", token.Auth0("auth0.test"), []token.Issuer{
			token.AuthAction("action.test"), token.Clerk("clerk.test", api, "https://app.test"), token.Cognito("eu-west-1_a", api, "a"), token.Dex("https://dex.test"), token.Entra("t"), token.Firebase("p", "password"),
			token.GoogleServiceAccounts("a@b.test"), token.Keycloak("https://kc.test"), token.Kubernetes("https://k8s.test"), token.Logto("https://logto.test"), token.Okta("https://okta.test"), token.Supabase("https://supabase.test"), token.WorkOS("client_1", api), token.Zitadel("https://zitadel.test", "1"),
		}, nil},
		{"tenants of Entra ID", token.EntraTenants("a", "b"), []token.Issuer{token.Entra("c")}, nil},
		{"any tenant of Entra ID", token.EntraAnyTenant(), nil, nil},
	})
}

// TestPresetsAreCopies changes the arguments of presets after the call.
func TestPresetsAreCopies(t *testing.T) {
	t.Parallel()
	given := []string{"a"}
	issuers := []token.Issuer{token.Clerk("clerk.test", api, given...), token.Cognito("p", api, given...), token.EntraTenants(given...), token.Firebase("p", given...), token.GoogleServiceAccounts(given...)}
	given[0] = "b"
	for n, claim := range []string{"azp", "client_id", "tid", "/firebase/sign_in_provider", "email"} {
		if values := issuers[n].RequiredClaims[claim]; len(values) != 1 || values[0] != "a" {
			t.Errorf("%s: the values are %q", claim, values)
		}
	}
}
