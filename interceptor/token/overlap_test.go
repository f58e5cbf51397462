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
		return fmt.Sprintf("token: issuer %q is given twice: give each iss to one issuer; if two servers write the same iss, set another at one of them", url)
	}
	both := func(a, b string) string {
		return fmt.Sprintf("token: issuers %q and %q can have the same iss: leave one of them out, or list different tenants in their RequiredClaims", a, b)
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

const (
	tenantA = "aaaaaaaa-1111-2222-3333-444444444444"
	tenantB = "bbbbbbbb-1111-2222-3333-444444444444"
)

// TestPresetFaults gives each preset an empty value for each argument, as an unset variable does, and values that cannot be
// meant.
func TestPresetFaults(t *testing.T) {
	t.Parallel()
	const (
		noURL   = "token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"
		isEmpty = `"" is empty: if a variable or a file should supply it, set the variable or fill the file`
		guid    = ` does not look like "11111111-2222-3333-4444-555555555555"`
		origin  = ` does not look like "https://app.acme.com"`
		pool    = ` does not look like "eu-west-1_AbCdEf123"`
		account = ` does not look like "worker@project.iam.gserviceaccount.com"`
	)
	for _, test := range []struct {
		name   string
		issuer token.Issuer
		fault  string
	}{
		{"Auth0", token.Auth0(""), noURL},
		{"AuthAction", token.AuthAction(""), noURL},
		{"Clerk, domain", token.Clerk("", api, "https://app.test"), noURL},
		{"Clerk, audience", token.Clerk("clerk.test", "", "https://app.test"), "token: Clerk: audience: " + isEmpty},
		{"Clerk, no origins", token.Clerk("clerk.test", api), `token: Clerk: no origins are given: give some, such as "https://app.acme.com"`},
		{"Clerk, origin", token.Clerk("clerk.test", api, ""), "token: Clerk: origins: " + isEmpty},
		{"Clerk, one of the origins", token.Clerk("clerk.test", api, "https://app.test", ""), "token: Clerk: origins: " + isEmpty},
		{"Clerk, any origin", token.Clerk("clerk.test", api, token.AnyValue), `token: Clerk: origins: "*"` + origin},
		{"Clerk, origin with a path", token.Clerk("clerk.test", api, "https://app.test/"), `token: Clerk: origins: "https://app.test/"` + origin},
		{"Clerk, origin without a scheme", token.Clerk("clerk.test", api, "app.test"), `token: Clerk: origins: "app.test"` + origin},
		{"Cognito, pool", token.Cognito("", api, "a"), "token: Cognito: poolID: " + isEmpty},
		{"Cognito, ARN", token.Cognito("arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_a", api, "a"), `token: Cognito: poolID: "arn:aws:cognito-idp:eu-west-1:1:userpool/eu-west-1_a"` + pool},
		{"Cognito, URL", token.Cognito("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a", api, "a"), `token: Cognito: poolID: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a"` + pool},
		{"Cognito, audience", token.Cognito("eu-west-1_a", "", "a"), "token: Cognito: audience: " + isEmpty},
		{"Cognito, no clients", token.Cognito("eu-west-1_a", api), `token: Cognito: no clientIDs are given: give some, such as "1example23456789"`},
		{"Cognito, one of the clients", token.Cognito("eu-west-1_a", api, "a", ""), "token: Cognito: clientIDs: " + isEmpty},
		{"Cognito, any client", token.Cognito("eu-west-1_a", api, token.AnyValue), `token: Cognito: clientIDs: "*" does not look like "1example23456789"`},
		{"Cognito, all at once", token.Cognito("", " ", "a\n"), "token: Cognito: poolID: " + isEmpty + "\n" + `token: Cognito: audience: " " is empty: if a variable or a file should supply it, set the variable or fill the file` + "\n" +
			`token: Cognito: clientIDs: "a\n" has white space around it, such as a line break at its end: if a variable or a file supplies it, remove the white space there`},
		{"Dex", token.Dex(""), noURL},
		{"Entra", token.Entra(""), "token: Entra: tenantID: " + isEmpty},
		{"Entra, common", token.Entra("common"), `token: Entra: tenantID: "common"` + guid},
		{"Entra, a domain", token.Entra("acme.onmicrosoft.com"), `token: Entra: tenantID: "acme.onmicrosoft.com"` + guid},
		{"Entra, upper case", token.Entra("AAAAAAAA-1111-2222-3333-444444444444"), `token: Entra: tenantID: "AAAAAAAA-1111-2222-3333-444444444444"` + guid},
		{"EntraTenants, none", token.EntraTenants(), `token: EntraTenants: no tenantIDs are given: give some, such as "11111111-2222-3333-4444-555555555555"`},
		{"EntraTenants, one of them", token.EntraTenants(tenantA, ""), "token: EntraTenants: tenantIDs: " + isEmpty},
		{"EntraTenants, any", token.EntraTenants(token.AnyValue), `token: EntraTenants: tenantIDs: "*"` + guid},
		{"EntraTenants, common", token.EntraTenants("common"), `token: EntraTenants: tenantIDs: "common"` + guid},
		{"Firebase, project", token.Firebase("", "password"), "token: Firebase: projectID: " + isEmpty},
		{"Firebase, no providers", token.Firebase("p"), `token: Firebase: no providers are given: give some, such as "password"`},
		{"Firebase, one of the providers", token.Firebase("p", "", "password"), "token: Firebase: providers: " + isEmpty},
		{"Firebase, no provider", token.Firebase("p", token.NoValue), `token: Firebase: providers: "!*" does not look like "password"`},
		{"GoogleServiceAccounts, none", token.GoogleServiceAccounts(), `token: GoogleServiceAccounts: no addresses are given: give some, such as "worker@project.iam.gserviceaccount.com"`},
		{"GoogleServiceAccounts, one of them", token.GoogleServiceAccounts("a@p.iam.gserviceaccount.com", ""), "token: GoogleServiceAccounts: addresses: " + isEmpty},
		{"GoogleServiceAccounts, any", token.GoogleServiceAccounts(token.AnyValue), `token: GoogleServiceAccounts: addresses: "*"` + account},
		{"GoogleServiceAccounts, a person", token.GoogleServiceAccounts("ada@example.com"), `token: GoogleServiceAccounts: addresses: "xxxxx@example.com"` + account},
		{"Keycloak", token.Keycloak(""), noURL},
		{"Keycloak, no realm", token.Keycloak("https://sso.test"), `token: Keycloak: url: "https://sso.test" does not look like "https://sso.example.com/realms/acme"`},
		{"Keycloak, slash", token.Keycloak("https://sso.test/realms/a/"), `token: Keycloak: url: "https://sso.test/realms/a/" does not look like "https://sso.example.com/realms/acme"`},
		{"Kubernetes", token.Kubernetes(""), noURL},
		{"Logto", token.Logto(""), noURL},
		{"Okta", token.Okta(""), noURL},
		{"Okta, the org server", token.Okta("https://acme.okta.com"), `token: Okta: url: "https://acme.okta.com" does not look like "https://acme.okta.com/oauth2/default"`},
		{"Supabase", token.Supabase(""), noURL},
		{"WorkOS, client", token.WorkOS("", api), "token: WorkOS: clientID: " + isEmpty},
		{"WorkOS, audience", token.WorkOS("client_1", ""), "token: WorkOS: audience: " + isEmpty},
		{"Zitadel, URL", token.Zitadel("", "1"), noURL},
		{"Zitadel, project", token.Zitadel("https://idp.test", ""), "token: Zitadel: projectID: " + isEmpty},
	} {
		checkFaults(t, []configuration{{test.name, test.issuer, nil, []string{test.fault}}, {test.name + ", twice", test.issuer, []token.Issuer{test.issuer}, []string{test.fault}}})
	}
	checkFaults(t, []configuration{
		{"all given", token.Auth0("auth0.test"), []token.Issuer{
			token.AuthAction("action.test"), token.Clerk("clerk.test", api, "https://app.test", "http://localhost:3000", "chrome-extension://abc"), token.Cognito("us-gov-west-1_a", api, "a"), token.Dex("https://dex.test"), token.Entra(tenantA), token.Firebase("p", "password"),
			token.GoogleServiceAccounts("a@p.iam.gserviceaccount.com", "1-compute@developer.gserviceaccount.com"), token.Keycloak("https://kc.test/auth/realms/a"), token.Kubernetes("https://k8s.test"), token.Logto("https://logto.test"), token.Okta("https://okta.test/oauth2/aus1"), token.Supabase("https://supabase.test"), token.WorkOS("client_1", api), token.Zitadel("https://zitadel.test", "1"),
		}, nil},
		{"tenants of Entra ID", token.EntraTenants(tenantA, tenantB), []token.Issuer{token.Entra("cccccccc-1111-2222-3333-444444444444")}, nil},
		{"one tenant of Entra ID twice", token.EntraTenants(tenantA, tenantB), []token.Issuer{token.Entra(tenantA)}, []string{
			`token: issuers "https://login.microsoftonline.com/{tid}/v2.0" and "https://login.microsoftonline.com/` + tenantA + `/v2.0" can have the same iss: leave one of them out, or list different tenants in their RequiredClaims`,
		}},
		{"any tenant of Entra ID", token.EntraAnyTenant(), nil, nil},
	})
}

// TestPresetsAreCopies changes the arguments of presets after the call.
func TestPresetsAreCopies(t *testing.T) {
	t.Parallel()
	given := []string{"https://app.test"}
	issuers := []token.Issuer{token.Clerk("clerk.test", api, given...), token.Cognito("eu-west-1_a", api, given...), token.EntraTenants(given...), token.Firebase("p", given...), token.GoogleServiceAccounts(given...)}
	given[0] = "b"
	for n, claim := range []string{"azp", "client_id", "tid", "/firebase/sign_in_provider", "email"} {
		if values := issuers[n].RequiredClaims[claim]; len(values) != 1 || values[0] != "https://app.test" {
			t.Errorf("%s: the values are %q", claim, values)
		}
	}
}
