package clientauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// A Provider describes a token endpoint: its URL, and the names of its parameters. [Logto],
// [Auth0] and [AuthAction] return one. For another provider, write a literal.
type Provider struct {
	// TokenURL is the URL of the token endpoint (RFC 6749 section 3.2), without a query.
	// Required. The scheme is https, or http to this machine: see InsecureHTTPHosts.
	TokenURL string
	// InsecureHTTPHosts has the host of TokenURL if plain http to that host is allowed: its exact name or
	// address without scheme, port and path, such as "logto". Case does not matter. Whoever can read the
	// requests on the way has the client's secret and its tokens. List the host only if the network to it is
	// as safe as this process, such as the network of one docker compose, or a mesh whose sidecars encrypt.
	//
	// Plain http to this machine needs no entry, and uses no proxy: see [token.Issuer.InsecureHTTPHosts].
	InsecureHTTPHosts []string
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

// plainHTTP decides whether plain http to the token endpoint is allowed.
func (p Provider) plainHTTP() endpoint.PlainHTTP {
	return endpoint.PlainHTTP{Setting: "Provider.InsecureHTTPHosts", Hosts: p.InsecureHTTPHosts}
}

// checkTokenURL refuses a URL of the token endpoint that is not secure with a transport.
func (p Provider) checkTokenURL(transport http.RoundTripper) error {
	if err := p.plainHTTP().CheckURL(p.TokenURL); err != nil {
		return err
	}
	u, _ := url.Parse(p.TokenURL) // CheckURL has parsed it
	return p.plainHTTP().Check(u, transport)
}

// withDefaults returns the provider with its defaults, and every fault, given the transport.
func (p Provider) withDefaults(transport http.RoundTripper) (_ Provider, faults []error) {
	if endpoint.IsBlank(p.TokenURL) {
		faults = append(faults, errors.New("clientauth: the TokenURL is empty: give the tenant's endpoint or domain, or Provider.TokenURL; if a variable or a file should supply it, set the variable or fill the file"))
	} else if strings.ContainsRune(p.TokenURL, '?') {
		faults = append(faults, fmt.Errorf("clientauth: TokenURL %q: it has a query", endpoint.DisplayURL(p.TokenURL)))
	} else if err := p.checkTokenURL(transport); err != nil {
		faults = append(faults, fmt.Errorf("clientauth: TokenURL %q: %w", endpoint.DisplayURL(p.TokenURL), err))
	}
	p.InsecureHTTPHosts = slices.Clone(p.InsecureHTTPHosts)
	for _, fault := range p.plainHTTP().Faults(p.TokenURL) {
		faults = append(faults, fmt.Errorf("clientauth: %w", fault))
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
