package identify

// A row tells that a provider has issued a token. The first row that a token meets counts.
type row struct {
	provider string
	use      string // a preset of package token, a literal of package guide, or empty if no API should accept the token
	iss      string // see match
	marks    string // see Token.is
}

// rows are sorted by how much `iss` tells: hosts and paths of one provider, then paths that many hosts may have, then
// claims that one provider alone writes.
var rows = []row{
	{"AuthAction", "AuthAction", "https://<>.authaction.com", ""},
	{"Auth0", "Auth0", "https://<>.auth0.com/", ""},
	{"AWS", "aws/outbound-federation", "https://<a188ffe2-94b1-49e6-a35a-a937a3f68d5b>.tokens.sts.global.api.aws", ""},
	{"Azure AD B2C", "entra/b2c", "https://<acme>.b2clogin.com/<aaaaaaaa-1111-2222-3333-444444444444>/v2.0/", ""},
	{"Bitbucket Pipelines", "bitbucket-pipelines", "https://api.bitbucket.org/2.0/workspaces/<acme>/pipelines-config/identity/oidc", ""},
	{"Buildkite", "buildkite", "https://agent.buildkite.com", ""},
	{"CircleCI", "circleci", "https://oidc.circleci.com/org/<c9035eb6-6eb2-4c85-8a81-d9ed6a1d1d1e>", ""},
	{"Cloudflare Access", "cloudflare-access", "https://<acme>.cloudflareaccess.com", ""},
	{"Cognito", "Cognito", "https://cognito-idp.<>.amazonaws.com/<>", ""},
	{"Descope", "descope", "https://api.descope.com/<P2abcDEF>", "drn"},
	{"Descope", "descope", "<*P2abcDEF>", "drn"},
	{"Entra ID", "Entra", "https://login.microsoftonline.com/<>/v2.0", ""},
	{"Entra ID, version 1.0", "entra/v1", "https://sts.windows.net/<aaaaaaaa-1111-2222-3333-444444444444>/", ""},
	{"Entra External ID", "entra/external-id", "https://<aaaaaaaa-1111-2222-3333-444444444444>.ciamlogin.com/<aaaaaaaa-1111-2222-3333-444444444444>/v2.0", ""},
	{"Firebase", "Firebase", "https://securetoken.google.com/<>", ""},
	{"Firebase", "", "https://session.firebase.google.com/<>", ""},
	{"Frontegg", "frontegg", "https://<app-abcdefghijkl>.frontegg.com", ""},
	{"GitHub Actions", "github-actions", "https://token.actions.githubusercontent.com", ""},
	{"GitLab CI/CD", "gitlab-ci", "https://gitlab.com", ""},
	{"Google", "GoogleServiceAccounts", "https://accounts.google.com", ""},
	{"Google Identity-Aware Proxy", "google/iap", "https://cloud.google.com/iap", ""},
	{"Hanko", "hanko", "https://<f4>.hanko.io", ""},
	{"HCP Terraform", "terraform-cloud", "https://app.terraform.io", ""},
	{"Kinde", "kinde", "https://<acme>.kinde.com", ""},
	{"Kubernetes", "Kubernetes", "https://kubernetes.default.svc<*>", ""},
	{"Kubernetes", "Kubernetes", "https://oidc.eks.<>.amazonaws.com/id/<>", ""},
	{"Kubernetes", "Kubernetes", "https://container.googleapis.com/v1/projects/<*>", ""},
	{"Logto", "Logto", "https://<>.logto.app/oidc", ""},
	{"Nhost", "nhost", "<*hasura-auth>", "https://hasura.io/jwt/claims"},
	{"Okta", "Okta", "https://<>.okta.com/oauth2/<>", ""},
	{"Okta", "", "https://<>.okta.com", ""},
	{"PingOne", "pingone", "https://auth.pingone.<eu>/<env-1>/as", ""},
	{"Salesforce", "salesforce/jwt-access-token", "https://<acme>.my.salesforce.com", ""},
	{"SAP Cloud Identity Services", "sap/ias", "https://<acme>.accounts.ondemand.com", ""},
	{"SAP XSUAA", "sap/xsuaa", "https://<acme>.authentication.<eu10>.hana.ondemand.com/oauth/token", ""},
	{"Stytch", "stytch/m2m", "stytch.com/<project-live-11111111-2222>", "sub^=m2m-client"},
	{"Stytch", "stytch/b2b", "stytch.com/<project-live-11111111-2222>", ""},
	{"Supabase", "Supabase", "https://<>.supabase.co/auth/v1", ""},
	{"Vercel", "vercel", "https://oidc.vercel.com/<acme>", ""},
	{"Vercel", "", "https://oidc.vercel.com", ""},
	{"WorkOS", "WorkOS", "https://api.workos.com/user_management/<>", ""},
	{"WorkOS Connect", "workos/connect", "https://<acme>.authkit.app", ""},
	{"Zitadel", "Zitadel", "https://<>.zitadel.cloud", ""},

	{"AD FS", "adfs", "http://<fs.acme.com>/adfs/services/trust", ""},
	{"AD FS", "", "https://<>/adfs", ""},
	{"Asgardeo", "asgardeo", "https://api.asgardeo.io/t/<acme>/oauth2/token", ""},
	{"Asgardeo", "asgardeo", "<*https://api.asgardeo.io/t/acme/oauth2/token>", "aut^=APPLICATION"},
	{"Authentik", "authentik", "https://<auth.example.com>/application/o/<orders>/", ""},
	{"HashiCorp Vault", "", "https://<>/v1/<*>identity/oidc/provider/<>", ""},
	{"HashiCorp Vault", "vault/identity-token", "https://<vault.example.com>/v1/<*>identity/oidc", ""},
	{"Keycloak", "Keycloak", "<*>/realms/<>", ""},
	{"Logto", "Logto", "<*>/oidc", "header.typ=at+jwt header.alg=ES384"},
	{"Okta", "Okta", "https://<>/oauth2/<>", "cid ver"},
	{"PingAM", "pingam", "https://<openam-acme.forgeblocks.com:443>/am/oauth2/<*alpha>", ""},
	{"Supabase", "Supabase", "<*>/auth/v1", "app_metadata"},

	{"Casdoor", "casdoor/roles", "<*https://door.example.com>", "tokenType owner"},
	{"Clerk", "Clerk", "<*>", "header.cat=cl_B7d4PD111AAA"},
	{"Clerk", "Clerk", "<*>", "header.cat=cl_B7d4PD222AAA"},
	{"Clerk", "clerk/m2m", "<*https://clerk.acme.com>", "header.cat=cl_B7d4PD333AAA"},
	{"Clerk", "clerk/oauth", "https://<clerk.acme.com>", "header.typ=at+jwt client_id^=client_ sub^=user_"},
	{"Curity", "curity", "<*https://idsvr.example.com/oauth/v2/oauth-anonymous>", "purpose delegationId"},
	{"Curity", "curity", "<*https://idsvr.example.com>/oauth/v2/oauth-anonymous", "purpose"},
	{"Dex", "Dex", "<*>", "at_hash !header.typ sub^=Cg|Ch|Ci|Cj"},
	{"FusionAuth", "fusionauth/default-issuer", "<*acme.com>", "applicationId authenticationType"},
	{"GitLab CI/CD", "gitlab-ci", "<*https://gitlab.com>", "project_path namespace_path pipeline_source"},
	{"Hanko", "hanko", "<*https://f4.hanko.io>", "session_id /email/is_verified"},
	{"Kubernetes", "Kubernetes", "<*>", "/kubernetes.io/serviceaccount"},
	{"OpenIddict", "openiddict", "<*https://identity.example.com/>", "oi_prst"},
	{"OpenIddict", "openiddict", "<*https://identity.example.com/>", "oi_tkn_id"},
	{"Ory Hydra", "hydra/list", "<*https://auth.example.com/>", "ext client_id"},
	{"Ory Hydra", "hydra/list", "<*https://auth.example.com/>", "rat !rexp"},
	{"PingAM", "pingam", "<*https://openam-acme.forgeblocks.com:443/am/oauth2/alpha>", "tokenName realm"},
	{"Salesforce", "salesforce/jwt-access-token", "<*https://acme.my.salesforce.com>", "header.tty=sfdc-core-token"},
	{"SAP Cloud Identity Services", "sap/ias", "<*https://acme.accounts.ondemand.com>", "ias_iss"},
	{"SPIFFE", "spiffe/jwt-svid", "<*https://oidc.example.org>", "sub^=spiffe://"},
	{"SuperTokens", "supertokens/oauth2", "<*https://api.acme.com/auth>", "stt"},
	{"SuperTokens", "supertokens/session", "<*https://api.acme.com/auth>", "header.version sessionHandle"},
	{"Zitadel", "Zitadel", "<*>", "urn:zitadel:iam:user:resourceowner:id"},
	{"Zitadel", "Zitadel", "<*>", "urn:zitadel:iam:org:project:roles"},
	{"Duende IdentityServer", "duende", "<*https://identity.example.com>", "header.typ=at+jwt scope[] client_id"},
}

// lists are the RequiredClaims of a literal whose values are the user's own. The token supplies them.
var lists = map[string][]string{
	"aws/outbound-federation":     {"sub"},
	"bitbucket-pipelines":         {"workspaceUuid"},
	"buildkite":                   {"organization_id"},
	"circleci":                    {"/oidc.circleci.com~1project-id"},
	"clerk/m2m":                   {"sub"},
	"clerk/oauth":                 {"client_id"},
	"entra/b2c":                   {"tfp"},
	"github-actions":              {"repository_owner_id"},
	"gitlab-ci":                   {"namespace_id", "job_namespace_id"},
	"salesforce/jwt-access-token": {"client_id"},
	"spiffe/jwt-svid":             {"sub"},
	"stytch/m2m":                  {"sub"},
	"terraform-cloud":             {"terraform_organization_id"},
	"vault/identity-token":        {"namespace"},
	"vercel":                      {"owner_id"},
}

// ownKeys are the literals whose key set does not follow from `iss`.
var ownKeys = map[string]bool{"entra/b2c": true, "fusionauth/default-issuer": true, "nhost": true}
