package clientauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// A Provider says where a client gets its tokens, and what the parameters of a request are
// called there. [Logto], [Auth0] and [AuthAction] fill it; for other providers, fill it by
// hand.
type Provider struct {
	// TokenURL is the token endpoint (RFC 6749 section 3.2). Required; https without a
	// query, or http on a loopback address.
	TokenURL string
	// ResourceParameter is what holds [Target.Resource]. If empty: "resource" (RFC 8707).
	ResourceParameter string
	// OrganizationParameter is what holds [Target.Organization], or empty if the provider
	// has no tokens for one organization: then asking for one is an error.
	OrganizationParameter string
	// AuthStyle is how the client shows its secret (RFC 6749 section 2.3.1):
	// [oauth2.AuthStyleInHeader], by HTTP Basic, which is meant if it is zero, or
	// [oauth2.AuthStyleInParams], in the form. It is never found out by trial: a wrong
	// attempt may count against the client.
	AuthStyle oauth2.AuthStyle
}

// Logto is a Logto tenant, given its endpoint such as "https://tenant.logto.app", with or
// without "/oidc". All three permission models: ask with a resource, with an organization,
// or with both.
func Logto(tenant string) Provider {
	return Provider{TokenURL: endpoint.WithPath(endpoint.WithPath(tenant, "/oidc"), "/token"), ResourceParameter: "resource", OrganizationParameter: "organization_id"}
}

// Auth0 is an Auth0 tenant, given its domain such as "tenant.eu.auth0.com" or a custom
// domain, without https:// and path. The resource is the API's identifier (`audience`), the
// organization its id or name (`organization`). The secret goes into the form, as
// applications of Auth0 expect unless they are told otherwise.
func Auth0(domain string) Provider {
	return Provider{
		TokenURL:          endpoint.DomainURL(domain, "/oauth/token"),
		ResourceParameter: "audience", OrganizationParameter: "organization",
		AuthStyle: oauth2.AuthStyleInParams,
	}
}

// AuthAction is an AuthAction tenant, given its domain such as "tenant.eu.authaction.com",
// without https:// and path. The resource is the API's identifier (`audience`); there are no
// organizations. The secret goes into the form: AuthAction documents no other way.
func AuthAction(domain string) Provider {
	return Provider{
		TokenURL:          endpoint.DomainURL(domain, "/oauth2/m2m/token"),
		ResourceParameter: "audience",
		AuthStyle:         oauth2.AuthStyleInParams,
	}
}

// withDefaults returns the provider as it is used, and every fault.
func (p Provider) withDefaults() (_ Provider, faults []error) {
	if endpoint.IsBlank(p.TokenURL) {
		faults = append(faults, errors.New("clientauth: the TokenURL is empty: give the tenant's endpoint or domain, or Provider.TokenURL; if a variable or a file should supply it, set the variable or fill the file"))
	} else if strings.ContainsRune(p.TokenURL, '?') {
		faults = append(faults, fmt.Errorf("clientauth: TokenURL %q: it has a query", endpoint.DisplayURL(p.TokenURL)))
	} else if err := endpoint.CheckURL(p.TokenURL); err != nil {
		faults = append(faults, fmt.Errorf("clientauth: TokenURL %q: %w", endpoint.DisplayURL(p.TokenURL), err))
	}
	if p.ResourceParameter == "" {
		p.ResourceParameter = "resource"
	}
	taken := []string{"grant_type", "scope", "client_id", "client_secret"}
	for _, name := range []string{p.ResourceParameter, p.OrganizationParameter} {
		switch {
		case name != "" && endpoint.IsBlank(name):
			faults = append(faults, errors.New("clientauth: the name of a parameter is blank"))
		case slices.Contains(taken, name):
			faults = append(faults, fmt.Errorf("clientauth: the parameter %q is used twice", name))
		}
		if name != "" {
			taken = append(taken, name)
		}
	}
	switch p.AuthStyle {
	case oauth2.AuthStyleAutoDetect:
		p.AuthStyle = oauth2.AuthStyleInHeader
	case oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams:
	default:
		faults = append(faults, fmt.Errorf("clientauth: AuthStyle %d is unknown", p.AuthStyle))
	}
	return p, faults
}
