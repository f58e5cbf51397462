package devissuer

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// organizationURN is the prefix of an organization's id in the audience of an organization token.
const organizationURN = "urn:logto:organization:"

// Config describes the tenant that an [Issuer] serves. The zero value is valid: it has no clients,
// and [Issuer.Mint] works.
type Config struct {
	// Resources maps the resource indicator of each API (an absolute URI without fragment,
	// RFC 8707 §2) to the scopes of the API. Indicators that start with urn:logto: are reserved.
	Resources map[string][]string

	// OrganizationScopes lists the permissions inside an organization that belong to no API.
	OrganizationScopes []string

	// Organizations lists the organizations' ids.
	Organizations []string

	// Clients lists the applications that may ask for tokens.
	Clients []Client

	// SigningAlgorithm is ES384 (the default, as in Logto), ES256 or RS256.
	SigningAlgorithm string

	// TokenLifetime is how long a token is valid, in whole seconds of at least one. The default
	// is one hour.
	TokenLifetime time.Duration

	// AllowRemote answers requests from other machines. Then anybody who reaches the server and
	// knows a client's secret gets tokens. The Host header must still name the issuer's host or a
	// loopback host. The default, false, refuses such requests. It also refuses the requests of
	// [net/http/httptest.NewRequest], since their RemoteAddr is not a loopback address: clear
	// RemoteAddr, or use [net/http.NewRequest].
	AllowRemote bool
}

// A Client is a machine-to-machine application: its credentials, and what its roles grant.
type Client struct {
	// ID and Secret are the client's credentials, both required, of printable ASCII characters.
	ID     string
	Secret string

	// Scopes maps resource indicators to the API scopes that the client holds globally.
	Scopes map[string][]string

	// Organizations maps organization ids to the client's memberships.
	Organizations map[string]Membership
}

// A Membership is what a client holds inside one organization. The zero value is a membership
// without any role.
type Membership struct {
	// OrganizationScopes are the organization scopes of the client, in the order of the tokens.
	OrganizationScopes []string

	// Scopes maps resource indicators to the API scopes that the client holds in the organization.
	Scopes map[string][]string
}

// withDefaults returns a copy with the defaults. The copy owns its resources and clients.
func (c Config) withDefaults() Config {
	if c.SigningAlgorithm == "" {
		c.SigningAlgorithm = "ES384"
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = time.Hour
	}
	c.Resources = cloneScopes(c.Resources)
	c.Clients = slices.Clone(c.Clients)
	for i, client := range c.Clients {
		c.Clients[i].Scopes = cloneScopes(client.Scopes)
		c.Clients[i].Organizations = make(map[string]Membership, len(client.Organizations))
		for organization, membership := range client.Organizations {
			c.Clients[i].Organizations[organization] = Membership{
				OrganizationScopes: slices.Clone(membership.OrganizationScopes),
				Scopes:             cloneScopes(membership.Scopes),
			}
		}
	}
	return c
}

func cloneScopes(byResource map[string][]string) map[string][]string {
	clone := make(map[string][]string, len(byResource))
	for resource, scopes := range byResource {
		clone[resource] = slices.Clone(scopes)
	}
	return clone
}

// scopes returns every scope of the tenant once, sorted.
func (c Config) scopes() []string {
	all := append([]string{}, c.OrganizationScopes...)
	for _, scopes := range c.Resources {
		all = append(all, scopes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// validate returns every fault, joined, in an order that does not depend on the order of maps.
func (c Config) validate() error {
	var faults []error
	report := func(field, format string, args ...any) {
		faults = append(faults, fault(field, format, args...))
	}
	checkScopes := func(field string, scopes []string, valid func(string) bool, complaint string) {
		for n, scope := range scopes {
			switch {
			case !valid(scope):
				report(field, "%q %s", scope, complaint)
			case slices.Contains(scopes[:n], scope):
				report(field, "%q stands twice", scope)
			}
		}
	}
	oneOf := func(known []string) func(string) bool {
		return func(scope string) bool { return slices.Contains(known, scope) }
	}
	checkGrants := func(field string, grants map[string][]string) {
		for _, resource := range slices.Sorted(maps.Keys(grants)) {
			at := fmt.Sprintf("%s[%q]", field, resource)
			if known, ok := c.Resources[resource]; ok {
				checkScopes(at, grants[resource], oneOf(known), "is not a scope of the resource")
			} else {
				report(at, "no such resource")
			}
		}
	}

	for _, resource := range slices.Sorted(maps.Keys(c.Resources)) {
		at := fmt.Sprintf("Resources[%q]", resource)
		if u, err := url.Parse(resource); err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			report(at, "must be an absolute URI without fragment")
		}
		if strings.HasPrefix(resource, "urn:logto:") {
			report(at, "urn:logto: is reserved")
		}
		checkScopes(at, c.Resources[resource], isScope, "is not a scope (RFC 6749 §3.3)")
	}
	checkScopes("OrganizationScopes", c.OrganizationScopes, isScope, "is not a scope (RFC 6749 §3.3)")
	for n, organization := range c.Organizations {
		at := fmt.Sprintf("Organizations[%d]", n)
		if !isPrintable(organization) || strings.Contains(organization, " ") {
			report(at, "must be printable ASCII characters without space, at least one")
		}
		if slices.Contains(c.Organizations[:n], organization) {
			report(at, "%q stands twice", organization)
		}
	}
	for n, client := range c.Clients {
		at := fmt.Sprintf("Clients[%d]", n)
		if !isPrintable(client.ID) {
			report(at+".ID", "must be printable ASCII characters, at least one")
		}
		if slices.ContainsFunc(c.Clients[:n], func(other Client) bool { return other.ID == client.ID }) {
			report(at+".ID", "%q stands twice", client.ID)
		}
		if !isPrintable(client.Secret) {
			report(at+".Secret", "must be printable ASCII characters, at least one")
		}
		checkGrants(at+".Scopes", client.Scopes)
		for _, organization := range slices.Sorted(maps.Keys(client.Organizations)) {
			at := fmt.Sprintf("%s.Organizations[%q]", at, organization)
			if !slices.Contains(c.Organizations, organization) {
				report(at, "no such organization")
			}
			membership := client.Organizations[organization]
			checkScopes(at+".OrganizationScopes", membership.OrganizationScopes,
				oneOf(c.OrganizationScopes), "is not an organization scope")
			checkGrants(at+".Scopes", membership.Scopes)
		}
	}
	switch c.SigningAlgorithm {
	case "", "ES384", "ES256", "RS256":
	default:
		report("SigningAlgorithm", "%q is none of ES384, ES256 and RS256", c.SigningAlgorithm)
	}
	// A token's times are whole seconds: a fraction would get lost.
	if c.TokenLifetime < 0 || c.TokenLifetime%time.Second != 0 {
		report("TokenLifetime", "must be whole seconds, at least one")
	}
	return errors.Join(faults...)
}

func fault(field, format string, args ...any) error {
	return fmt.Errorf("devissuer: %s: %s", field, fmt.Sprintf(format, args...))
}

// isScope reports whether s is a scope-token of RFC 6749 §3.3.
func isScope(s string) bool {
	return isPrintable(s) && !strings.ContainsAny(s, ` "\`)
}

// isPrintable reports whether s is one or more VSCHAR of RFC 6749 appendix A.
func isPrintable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
