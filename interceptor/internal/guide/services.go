package guide

import "github.com/protoauthz/protoauthz/interceptor/token"

// services are providers that users sign in with, by name up to Frontegg.
func services() []Literal {
	asgardeo := token.Issuer{
		URL:               "https://api.asgardeo.io/t/acme/oauth2/token",
		Algorithms:        []string{"RS256"},
		ScopeClaims:       []string{"/scope"},
		ClientTokens:      map[string][]string{"aut": {"APPLICATION"}},
		UserTokens:        map[string][]string{"aut": {"APPLICATION_USER"}},
		OrganizationClaim: "org_id",
	}
	b2c := token.Issuer{
		URL:            "https://acme.b2clogin.com/aaaaaaaa-1111-2222-3333-444444444444/v2.0/",
		KeySetURL:      "https://acme.b2clogin.com/acme.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"azp": {token.AnyValue}, "tfp": {"B2C_1_signin"}},
		ScopeClaims:    []string{"scp"},
		ClientClaims:   []string{"azp"},
	}
	clerkMachines := token.Issuer{
		URL:            "https://clerk.acme.com",
		KeySetURL:      "https://clerk.acme.com/.well-known/jwks.json",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"sub": {"mch_worker"}},
		ScopeClaims:    []string{"sub"},
		ClientClaims:   []string{"sub"},
		ClientTokens:   map[string][]string{"sub": {"{client}"}},
	}
	clerkApplications := token.Issuer{
		URL:            "https://clerk.acme.com",
		KeySetURL:      "https://clerk.acme.com/.well-known/jwks.json",
		Algorithms:     []string{"RS256"},
		RequiredClaims: map[string][]string{"client_id": {"client_2VTW"}},
		Audience:       "https://api.example.com",
		ScopeClaims:    []string{"scp", "scope"},
		UserTokens:     map[string][]string{"sub": {token.AnyValue}},
	}
	cloudflare := token.Issuer{
		URL:            "https://acme.cloudflareaccess.com",
		KeySetURL:      "https://acme.cloudflareaccess.com/cdn-cgi/access/certs",
		Algorithms:     []string{"RS256"},
		Types:          []string{""},
		RequiredClaims: map[string][]string{"type": {"app"}},
		SubjectClaims:  []string{"common_name", "sub"},
		ClientClaims:   []string{"common_name"},
		ClientTokens:   map[string][]string{"common_name": {token.AnyValue}},
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
	entraV1 := token.Issuer{
		URL:            "https://sts.windows.net/aaaaaaaa-1111-2222-3333-444444444444/",
		KeySetURL:      "https://login.microsoftonline.com/aaaaaaaa-1111-2222-3333-444444444444/discovery/keys",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"appid": {token.AnyValue}},
		ScopeClaims:    []string{"scp", "roles"},
		UniteScopes:    true,
		ClientClaims:   []string{"appid"},
		ClientTokens:   map[string][]string{"idtyp": {"app"}},
		UserTokens:     map[string][]string{"scp": {token.AnyValue}},
	}
	externalID := token.Entra("aaaaaaaa-1111-2222-3333-444444444444")
	externalID.URL = "https://aaaaaaaa-1111-2222-3333-444444444444.ciamlogin.com/aaaaaaaa-1111-2222-3333-444444444444/v2.0"
	frontegg := token.Issuer{
		URL:               "https://app-abcdefghijkl.frontegg.com",
		KeySetURL:         "https://app-abcdefghijkl.frontegg.com/.well-known/jwks.json",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"type": {"userToken", "userApiToken", "tenantApiToken", "tenantAccessToken"}},
		ScopeClaims:       []string{"permissions"},
		ClientTokens:      map[string][]string{"type": {"tenantApiToken", "tenantAccessToken"}},
		UserTokens:        map[string][]string{"type": {"userToken"}},
		OrganizationClaim: "tenantId",
	}
	return []Literal{
		{"Asgardeo", "asgardeo", asgardeo},
		{"Azure AD B2C", "entra/b2c", b2c},
		{"Clerk", "clerk/m2m", clerkMachines},
		{"Clerk", "clerk/oauth", clerkApplications},
		{"Cloudflare Access", "cloudflare-access", cloudflare},
		{"Descope", "descope", descope},
		{"Entra ID, version 1.0", "entra/v1", entraV1},
		{"Entra External ID", "entra/external-id", externalID},
		{"Frontegg", "frontegg", frontegg},
	}
}

