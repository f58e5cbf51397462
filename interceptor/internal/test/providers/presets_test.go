package providers_test

import "github.com/protoauthz/protoauthz/interceptor/token"

const (
	api   = "https://api.example.com"
	realm = "https://sso.example.com/realms/acme"
)

// changed returns an issuer as a user changes it.
func changed(issuer token.Issuer, change func(*token.Issuer)) token.Issuer {
	change(&issuer)
	return issuer
}

// presets are the issuers of the setups that have a preset.
func presets() map[string]token.Issuer {
	keycloak := token.Keycloak("https://sso.example.com/realms/acme")
	keycloak.ScopeClaims = []string{"/realm_access/roles", "/resource_access/orders-api/roles"}
	keycloak.UniteScopes = true
	return map[string]token.Issuer{
		"logto/custom-claims":       token.Logto("https://tenant.logto.app"),
		"auth0/default-profile":     token.Auth0("acme.eu.auth0.com"),
		"auth0/rfc9068-profile":     token.Auth0("acme.eu.auth0.com"),
		"auth0/namespaced-roles":    changed(token.Auth0("acme.eu.auth0.com"), func(i *token.Issuer) { i.ScopeClaims = []string{"https://acme.example/roles"} }),
		"authaction":                token.AuthAction("acme.eu.authaction.com"),
		"okta/custom-server":        token.Okta("https://acme.okta.com/oauth2/default"),
		"okta/groups-claim":         changed(token.Okta("https://acme.okta.com/oauth2/default"), func(i *token.Issuer) { i.ScopeClaims = []string{"groups"} }),
		"entra/v2":                  token.Entra("aaaaaaaa-1111-2222-3333-444444444444"),
		"entra/v2-multitenant":      token.EntraTenants("aaaaaaaa-1111-2222-3333-444444444444", "bbbbbbbb-1111-2222-3333-444444444444"),
		"entra/v2-any-tenant":       token.EntraAnyTenant(),
		"cognito/scope":             token.Cognito("eu-west-1_AbCdEf123", api, "web1", "worker1"),
		"cognito/groups":            changed(token.Cognito("eu-west-1_AbCdEf123", api, "web1", "worker1"), func(i *token.Issuer) { i.ScopeClaims = []string{"cognito:groups"} }),
		"firebase/tenants":          token.Firebase("acme-prod", "password"),
		"firebase/custom-token":     changed(token.Firebase("acme-prod", "custom"), func(i *token.Issuer) { i.OrganizationClaim = "org" }),
		"google/service-account-id": token.GoogleServiceAccounts("worker@acme-prod.iam.gserviceaccount.com"),
		"google/metadata-full": changed(token.GoogleServiceAccounts("worker@acme-prod.iam.gserviceaccount.com"), func(i *token.Issuer) {
			i.RequiredClaims["/google/compute_engine/project_id"] = []string{"acme-prod"}
			i.OrganizationClaim = "/google/compute_engine/project_id"
		}),
		"zitadel/project-roles": token.Zitadel("https://acme-abc123.zitadel.cloud", "229"),
		"zitadel/service-user":  token.Zitadel("https://acme-abc123.zitadel.cloud", "229"),
		"workos/session":        token.WorkOS("client_01H", api),
		"clerk/v2":              token.Clerk("clerk.acme.com", api, "https://app.acme.com"),
		"clerk/jwt-template": changed(token.Clerk("clerk.acme.com", api, "https://app.acme.com"), func(i *token.Issuer) {
			i.RequiredHeader = map[string][]string{"cat": {"cl_B7d4PD222AAA"}}
			i.RequiredClaims = map[string][]string{"azp": {"https://app.acme.com"}}
			i.Audience, i.ScopeClaims, i.OrganizationClaim = "", []string{"permissions"}, "/org/id"
			i.UserTokens = map[string][]string{"azp": {token.AnyValue}}
		}),
		"supabase":        token.Supabase("https://abcdefghijklmnopqrst.supabase.co"),
		"dex":             token.Dex("https://dex.example.com"),
		"stytch/consumer": stytchUsers(),
		"kubernetes": changed(token.Kubernetes("https://kubernetes.default.svc.cluster.local"), func(i *token.Issuer) {
			i.KeySetURL, i.KeySetTokenFile, i.CAFile = "https://172.18.0.2:6443/openid/v1/jwks", "testdata/pod-token", ""
		}),
		"gke": public(token.Kubernetes("https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/c1")),
		"eks": public(token.Kubernetes("https://oidc.eks.eu-west-1.amazonaws.com/id/8EBD0000000000000000000000000BAE")),

		"keycloak/realm-roles":               changed(token.Keycloak(realm), func(i *token.Issuer) { i.ScopeClaims = []string{"/realm_access/roles"} }),
		"keycloak/client-roles-of-odd-id":    changed(token.Keycloak(realm), func(i *token.Issuer) { i.ScopeClaims = []string{"/resource_access/my.orders~1api/roles"} }),
		"keycloak/realm-and-client-roles":    keycloak,
		"keycloak/organization-array":        token.Keycloak(realm),
		"keycloak/organization-id":           changed(token.Keycloak(realm), func(i *token.Issuer) { i.OrganizationClaim = "/organization/*/id" }),
		"keycloak/organization-alias-object": changed(token.Keycloak(realm), func(i *token.Issuer) { i.OrganizationClaim = "/organization/{organization}" }),
		"keycloak/at+jwt":                    token.Keycloak(realm),
		"keycloak/nonce-in-access-token":     changed(token.Keycloak(realm), func(i *token.Issuer) { i.ClientTokens = map[string][]string{"clientId": {"{client}"}} }),
		"keycloak/lightweight":               changed(token.Keycloak(realm), func(i *token.Issuer) { i.ScopeClaims = []string{"/realm_access/roles"} }),
	}
}

// public is a cluster whose key set everybody can read.
func public(issuer token.Issuer) token.Issuer {
	issuer.KeySetURL, issuer.KeySetTokenFile, issuer.CAFile = "", "", ""
	return issuer
}

// stytchUsers are the sessions of a project without organizations.
func stytchUsers() token.Issuer {
	return token.Issuer{
		URL:            "stytch.com/project-live-11111111-2222",
		KeySetURL:      "https://api.stytch.com/v1/sessions/jwks/project-live-11111111-2222",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"/https:~1~1stytch.com~1session/id": {token.AnyValue}},
		ScopeClaims:    []string{"/https:~1~1stytch.com~1session/roles"},
		UserTokens:     map[string][]string{"/https:~1~1stytch.com~1session/id": {token.AnyValue}},
	}
}
