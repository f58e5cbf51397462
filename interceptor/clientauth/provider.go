package clientauth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// A Provider describes a token endpoint: its URL, and the names of its parameters. [Logto],
// [Auth0] and [AuthAction] return one. For another provider, write a literal.
type Provider struct {
	// TokenURL is the URL of the token endpoint (RFC 6749 section 3.2), without a query.
	// Required. The scheme is https, or http on a loopback address.
	TokenURL string
	// ResourceParameter is the name of the parameter for [Target.Resource]. The default is
	// "resource" (RFC 8707).
	ResourceParameter string
	// OrganizationParameter is the name of the parameter for [Target.Organization]. If empty,
	// a target with an organization is an error.
	OrganizationParameter string
	// AuthStyle is the way in which the client sends its secret (RFC 6749 section 2.3.1):
	// [oauth2.AuthStyleInHeader] for HTTP Basic, or [oauth2.AuthStyleInParams] for the form.
	// The default, zero, is HTTP Basic. A client never tries both ways, since a wrong attempt
	// may count against it.
	AuthStyle oauth2.AuthStyle
}

// Logto returns the provider of a Logto tenant, given its endpoint such as
// "https://tenant.logto.app", with or without "/oidc". It has tokens for all three permission
// models: the target has a resource, an organization, or both.
func Logto(tenant string) Provider {
	return Provider{TokenURL: endpoint.WithPath(endpoint.WithPath(tenant, "/oidc"), "/token"), ResourceParameter: "resource", OrganizationParameter: "organization_id"}
}

// Auth0 returns the provider of an Auth0 tenant, given its domain such as
// "tenant.eu.auth0.com" or a custom domain, without https:// and path. The resource is the API's
// identifier (`audience`), and the organization is an id or a name (`organization`). The secret
// goes into the form, the default of Auth0's applications.
func Auth0(domain string) Provider {
	return Provider{
		TokenURL:          endpoint.DomainURL(domain, "/oauth/token"),
		ResourceParameter: "audience", OrganizationParameter: "organization",
		AuthStyle: oauth2.AuthStyleInParams,
	}
}

// AuthAction returns the provider of an AuthAction tenant, given its domain such as
// "tenant.eu.authaction.com", without https:// and path. The resource is the API's identifier
// (`audience`). There are no organizations. The secret goes into the form, the only way that
// AuthAction documents.
func AuthAction(domain string) Provider {
	return Provider{
		TokenURL:          endpoint.DomainURL(domain, "/oauth2/m2m/token"),
		ResourceParameter: "audience",
		AuthStyle:         oauth2.AuthStyleInParams,
	}
}

// withDefaults returns the provider with its defaults, and every fault.
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
		taken = append(taken, name)
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
