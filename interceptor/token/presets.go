package token

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// Auth0 returns the issuer of an Auth0 tenant, given its domain such as "tenant.eu.auth0.com" or a custom
// domain, without https:// and path. Both token profiles of Auth0 are accepted. The client must request the
// API's identifier as `audience`: otherwise its token is opaque.
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
// The organization is the active one (`o.id`). The scopes are the permissions in it, such as
// "org:orders:read": see [ClerkPermissions]. A session with a pending task, a token of another origin, a
// token of a JWT template, and a machine's token are refused: `cat` in the header tells them, since machines
// and templates can write any claim. All tokens are users'.
func Clerk(domain, audience string, origins ...string) Issuer {
	return Issuer{
		URL:               endpoint.DomainURL(domain, ""),
		KeySetURL:         endpoint.DomainURL(domain, "/.well-known/jwks.json"),
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredHeader:    claims{"cat": {"cl_B7d4PD111AAA"}},
		RequiredClaims:    claims{"azp": listed(origins), "sid": {AnyValue}, "sts": {"", "active"}, "v": {"2"}},
		Audience:          orBlank(audience),
		ScopeClaims:       []string{ClerkPermissions},
		UserTokens:        claims{"sid": {AnyValue}},
		OrganizationClaim: "/o/id",
	}
}

// Cognito returns the issuer of the access tokens of an Amazon Cognito user pool, given its id such as
// "eu-west-1_AbCdEf123", the audience that rules name, and the ids of the app clients whose tokens are
// accepted. An access token has an `aud` only if the client asks for one (resource binding), so every client
// of the pool that is not listed is refused.
//
// The scopes are those of the resource server, such as "https://api.example.com/read". To use the groups of a
// user, set ScopeClaims to "cognito:groups". Outside of the partition aws, set URL and KeySetURL.
func Cognito(pool, audience string, clients ...string) Issuer {
	region, _, _ := strings.Cut(pool, "_")
	url := with(pool, "https://cognito-idp."+region+".amazonaws.com/%s")
	return Issuer{
		URL:            url,
		KeySetURL:      with(url, "%s/.well-known/jwks.json"),
		Algorithms:     []string{"RS256"},
		Types:          []string{""},
		RequiredClaims: claims{"token_use": {"access"}, "client_id": listed(clients)},
		Audience:       orBlank(audience),
		ClientTokens:   claims{"sub": {clientPlaceholder}},
		UserTokens:     claims{"username": {AnyValue}},
	}
}

// Dex returns the issuer of a Dex server, given its issuer URL. Dex signs access tokens exactly as ID tokens:
// both are accepted, and the audience that rules name is the id of a client. A client that acts for another
// one (cross-client trust) is [Claims.ClientID]. The scopes are the groups of the user.
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

// Entra returns the issuer of the version 2.0 access tokens of one Microsoft Entra ID tenant, given the
// tenant's id, a GUID. In the manifest of the API's registration set requestedAccessTokenVersion to 2. The
// audience that rules name is the API's client id.
//
// The scopes are the delegated permissions (`scp`) and the app roles (`roles`) together: give different
// things different names. An ID token is refused, even one of an application that is registered together with
// its API, since it has no `azp`. A token with `scp` is a user's. Add the optional claim idtyp to the
// registration's access tokens, so that the token of an application is told as a client's: without idtyp it
// is of unknown kind.
func Entra(tenant string) Issuer {
	issuer := entra()
	issuer.URL = with(tenant, "https://login.microsoftonline.com/%s/v2.0")
	return issuer
}

// EntraTenants is [Entra] for several tenants, given their ids. The organization of
// MODEL_ORGANIZATION_RESOURCE is the tenant (`tid`).
func EntraTenants(tenants ...string) Issuer {
	issuer := EntraAnyTenant()
	issuer.RequiredClaims["tid"] = listed(tenants)
	return issuer
}

// EntraAnyTenant is [EntraTenants] for every tenant of Entra ID, also for those that anybody makes. An
// administrator of a tenant gives its users every app role of the API. So protect each method by the
// organization, and compare the organization with your list of customers.
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

