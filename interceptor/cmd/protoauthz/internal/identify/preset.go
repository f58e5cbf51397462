package identify

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A preset is a function of package token that takes texts and returns an issuer. The arguments are the names of
// claims, or names that Token.argument knows. A change, if there is one, changes fields of the issuer, and returns the
// Go code that does the same.
type preset struct {
	function  any
	arguments string
	change    func(t *Token, issuer *token.Issuer) string
}

var presets = map[string]preset{
	"Auth0":                 {token.Auth0, "host", nil},
	"AuthAction":            {token.AuthAction, "host", nil},
	"Clerk":                 {token.Clerk, "host audience azp", nil},
	"Cognito":               {token.Cognito, "second audience client_id", nil},
	"Dex":                   {token.Dex, "iss", nil},
	"Entra":                 {token.Entra, "first", nil},
	"Firebase":              {token.Firebase, "first /firebase/sign_in_provider", nil},
	"GoogleServiceAccounts": {token.GoogleServiceAccounts, "email", nil},
	"Keycloak":              {token.Keycloak, "iss", (*Token).keycloak},
	"Kubernetes":            {token.Kubernetes, "iss", (*Token).kubernetes},
	"Logto":                 {token.Logto, "iss", nil},
	"Okta":                  {token.Okta, "iss", nil},
	"Supabase":              {token.Supabase, "iss", nil},
	"WorkOS":                {token.WorkOS, "first audience", nil},
	"Zitadel":               {token.Zitadel, "iss project", nil},
}

// argument returns an argument of a preset, given the parts of `iss`.
func (t *Token) argument(name string, parts []string) string {
	switch name {
	case "host":
		return t.host()
	case "first":
		return parts[0]
	case "second":
		return parts[1]
	case "audience":
		return todoAudience
	case "project":
		return t.project()
	default:
		return t.text(name)
	}
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

// keycloak sets OrganizationClaim if the mapper writes an object.
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

// kubernetes clears the fields for a key set inside the cluster: everybody can read the key sets of EKS and GKE.
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
	var arguments []reflect.Value
	var quoted []string
	for argument := range strings.FieldsSeq(p.arguments) {
		text := t.argument(argument, parts)
		arguments, quoted = append(arguments, reflect.ValueOf(text)), append(quoted, strconv.Quote(text))
	}
	function := reflect.ValueOf(p.function)
	f.Issuer = function.Call(arguments)[0].Interface().(token.Issuer) //nolint:errcheck // each function in presets returns an Issuer
	change := ""
	if p.change != nil {
		change = p.change(t, &f.Issuer)
	}
	change += f.listHost(t)
	if !f.check(t) {
		return
	}
	f.Go = "issuer := token." + name + "(" + strings.Join(quoted, ", ") + ")\n" + change
	if function.Type().IsVariadic() {
		f.Todo = append(f.Todo, "the last argument is the token's own: make sure that it is yours, and list all that may call")
	}
}

// listHost lists the host of an `iss` if the metadata is there, over plain http and on another machine, as in docker
// compose. It returns the Go code for the entry.
func (f *Finding) listHost(t *Token) (code string) {
	u, err := url.Parse(t.issuer)
	if err != nil || u.Scheme != "http" || f.Issuer.KeySetURL != "" || new(endpoint.PlainHTTP).CheckURL(t.issuer) == nil {
		return ""
	}
	f.Issuer.InsecureHTTPHosts = []string{u.Hostname()}
	f.Todo = append(f.Todo, "InsecureHTTPHosts lets everybody who can answer for the host make tokens: read interceptor/docs/local-development.md, or use https")
	return fmt.Sprintf("issuer.InsecureHTTPHosts = []string{%q}\n", u.Hostname())
}
