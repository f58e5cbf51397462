package token

import (
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// Auth0 returns the issuer of an Auth0 tenant, given its domain such as "tenant.eu.auth0.com" or a custom
// domain, without https:// and path. Both token profiles of Auth0 are accepted.
//
// At Auth0: register the API. The client must request the API's identifier as `audience`: otherwise its token
// is opaque. Do not give an API the client id of an application as identifier, since `aud` alone tells access
// tokens from ID tokens.
//
// The scopes are `permissions` if the API adds them to its tokens (role-based access control), and `scope`
// otherwise. Permissions are all that the user may do, whatever the client asked for: set ScopeClaims to
// "scope" to use what the client asked for. The organization of MODEL_ORGANIZATION_RESOURCE is `org_id`.
// Auth0 has no tokens for MODEL_ORGANIZATION.
func Auth0(domain string) Issuer {
	return Issuer{
		URL:               endpoint.DomainURL(domain, "/"),
		KeySetURL:         endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		ScopeClaims:       []string{"permissions", "scope"},
		ClientClaims:      []string{"azp", "client_id"},
		ClientTokens:      claims{"sub": {clientPlaceholder + "@clients"}},
		OrganizationClaim: "org_id",
	}
}

// AuthAction returns the issuer of an AuthAction tenant, given its domain such as "tenant.eu.authaction.com",
// without https:// and path. AuthAction documents neither how the tokens of clients differ from the tokens of
// users, nor how a token names an organization. So [Claims.Caller] is unknown, and only MODEL_GLOBAL_RESOURCE
// has tokens.
//
// At AuthAction: register the API, and let clients ask for its identifier as `audience`. The scopes are
// `permissions` if the API adds them to its tokens, and `scope` otherwise. Do not give an API the client id
// of an application as identifier, since `aud` alone tells access tokens from ID tokens.
func AuthAction(domain string) Issuer {
	return Issuer{
		URL:          endpoint.DomainURL(domain, ""),
		KeySetURL:    endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:   []string{"RS256"},
		Types:        []string{"JWT", "at+jwt"},
		ScopeClaims:  []string{"permissions", "scope"},
		ClientClaims: []string{"azp", "client_id"},
	}
}

// Clerk returns the issuer of the session tokens (version 2) of a Clerk instance, given its Frontend API
// domain such as "clerk.acme.com", the audience that rules name, since a session token has no `aud`, and the
// origins of the pages that may send tokens, such as "https://app.acme.com".
//
// At Clerk: choose version 2 of session tokens. The organization is the active one (`o.id`). The scopes are
// the permissions in it, such as "org:orders:read": see [ClerkPermissions]. All tokens are users', and the
// client is the page's origin (`azp`).
//
// A session with a pending task and a token of another origin are refused. So are the tokens of JWT templates
// and of machines, which may hold any claim: `cat` in the header tells them.
func Clerk(domain, audience string, origins ...string) Issuer {
	issuer := Issuer{
		URL:               endpoint.DomainURL(domain, ""),
		KeySetURL:         endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredHeader:    claims{"cat": {"cl_B7d4PD111AAA"}},
		RequiredClaims:    claims{"azp": slices.Clone(origins), "sts": {"", "active"}, "v": {"2"}},
		Audience:          audience,
		ScopeClaims:       []string{ClerkPermissions},
		ClientClaims:      []string{"azp"},
		UserTokens:        claims{"sub": {AnyValue}},
		OrganizationClaim: "/o/id",
	}
	return issuer.check("Clerk", given("audience", anyText, "https://api.example.com", audience), given("origins", originForm, "https://app.acme.com", origins...))
}

// Cognito returns the issuer of the access tokens of an Amazon Cognito user pool, given its id such as
// "eu-west-1_AbCdEf123", the audience that rules name, and the ids of the app clients whose tokens are
// accepted. An access token has an `aud` only if the client asks for one (resource binding), so every client
// of the pool that is not listed is refused.
//
// At Cognito: give the API a resource server, whose scopes are then such as "https://api.example.com/read".
// To use the groups of a user, set ScopeClaims to "cognito:groups". Outside of the partition aws, set URL and
// KeySetURL. ID tokens are refused by `token_use`.
func Cognito(poolID, audience string, clientIDs ...string) Issuer {
	region, _, _ := strings.Cut(poolID, "_")
	url := "https://cognito-idp." + region + ".amazonaws.com/" + poolID
	issuer := Issuer{
		URL:            url,
		KeySetURL:      url + "/.well-known/jwks.json",
		Algorithms:     []string{"RS256"},
		Types:          []string{""},
		RequiredClaims: claims{"token_use": {"access"}, "client_id": slices.Clone(clientIDs)},
		Audience:       audience,
		ClientTokens:   claims{"sub": {clientPlaceholder}},
		UserTokens:     claims{"username": {AnyValue}},
	}
	return issuer.check("Cognito", given("poolID", poolForm, "eu-west-1_AbCdEf123", poolID), given("audience", anyText, "https://api.example.com", audience), given("clientIDs", anyText, "1example23456789", clientIDs...))
}

// Dex returns the issuer of a Dex server, given its issuer URL. Dex signs access tokens exactly as ID tokens:
// both are accepted, and the audience that rules name is the id of a client of Dex.
//
// At Dex: give the API a client of its own, and let the clients of users ask for it (cross-client trust).
// Such a client is [Claims.ClientID]. The scopes are the groups of the user. Groups of one name from two
// connectors are one scope: use one connector, or connectors that you trust alike.
func Dex(url string) Issuer {
	return Issuer{
		URL:            url,
		Algorithms:     []string{"RS256"},
		Types:          []string{""},
		RequiredClaims: claims{"at_hash": {AnyValue}, "nonce": {"", AnyValue}},
		ScopeClaims:    []string{"groups"},
		ClientClaims:   []string{"azp"},
	}
}

// Firebase returns the issuer of the ID tokens of a Firebase project (Identity Platform), given its id, and
// the sign-in providers that are accepted, such as "password" and "google.com". List "anonymous" only if
// anybody may call. All tokens are users'.
//
// At Firebase: the audience that rules name is the project's id. The scopes are the custom claim
// `permissions`, which your backend sets with the Admin SDK. The organization is the tenant
// (`firebase.tenant`), if the user belongs to one.
func Firebase(projectID string, providers ...string) Issuer {
	issuer := Issuer{
		URL:               "https://securetoken.google.com/" + projectID,
		KeySetURL:         "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    claims{"/firebase/sign_in_provider": slices.Clone(providers)},
		ScopeClaims:       []string{"permissions"},
		UserTokens:        claims{"/firebase/sign_in_provider": {AnyValue}},
		OrganizationClaim: "/firebase/tenant",
	}
	return issuer.check("Firebase", given("projectID", anyText, "acme-prod", projectID), given("providers", anyText, "password", providers...))
}

// Keycloak returns the issuer of a Keycloak realm, given its URL such as
// "https://sso.example.com/realms/acme".
//
// At Keycloak: add a mapper of type Audience, which writes the audience that rules name into access tokens.
// The scopes are the client scopes (`scope`). For realm roles set ScopeClaims to "/realm_access/roles", and
// for the roles of a client to "/resource_access/CLIENT/roles", in which ~1 stands for a slash in the
// client's id.
//
// The organization is the only element of `organization`. A token for several, as for the scope
// organization:*, grants nothing. If the mapper adds the organization's id, set OrganizationClaim to
// "/organization/*/id". If the mapper writes an object without ids, set it to "/organization/{organization}".
// A client that does not request the scope organization gets a token for global methods.
//
// ID tokens are refused by `typ` in the payload. A token with `client_id` is a client's (a service account),
// and a token with `sid` is a user's. Clients that an old Keycloak made write `clientId`: rename the claim in
// their mapper Client ID.
func Keycloak(url string) Issuer {
	issuer := Issuer{
		URL:               url,
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		RequiredClaims:    claims{"typ": {"Bearer"}, "nonce": {"", AnyValue}},
		ClientClaims:      []string{"azp", "client_id"},
		ClientTokens:      claims{"client_id": {clientPlaceholder}},
		UserTokens:        claims{"sid": {AnyValue}},
		OrganizationClaim: "/organization/*",
	}
	return issuer.check("Keycloak", given("url", realmForm, "https://sso.example.com/realms/acme", url))
}

// Logto returns the issuer of a Logto tenant, given its endpoint such as "https://tenant.logto.app", with or
// without "/oidc". The client must ask for a resource, an organization, or both: otherwise its token is
// opaque.
func Logto(tenant string) Issuer {
	return Issuer{
		URL:                  endpoint.WithPath(tenant, "/oidc"),
		Algorithms:           []string{"ES384", "ES256", "ES512", "RS256"},
		Types:                []string{"at+jwt"},
		ScopeClaims:          []string{"scope"},
		ClientClaims:         []string{"client_id"},
		ClientTokens:         claims{"sub": {clientPlaceholder}},
		OrganizationClaim:    "organization_id",
		OrganizationAudience: logtoOrganization,
	}
}

// Okta returns the issuer of a custom authorization server of Okta, given its issuer URI such as
// "https://acme.okta.com/oauth2/default".
//
// At Okta: use a custom authorization server. The tokens of the org authorization server, without /oauth2/ in
// its URI, are for Okta alone, and are refused. Rules name the audience of the authorization server. The
// scopes are `scp`; set ScopeClaims to "groups" for a groups claim. ID tokens are told by `cid`, which access
// tokens alone have.
func Okta(url string) Issuer {
	issuer := Issuer{
		URL:            url,
		Algorithms:     []string{"RS256"},
		Types:          []string{"", "at+jwt"},
		RequiredClaims: claims{"cid": {AnyValue}},
		ScopeClaims:    []string{"scp"},
		ClientClaims:   []string{"cid"},
		ClientTokens:   claims{"sub": {clientPlaceholder}},
		UserTokens:     claims{"uid": {AnyValue}},
	}
	return issuer.check("Okta", given("url", serverForm, "https://acme.okta.com/oauth2/default", url))
}

// Supabase returns the issuer of a Supabase project, given its URL such as
// "https://abcdefghijklmnopqrst.supabase.co". All tokens are users'.
//
// At Supabase: choose an asymmetric key (JWT signing keys). The audience that rules name is "authenticated".
// The scopes are `app_metadata.permissions` and the organization is `app_metadata.org_id`, which your backend
// sets: users write `user_metadata` themselves.
//
// Anonymous users are refused. So are the tokens of applications of the OAuth server, which have all that the
// user may do: to accept an application beside your own pages, set "client_id" in RequiredClaims to {"", ID}.
// To require a second factor, list "aal2" for "aal".
func Supabase(projectURL string) Issuer {
	url := endpoint.WithPath(projectURL, "/auth/v1")
	return Issuer{
		URL:               url,
		KeySetURL:         endpoint.WithPath(url, "/.well-known/jwks.json"),
		Algorithms:        []string{"ES256", "RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    claims{"role": {"authenticated"}, "is_anonymous": {"false"}, "client_id": {NoValue}},
		ScopeClaims:       []string{"/app_metadata/permissions"},
		UserTokens:        claims{"role": {"authenticated"}},
		OrganizationClaim: "/app_metadata/org_id",
	}
}

// WorkOS returns the issuer of the session tokens of WorkOS AuthKit, given the client id of the environment
// such as "client_01H", and the audience that rules name, since a session token has no `aud`. All tokens are
// users': tokens of machines have no session (`sid`), and are refused.
//
// At WorkOS: the scopes are `permissions` and the organization is `org_id`. If the tokens of your environment
// have another `iss`, set URL, and "iss" in RequiredClaims. Only the key set, which belongs to the client id,
// separates you from other customers of WorkOS: keep KeySetURL.
func WorkOS(clientID, audience string) Issuer {
	url := "https://api.workos.com/user_management/" + clientID
	issuer := Issuer{
		URL:               url,
		KeySetURL:         "https://api.workos.com/sso/jwks/" + clientID,
		Algorithms:        []string{"RS256"},
		Types:             []string{""},
		RequiredClaims:    claims{"sid": {AnyValue}, "iss": {url}},
		Audience:          audience,
		ScopeClaims:       []string{"permissions"},
		UserTokens:        claims{"sid": {AnyValue}},
		OrganizationClaim: "org_id",
	}
	return issuer.check("WorkOS", given("clientID", anyText, "client_01H", clientID), given("audience", anyText, "https://api.example.com", audience))
}

// Zitadel returns the issuer of a Zitadel instance, given its URL such as "https://acme.zitadel.cloud", and
// the id of the API's project, which is the audience that rules name.
//
// At Zitadel: set the access tokens of the application to JWT. The client must request the scopes
// urn:zitadel:iam:org:project:id:PROJECT:aud, urn:zitadel:iam:org:projects:roles and
// urn:zitadel:iam:user:resourceowner.
//
// The organization is the user's own. The scopes are the roles in the project that the user was granted in
// this organization: roles in other organizations and in other projects do not count. A token without the
// organization is refused, since the client chooses whether the token names it. Users and clients cannot be
// told apart. ID tokens are refused, since they have no `jti`.
func Zitadel(url, projectID string) Issuer {
	issuer := Issuer{
		URL:               url,
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		RequiredClaims:    claims{"client_id": {AnyValue}, "jti": {AnyValue}, "urn:zitadel:iam:user:resourceowner:id": {AnyValue}},
		ScopeClaims:       []string{"/urn:zitadel:iam:org:project:" + escape.Replace(projectID) + ":roles/{scope}/{organization}"},
		OrganizationClaim: "urn:zitadel:iam:user:resourceowner:id",
	}
	return issuer.check("Zitadel", given("projectID", anyText, "229", projectID))
}