// Firebase returns the issuer of the ID tokens of a Firebase project (Identity Platform), given its id, and
// the sign-in providers that are accepted, such as "password" and "google.com". List "anonymous" only if
// anybody may call.
//
// The audience that rules name is the project's id. The scopes are the custom claim `permissions`, which your
// backend sets. The organization is the tenant (`firebase.tenant`), if the user belongs to one. All tokens
// are users'.
func Firebase(project string, providers ...string) Issuer {
	return Issuer{
		URL:               with(project, "https://securetoken.google.com/%s"),
		KeySetURL:         "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    claims{"/firebase/sign_in_provider": listed(providers)},
		ScopeClaims:       []string{"permissions"},
		UserTokens:        claims{"/firebase/sign_in_provider": {AnyValue}},
		OrganizationClaim: "/firebase/tenant",
	}
}

// GoogleServiceAccounts returns the issuer of the ID tokens of Google service accounts, given the addresses
// of the accounts that are accepted, such as "worker@project.iam.gserviceaccount.com". Anybody's service
// account gets a token for any audience, so nothing but the address tells yours from others'.
//
// The audience that rules name is what the account asks for, such as the URL of the service. A token has no
// scopes: rules must be `authenticated`. The client is the account's unique id.
func GoogleServiceAccounts(addresses ...string) Issuer {
	return Issuer{
		URL:            "https://accounts.google.com",
		KeySetURL:      "https://www.googleapis.com/oauth2/v3/certs",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: claims{"email": listed(addresses), "email_verified": {"true"}},
		ClientClaims:   []string{"azp"},
		ClientTokens:   claims{"email": {AnyValue}},
	}
}

// Keycloak returns the issuer of a Keycloak realm, given its URL such as
// "https://sso.example.com/realms/acme". A mapper of type Audience must write the audience that rules name
// into access tokens.
//
// The scopes are the client scopes (`scope`). For realm roles set ScopeClaims to "/realm_access/roles", and
// for the roles of a client to "/resource_access/CLIENT/roles", in which ~1 stands for a slash in the
// client's id. The organization is the only member of `organization`. If its mapper adds the organization's
// id, set OrganizationClaim to "/organization/*/id". ID tokens are told by `typ` in the payload. A token with
// `client_id` is a client's (a service account), and a token with `sid` is a user's.
func Keycloak(realm string) Issuer {
	return Issuer{
		URL:               realm,
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		RequiredClaims:    claims{"typ": {"Bearer"}, "nonce": {"", AnyValue}},
		ClientClaims:      []string{"azp", "client_id"},
		ClientTokens:      claims{"client_id": {clientPlaceholder}},
		UserTokens:        claims{"sid": {AnyValue}},
		OrganizationClaim: "/organization/*",
	}
}

// Kubernetes returns the issuer of the service account tokens of a cluster, given the URL that `kubectl get
// --raw /.well-known/openid-configuration` shows as issuer, for a server that runs in the cluster. The server
// reads the key set from the API server with its own pod's token. [WithTransport] must trust the cluster's
// authority, /var/run/secrets/kubernetes.io/serviceaccount/ca.crt. Where the issuer is reachable for
// everybody, as on EKS, clear KeySetURL and KeySetTokenFile.
//
// The caller's pod must mount a projected token for the audience that rules name. Choose another audience
// than the API server's, or every pod can call. A token has no scopes: rules must be `authenticated`. The
// client is the service account, such as "system:serviceaccount:payments:worker". The organization is its
// namespace: clear OrganizationClaim to protect methods with MODEL_GLOBAL_RESOURCE, and list the service
// accounts for "sub" in RequiredClaims.
func Kubernetes(url string) Issuer {
	return Issuer{ //nolint:gosec // it names a file, and holds no credentials
		URL:               url,
		KeySetURL:         "https://kubernetes.default.svc/openid/v1/jwks",
		KeySetTokenFile:   "/var/run/secrets/kubernetes.io/serviceaccount/token",
		Algorithms:        []string{"RS256"},
		Types:             []string{""},
		RequiredClaims:    claims{"/kubernetes.io/serviceaccount/name": {AnyValue}},
		ClientClaims:      []string{"sub"},
		ClientTokens:      claims{"sub": {clientPlaceholder}},
		OrganizationClaim: "/kubernetes.io/namespace",
	}
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
		OrganizationAudience: "urn:logto:organization:",
	}
}