// moreServices are the others, from FusionAuth on.
func moreServices() []Literal {
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
	iap := token.Issuer{
		URL:        "https://cloud.google.com/iap",
		KeySetURL:  "https://www.gstatic.com/iap/verify/public_key-jwk",
		Algorithms: []string{"ES256"},
		Types:      []string{"JWT"},
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
	salesforce := token.Issuer{
		URL:            "https://acme.my.salesforce.com",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredHeader: map[string][]string{"tty": {"sfdc-core-token"}},
		RequiredClaims: map[string][]string{"client_id": {"web"}},
		ScopeClaims:    []string{"scp"},
	}
	ias := token.Issuer{
		URL:               "https://acme.accounts.ondemand.com",
		Algorithms:        []string{"RS256"},
		Types:             []string{""},
		RequiredClaims:    map[string][]string{"ias_apis": {token.AnyValue}},
		ScopeClaims:       []string{"ias_apis"},
		ClientClaims:      []string{"azp"},
		ClientTokens:      map[string][]string{"sap_id_type": {"app"}},
		UserTokens:        map[string][]string{"sap_id_type": {"user"}},
		OrganizationClaim: "app_tid",
	}
	xsuaa := token.Issuer{
		URL:               "https://acme.authentication.eu10.hana.ondemand.com/oauth/token",
		KeySetURL:         "https://acme.authentication.eu10.hana.ondemand.com/token_keys",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		ScopeClaims:       []string{"/scope/*"},
		ClientTokens:      map[string][]string{"grant_type": {"client_credentials"}},
		UserTokens:        map[string][]string{"user_id": {token.AnyValue}},
		OrganizationClaim: "zid",
	}
	stytchMembers := token.Issuer{
		URL:               "stytch.com/project-live-11111111-2222",
		KeySetURL:         "https://api.stytch.com/v1/b2b/sessions/jwks/project-live-11111111-2222",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"/https:~1~1stytch.com~1session/id": {token.AnyValue}, "/https:~1~1stytch.com~1organization/organization_id": {token.AnyValue}},
		ScopeClaims:       []string{"/https:~1~1stytch.com~1session/roles"},
		UserTokens:        map[string][]string{"/https:~1~1stytch.com~1session/id": {token.AnyValue}},
		OrganizationClaim: "/https:~1~1stytch.com~1organization/organization_id",
	}
	stytchMachines := token.Issuer{
		URL:            "stytch.com/project-live-11111111-2222",
		KeySetURL:      "https://api.stytch.com/v1/sessions/jwks/project-live-11111111-2222",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"sub": {"m2m-client-live-d731954d"}},
		ClientClaims:   []string{"sub"},
		ClientTokens:   map[string][]string{"sub": {"{client}"}},
	}
	workOSConnect := token.Issuer{
		URL:               "https://acme.authkit.app",
		Algorithms:        []string{"RS256"},
		Types:             []string{"", "JWT", "at+jwt"},
		RequiredClaims:    map[string][]string{"client_id": {token.AnyValue}},
		ClientTokens:      map[string][]string{"sub": {"{client}"}},
		OrganizationClaim: "org_id",
	}
	return []Literal{
		{"FusionAuth", "fusionauth/default-issuer", fusionAuth},
		{"Google Identity-Aware Proxy", "google/iap", iap},
		{"Kinde", "kinde", kinde},
		{"PingOne", "pingone", pingOne},
		{"Salesforce", "salesforce/jwt-access-token", salesforce},
		{"SAP Cloud Identity Services", "sap/ias", ias},
		{"SAP XSUAA", "sap/xsuaa", xsuaa},
		{"Stytch", "stytch/b2b", stytchMembers},
		{"Stytch", "stytch/m2m", stytchMachines},
		{"WorkOS Connect", "workos/connect", workOSConnect},
	}
}
