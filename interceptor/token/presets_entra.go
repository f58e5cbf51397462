package token

import "slices"

const exampleTenant = "11111111-2222-3333-4444-555555555555"

// Entra returns the issuer of the version 2.0 access tokens of one Microsoft Entra ID tenant, given the
// tenant's id, a GUID.
//
// At Entra ID: set requestedAccessTokenVersion to 2 in the manifest of the API's registration. The audience
// that rules name is the API's client id. Add the optional claim idtyp to access tokens, so that the token of
// an application is told as a client's: without idtyp it is of unknown kind. A token with `scp` is a user's.
//
// The scopes are the delegated permissions (`scp`), which a client was granted, and the app roles (`roles`),
// which a user or an application has, together. Give them different names. A user's app role counts with
// every client, so a rule for what the client must be granted too names both.
//
// An ID token is refused, even one of an application that is registered together with its API, since it has
// no `azp`.
func Entra(tenantID string) Issuer {
	issuer := entra()
	issuer.URL = "https://login.microsoftonline.com/" + tenantID + "/v2.0"
	return issuer.check("Entra", given("tenantID", guidForm, exampleTenant, tenantID))
}

// EntraTenants is [Entra] for several tenants, given their ids. The organization of
// MODEL_ORGANIZATION_RESOURCE is the tenant (`tid`). Keys of other tenants, and of personal accounts, verify
// nothing. Rules with a subject or a client need policy.WithSubjectIssuer, even for a single tenant.
func EntraTenants(tenantIDs ...string) Issuer {
	issuer := EntraAnyTenant()
	issuer.RequiredClaims["tid"] = slices.Clone(tenantIDs)
	return issuer.check("EntraTenants", given("tenantIDs", guidForm, exampleTenant, tenantIDs...))
}

// EntraAnyTenant is [EntraTenants] for every tenant of Entra ID, also for those that anybody makes, and for
// personal accounts if their key is in the key set. An administrator of a tenant can give its users and
// applications every app role of the API. So a handler must compare the organization with the list of your
// customers.
func EntraAnyTenant() Issuer {
	issuer := entra()
	issuer.URL = "https://login.microsoftonline.com/{tid}/v2.0"
	issuer.KeySetURL = "https://login.microsoftonline.com/organizations/discovery/v2.0/keys"
	issuer.RequiredClaims["tid"] = []string{AnyValue}
	issuer.OrganizationClaim = "tid"
	return issuer
}

func entra() Issuer {
	return Issuer{
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: claims{"azp": {AnyValue}},
		ScopeClaims:    []string{"scp", "roles"},
		UniteScopes:    true,
		ClientClaims:   []string{"azp"},
		ClientTokens:   claims{"idtyp": {"app"}},
		UserTokens:     claims{"scp": {AnyValue}},
	}
}