// Okta returns the issuer of a custom authorization server of Okta, given its issuer URI such as
// "https://acme.okta.com/oauth2/default". The tokens of the org authorization server, without /oauth2/ in its
// URI, are for Okta alone, and are refused.
//
// The audience is that of the authorization server. The scopes are `scp`; set ScopeClaims to "groups" for a
// groups claim.
func Okta(url string) Issuer {
	return Issuer{
		URL:            url,
		Algorithms:     []string{"RS256"},
		Types:          []string{"", "at+jwt"},
		RequiredClaims: claims{"cid": {AnyValue}},
		ScopeClaims:    []string{"scp"},
		ClientClaims:   []string{"cid"},
		ClientTokens:   claims{"sub": {clientPlaceholder}},
		UserTokens:     claims{"uid": {AnyValue}},
	}
}

// Supabase returns the issuer of a Supabase project, given its URL such as
// "https://abcdefghijklmnopqrst.supabase.co". The project must sign with an asymmetric key (JWT signing
// keys). The audience that rules name is "authenticated".
//
// Anonymous users are refused. The scopes are `app_metadata.permissions` and the organization is
// `app_metadata.org_id`, which your backend sets: users write `user_metadata` themselves. All tokens are
// users'.
func Supabase(project string) Issuer {
	url := endpoint.WithPath(project, "/auth/v1")
	return Issuer{
		URL:               url,
		KeySetURL:         with(url, "%s/.well-known/jwks.json"),
		Algorithms:        []string{"ES256", "RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    claims{"role": {"authenticated"}, "is_anonymous": {"false"}},
		ScopeClaims:       []string{"/app_metadata/permissions"},
		UserTokens:        claims{"role": {"authenticated"}},
		OrganizationClaim: "/app_metadata/org_id",
	}
}

// WorkOS returns the issuer of the session tokens of WorkOS AuthKit, given the client id of the environment
// such as "client_01H", and the audience that rules name, since a session token has no `aud`. If the tokens
// of your environment have another `iss`, set URL, and the same in RequiredClaims. Only the key set, which
// belongs to the client id, separates you from other customers of WorkOS: keep it.
//
// The scopes are `permissions` and the organization is `org_id`. All tokens are users': tokens of machines
// have no session (`sid`), and are refused.
func WorkOS(clientID, audience string) Issuer {
	url := with(clientID, "https://api.workos.com/user_management/%s")
	return Issuer{
		URL:               url,
		KeySetURL:         with(clientID, "https://api.workos.com/sso/jwks/%s"),
		Algorithms:        []string{"RS256"},
		Types:             []string{""},
		RequiredClaims:    claims{"sid": {AnyValue}, "iss": {orBlank(url)}},
		Audience:          orBlank(audience),
		ScopeClaims:       []string{"permissions"},
		UserTokens:        claims{"sid": {AnyValue}},
		OrganizationClaim: "org_id",
	}
}

// Zitadel returns the issuer of a Zitadel instance, given its URL such as "https://acme.zitadel.cloud", and
// the id of the API's project, which is the audience that rules name. The application's access tokens must be
// of type JWT. The client must request the scopes urn:zitadel:iam:org:project:id:PROJECT:aud,
// urn:zitadel:iam:org:projects:roles and urn:zitadel:iam:user:resourceowner.
//
// The organization is the user's own. The scopes are the roles in the project that the user was granted in
// this organization: roles in other organizations and in other projects do not count. Users and clients
// cannot be told apart.
func Zitadel(url, project string) Issuer {
	return Issuer{
		URL:               url,
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT", "at+jwt"},
		RequiredClaims:    claims{"client_id": {AnyValue}, "jti": {AnyValue}}, // ID tokens have a client_id, too
		ScopeClaims:       []string{with(escape.Replace(project), "/urn:zitadel:iam:org:project:%s:roles/{scope}/{organization}")},
		OrganizationClaim: "urn:zitadel:iam:user:resourceowner:id",
	}
}

// claims are the values of claims, by their names.
type claims = map[string][]string

// with returns a format with a value, or "" for a blank value, which is then a fault.
func with(value, format string) string {
	if endpoint.IsBlank(value) {
		return ""
	}
	return fmt.Sprintf(format, value)
}

// orBlank returns a blank text for an empty one, which is then a fault.
func orBlank(text string) string { return cmp.Or(text, " ") }

// listed returns a copy of values. An empty one is then a fault: in RequiredClaims it would mean that the claim may be
// absent.
func listed(values []string) []string {
	values = slices.Clone(values)
	for n, value := range values {
		values[n] = orBlank(value)
	}
	return values
}
