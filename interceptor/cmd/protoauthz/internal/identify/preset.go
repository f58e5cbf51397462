package identify

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A preset returns the arguments of a function of package token, given the parts of `iss`, and calls the function.
type preset struct {
	arguments func(t *Token, parts []string) []string
	call      func(arguments []string) token.Issuer
}

func whole(t *Token, _ []string) []string     { return []string{t.issuer} }
func host(t *Token, _ []string) []string      { return []string{t.host()} }
func first(_ *Token, parts []string) []string { return parts[:1] }
func one(function func(string) token.Issuer) func([]string) token.Issuer {
	return func(arguments []string) token.Issuer { return function(arguments[0]) }
}

var presets = map[string]preset{
	"Auth0":      {host, one(token.Auth0)},
	"AuthAction": {host, one(token.AuthAction)},
	"Clerk": {
		func(t *Token, _ []string) []string { return []string{t.host(), todoAudience, t.text("azp")} },
		func(a []string) token.Issuer { return token.Clerk(a[0], a[1], a[2:]...) },
	},
	"Cognito": {
		func(t *Token, parts []string) []string { return []string{parts[1], todoAudience, t.text("client_id")} },
		func(a []string) token.Issuer { return token.Cognito(a[0], a[1], a[2:]...) },
	},
	"Dex":   {whole, one(token.Dex)},
	"Entra": {first, one(token.Entra)},
	"Firebase": {
		func(t *Token, parts []string) []string {
			return []string{parts[0], t.text("/firebase/sign_in_provider")}
		},
		func(a []string) token.Issuer { return token.Firebase(a[0], a[1:]...) },
	},
	"GoogleServiceAccounts": {
		func(t *Token, _ []string) []string { return []string{t.text("email")} },
		func(a []string) token.Issuer { return token.GoogleServiceAccounts(a...) },
	},
	"Keycloak":   {whole, one(token.Keycloak)},
	"Kubernetes": {whole, one(token.Kubernetes)},
	"Logto":      {whole, one(token.Logto)},
	"Okta":       {whole, one(token.Okta)},
	"Supabase":   {func(t *Token, _ []string) []string { return []string{strings.TrimSuffix(t.issuer, "/auth/v1")} }, one(token.Supabase)},
	"WorkOS": {
		func(_ *Token, parts []string) []string { return []string{parts[0], todoAudience} },
		func(a []string) token.Issuer { return token.WorkOS(a[0], a[1]) },
	},
	"Zitadel": {
		func(t *Token, _ []string) []string { return []string{t.issuer, t.project()} },
		func(a []string) token.Issuer { return token.Zitadel(a[0], a[1]) },
	},
}

// host returns the host of `iss`.
func (t *Token) host() string {
	u, err := url.Parse(t.issuer)
	if err != nil {
		return ""
	}
	return u.Host
}

// project returns the project of Zitadel whose roles a token has.
func (t *Token) project() string {
	for _, member := range t.body.Members {
		if rest, ok := strings.CutPrefix(member.Name, "urn:zitadel:iam:org:project:"); ok {
			if project, ok := strings.CutSuffix(rest, ":roles"); ok {
				return project
			}
		}
	}
	return "TODO: the id of your project"
}

// keycloakOrganization returns the OrganizationClaim for a mapper of Keycloak that writes an object.
func (t *Token) keycloakOrganization() string {
	for _, organization := range jose.Elements(t.value("organization")) {
		for member := range jose.Elements(organization) {
			if member == "id" {
				return "/organization/*/id"
			}
		}
	}
	return "/organization/{organization}"
}

// preset fills a preset in from the token.
func (f *Finding) preset(t *Token, name string, p preset, parts []string) {
	f.Use = "token." + name
	arguments := p.arguments(t, parts)
	f.Issuer = p.call(arguments)
	changed := name == "Keycloak" && strings.HasPrefix(t.value("organization"), "{")
	if changed {
		f.Issuer.OrganizationClaim = t.keycloakOrganization()
	}
	if !f.check(t) {
		return
	}
	var quoted []string
	for _, argument := range arguments {
		quoted = append(quoted, fmt.Sprintf("%q", argument))
	}
	f.Go = "issuer := token." + name + "(" + strings.Join(quoted, ", ") + ")\n"
	if changed {
		f.Go += fmt.Sprintf("issuer.OrganizationClaim = %q\n", f.Issuer.OrganizationClaim)
	}
	if own := map[string]string{"Clerk": "origin", "Cognito": "client", "Firebase": "sign-in provider", "GoogleServiceAccounts": "address"}[name]; own != "" {
		f.Todo = append(f.Todo, "the last argument is the token's own "+own+": make sure that it is yours, and list all that may call")
	}
}
