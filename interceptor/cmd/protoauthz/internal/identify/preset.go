package identify

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A preset returns the arguments of a function of package token, given the parts of `iss`, and calls the function. It
// may change the issuer, and then returns the Go code that does so.
type preset struct {
	arguments func(t *Token, parts []string) []string
	call      func(arguments []string) token.Issuer
	change    func(t *Token, issuer *token.Issuer) string
}

func whole(t *Token, _ []string) []string     { return []string{t.issuer} }
func host(t *Token, _ []string) []string      { return []string{t.host()} }
func first(_ *Token, parts []string) []string { return parts[:1] }
func one(function func(string) token.Issuer) func([]string) token.Issuer {
	return func(arguments []string) token.Issuer { return function(arguments[0]) }
}

var presets = map[string]preset{
	"Auth0":      {host, one(token.Auth0), nil},
	"AuthAction": {host, one(token.AuthAction), nil},
	"Clerk": {
		func(t *Token, _ []string) []string { return []string{t.host(), todoAudience, t.text("azp")} },
		func(a []string) token.Issuer { return token.Clerk(a[0], a[1], a[2:]...) },
		nil,
	},
	"Cognito": {
		func(t *Token, parts []string) []string { return []string{parts[1], todoAudience, t.text("client_id")} },
		func(a []string) token.Issuer { return token.Cognito(a[0], a[1], a[2:]...) },
		nil,
	},
	"Dex":   {whole, one(token.Dex), nil},
	"Entra": {first, one(token.Entra), nil},
	"Firebase": {
		func(t *Token, parts []string) []string {
			return []string{parts[0], t.text("/firebase/sign_in_provider")}
		},
		func(a []string) token.Issuer { return token.Firebase(a[0], a[1:]...) },
		nil,
	},
	"GoogleServiceAccounts": {
		func(t *Token, _ []string) []string { return []string{t.text("email")} },
		func(a []string) token.Issuer { return token.GoogleServiceAccounts(a...) },
		nil,
	},
	"Keycloak":   {whole, one(token.Keycloak), (*Token).keycloak},
	"Kubernetes": {whole, one(token.Kubernetes), (*Token).kubernetes},
	"Logto":      {whole, one(token.Logto), nil},
	"Okta":       {whole, one(token.Okta), nil},
	"Supabase":   {func(t *Token, _ []string) []string { return []string{strings.TrimSuffix(t.issuer, "/auth/v1")} }, one(token.Supabase), nil},
	"WorkOS": {
		func(_ *Token, parts []string) []string { return []string{parts[0], todoAudience} },
		func(a []string) token.Issuer { return token.WorkOS(a[0], a[1]) },
		nil,
	},
	"Zitadel": {
		func(t *Token, _ []string) []string { return []string{t.issuer, t.project()} },
		func(a []string) token.Issuer { return token.Zitadel(a[0], a[1]) },
		nil,
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

// keycloak sets the OrganizationClaim for a mapper that writes an object.
func (t *Token) keycloak(issuer *token.Issuer) (code string) {
	organizations := t.value("organization")
	if !strings.HasPrefix(organizations, "{") {
		return ""
	}
	issuer.OrganizationClaim = "/organization/{organization}"
	for _, organization := range jose.Elements(organizations) {
		for member := range jose.Elements(organization) {
			if member == "id" {
				issuer.OrganizationClaim = "/organization/*/id"
			}
		}
	}
	return fmt.Sprintf("issuer.OrganizationClaim = %q\n", issuer.OrganizationClaim)
}

// kubernetes has everybody's key set in place of the cluster's own, for EKS and GKE.
func (t *Token) kubernetes(issuer *token.Issuer) (code string) {
	if host := t.host(); host != "container.googleapis.com" && !strings.HasPrefix(host, "oidc.eks.") {
		return ""
	}
	issuer.KeySetURL, issuer.KeySetTokenFile, issuer.CAFile = "", "", ""
	return `issuer.KeySetURL, issuer.KeySetTokenFile, issuer.CAFile = "", "", ""` + "\n"
}

// preset fills a preset in from the token.
func (f *Finding) preset(t *Token, name string, p preset, parts []string) {
	f.Use = "token." + name
	arguments, change := p.arguments(t, parts), ""
	f.Issuer = p.call(arguments)
	if p.change != nil {
		change = p.change(t, &f.Issuer)
	}
	if !f.check(t) {
		return
	}
	var quoted []string
	for _, argument := range arguments {
		quoted = append(quoted, fmt.Sprintf("%q", argument))
	}
	f.Go = "issuer := token." + name + "(" + strings.Join(quoted, ", ") + ")\n" + change
	if own := map[string]string{"Clerk": "origin", "Cognito": "client", "Firebase": "sign-in provider", "GoogleServiceAccounts": "address"}[name]; own != "" {
		f.Todo = append(f.Todo, "the last argument is the token's own "+own+": make sure that it is yours, and list all that may call")
	}
}
