package guide

import "github.com/protoauthz/protoauthz/interceptor/token"

// servers are providers that run on one's own machines, too.
func servers() []Literal {
	adfs := token.Issuer{
		URL:           "http://fs.acme.com/adfs/services/trust",
		KeySetURL:     "https://fs.acme.com/adfs/discovery/keys",
		Algorithms:    []string{"RS256"},
		Types:         []string{"JWT"},
		SubjectClaims: []string{"upn", "appid"},
		ScopeClaims:   []string{"scp"},
		ClientClaims:  []string{"appid"},
	}
	authelia := token.Issuer{
		URL:          "https://auth.example.com",
		Algorithms:   []string{"RS256"},
		ScopeClaims:  []string{"scp"},
		ClientTokens: map[string][]string{"sub": {"{client}"}},
	}
	authentik := token.Issuer{
		URL:            "https://auth.example.com/application/o/orders/",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"uid": {token.AnyValue}, "nonce": {"", token.AnyValue}},
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
	curity := token.Issuer{
		URL:            "https://idsvr.example.com/oauth/v2/oauth-anonymous",
		KeySetURL:      "https://idsvr.example.com/oauth/v2/oauth-anonymous/jwks",
		Algorithms:     []string{"RS256"},
		Types:          []string{"", "JWT", "at+jwt"},
		RequiredClaims: map[string][]string{"purpose": {"access_token"}},
	}
	duende := token.Issuer{
		URL:           "https://identity.example.com",
		Algorithms:    []string{"RS256"},
		SubjectClaims: []string{"sub", "client_id"},
		ScopeClaims:   []string{"/scope/*"},
		UserTokens:    map[string][]string{"sub": {token.AnyValue}},
	}
	hanko := token.Issuer{
		URL:            "https://f4.hanko.io",
		KeySetURL:      "https://f4.hanko.io/.well-known/jwks.json",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"session_id": {token.AnyValue}},
		UserTokens:     map[string][]string{"session_id": {token.AnyValue}},
	}
	nhost := token.Issuer{
		URL:               "hasura-auth",
		KeySetURL:         "https://abcdefgh.auth.eu-central-1.nhost.run/v1/.well-known/jwks.json",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"iss": {"hasura-auth"}, "/https:~1~1hasura.io~1jwt~1claims/x-hasura-user-is-anonymous": {"false"}},
		Audience:          "https://api.example.com",
		ScopeClaims:       []string{"/https:~1~1hasura.io~1jwt~1claims/x-hasura-allowed-roles"},
		UserTokens:        map[string][]string{"/https:~1~1hasura.io~1jwt~1claims/x-hasura-user-id": {token.AnyValue}},
		OrganizationClaim: "/https:~1~1hasura.io~1jwt~1claims/x-hasura-org-id",
	}
	openIddict := token.Issuer{
		URL:          "https://identity.example.com/",
		Algorithms:   []string{"RS256"},
		ClientTokens: map[string][]string{"sub": {"{client}"}},
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
	pingAM := token.Issuer{
		URL:            "https://openam-acme.forgeblocks.com:443/am/oauth2/alpha",
		Algorithms:     []string{"RS256"},
		Types:          []string{"JWT"},
		RequiredClaims: map[string][]string{"tokenName": {"access_token"}},
		ScopeClaims:    []string{"/scope/*"},
		ClientTokens:   map[string][]string{"grant_type": {"client_credentials"}},
		UserTokens:     map[string][]string{"grant_type": {"authorization_code", "refresh_token"}},
	}
	superTokensSessions := token.Issuer{
		URL:               "https://api.acme.com/auth",
		KeySetURL:         "https://api.acme.com/auth/jwt/jwks.json",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredHeader:    map[string][]string{"version": {token.AnyValue}},
		RequiredClaims:    map[string][]string{"iss": {"https://api.acme.com/auth"}},
		Audience:          "https://api.example.com",
		ScopeClaims:       []string{"/st-perm/v"},
		UserTokens:        map[string][]string{"sessionHandle": {token.AnyValue}},
		OrganizationClaim: "tId",
	}
	superTokensApplications := token.Issuer{
		URL:               "https://api.acme.com/auth",
		Algorithms:        []string{"RS256"},
		Types:             []string{"JWT"},
		RequiredClaims:    map[string][]string{"stt": {"1"}},
		ScopeClaims:       []string{"scp"},
		ClientTokens:      map[string][]string{"sub": {"{client}"}},
		OrganizationClaim: "tId",
	}
	vault := token.Issuer{
		URL:            "https://vault.example.com/v1/identity/oidc",
		Algorithms:     []string{"RS256"},
		Types:          []string{""},
		RequiredClaims: map[string][]string{"namespace": {"root"}},
		ScopeClaims:    []string{"groups"},
	}
	return []Literal{
		{"AD FS", "adfs", adfs},
		{"Authelia", "authelia", authelia},
		{"Authentik", "authentik", authentik},
		{"Casdoor", "casdoor/roles", casdoor},
		{"Curity", "curity", curity},
		{"Duende IdentityServer", "duende", duende},
		{"Hanko", "hanko", hanko},
		{"HashiCorp Vault", "vault/identity-token", vault},
		{"Nhost", "nhost", nhost},
		{"OpenIddict", "openiddict", openIddict},
		{"Ory Hydra", "hydra/list", hydra},
		{"Ory Hydra", "hydra/string", hydra},
		{"PingAM", "pingam", pingAM},
		{"SuperTokens", "supertokens/session", superTokensSessions},
		{"SuperTokens", "supertokens/oauth2", superTokensApplications},
	}
}
