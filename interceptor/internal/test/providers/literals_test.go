package providers_test

import "github.com/protoauthz/protoauthz/interceptor/token"

// literals are the issuers of the guide in token/README.md, by their setup.
func literals() map[string]token.Issuer {
	authentik := token.Issuer{
		URL:            "https://auth.example.com/application/o/orders/",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"uid": {token.AnyValue}, "azp": {token.AnyValue}, "nonce": {"", token.AnyValue}},
		ScopeClaims:    []string{"groups"},
		ClientClaims:   []string{"azp"},
	}
	casdoor := token.Issuer{
		URL:               "https://door.example.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"tokenType": {"access-token"}},
		ScopeClaims:       []string{"/roles/*/name"},
		ClientClaims:      []string{"azp"},
		OrganizationClaim: "owner",
	}
	descope := token.Issuer{
		URL:               "P2abcDEF",
		KeySetURL:         "https://api.descope.com/v2/keys/P2abcDEF",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"drn": {"DS"}, "iss": {"P2abcDEF"}},
		Audience:          "https://api.example.com",
		ScopeClaims:       []string{"/tenants/{organization}/permissions", "permissions"},
		OrganizationClaim: "dct",
	}
	duende := token.Issuer{
		URL:           "https://identity.example.com",
		Algorithms:    []string{"RS256"},
		SubjectClaims: []string{"sub", "client_id"},
		ScopeClaims:   []string{"/scope/*"},
		UserTokens:    map[string][]string{"sub": {token.AnyValue}},
	}
	fusionAuth := token.Issuer{
		URL:               "acme.com",
		KeySetURL:         "https://acme.fusionauth.io/.well-known/jwks.json",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"scope": {token.AnyValue}},
		ScopeClaims:       []string{"roles"},
		ClientClaims:      []string{"applicationId"},
		UserTokens:        map[string][]string{"applicationId": {token.AnyValue}},
		OrganizationClaim: "tid",
	}
	github := token.Issuer{
		URL:               "https://token.actions.githubusercontent.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"repository_owner_id": {"1"}},
		ClientClaims:      []string{"repository"},
		ClientTokens:      map[string][]string{"repository": {"{client}"}},
		OrganizationClaim: "repository_owner",
	}
	hydra := token.Issuer{
		URL:               "https://auth.example.com/",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"client_id": {token.AnyValue}},
		ScopeClaims:       []string{"scp", "scope"},
		ClientTokens:      map[string][]string{"sub": {"{client}"}},
		OrganizationClaim: "/ext/tenant",
	}
	kinde := token.Issuer{
		URL:               "https://acme.kinde.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"scp": {token.AnyValue}},
		SubjectClaims:     []string{"sub", "azp"},
		ScopeClaims:       []string{"permissions", "scope"},
		ClientClaims:      []string{"azp"},
		ClientTokens:      map[string][]string{"gty": {"client_credentials"}},
		OrganizationClaim: "org_code",
	}
	pingOne := token.Issuer{
		URL:            "https://auth.pingone.eu/env-1/as",
		Algorithms:     []string{"RS256"},
		Types:          []string{"", "at+jwt"},
		RequiredClaims: map[string][]string{"client_id": {token.AnyValue}},
		SubjectClaims:  []string{"sub", "client_id"},
		UserTokens:     map[string][]string{"sub": {token.AnyValue}},
	}
	return map[string]token.Issuer{
		"authentik": authentik, "casdoor/roles": casdoor, "descope": descope, "duende": duende, "fusionauth/default-issuer": fusionAuth,
		"github-actions": github, "hydra/list": hydra, "kinde": kinde, "pingone": pingOne,
	}
}

// presets are the issuers of the setups that have a preset.
func presets() map[string]token.Issuer {
	changed := func(issuer token.Issuer, change func(*token.Issuer)) token.Issuer {
		change(&issuer)
		return issuer
	}
	const (
		api   = "https://api.example.com"
		realm = "https://sso.example.com/realms/acme"
	)
	return map[string]token.Issuer{
		"logto/custom-claims":             token.Logto("https://tenant.logto.app"),
		"auth0/default-profile":           token.Auth0("acme.eu.auth0.com"),
		"auth0/namespaced-roles":          changed(token.Auth0("acme.eu.auth0.com"), func(i *token.Issuer) { i.ScopeClaims = []string{"https://acme.example/roles"} }),
		"keycloak/realm-roles":            changed(token.Keycloak(realm), func(i *token.Issuer) { i.ScopeClaims = []string{"/realm_access/roles"} }),
		"keycloak/client-roles-of-odd-id": changed(token.Keycloak(realm), func(i *token.Issuer) { i.ScopeClaims = []string{"/resource_access/my.orders~1api/roles"} }),
		"keycloak/organization-array":     token.Keycloak(realm),
		"keycloak/organization-id":        changed(token.Keycloak(realm), func(i *token.Issuer) { i.OrganizationClaim = "/organization/*/id" }),
		"okta/custom-server":              token.Okta("https://acme.okta.com/oauth2/default"),
		"entra/v2":                        token.Entra("aaaaaaaa-1111-2222-3333-444444444444"),
		"entra/v2-multitenant":            token.EntraTenants("aaaaaaaa-1111-2222-3333-444444444444", "bbbbbbbb-1111-2222-3333-444444444444"),
		"cognito/scope":                   token.Cognito("eu-west-1_AbCdEf123", api, "web1", "worker1"),
		"firebase/tenants":                token.Firebase("acme-prod", "password"),
		"google/service-account-id":       token.GoogleServiceAccounts("worker@acme-prod.iam.gserviceaccount.com"),
		"zitadel/project-roles":           token.Zitadel("https://acme-abc123.zitadel.cloud", "229"),
		"workos/session":                  token.WorkOS("client_01H", api),
		"clerk/v2":                        token.Clerk("clerk.acme.com", api, "https://app.acme.com"),
		"supabase":                        token.Supabase("https://abcdefghijklmnopqrst.supabase.co"),
		"dex":                             token.Dex("https://dex.example.com"),
		"kubernetes": changed(token.Kubernetes("https://kubernetes.default.svc.cluster.local"), func(i *token.Issuer) {
			i.KeySetURL, i.KeySetTokenFile = "https://172.18.0.2:6443/openid/v1/jwks", "testdata/pod-token"
		}),
	}
}
