package devissuer

import (
	"encoding/json"
	"slices"
	"time"
)

// NoType is the value of [Config.Type] that leaves typ out of the header.
const NoType = "none"

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

	// Users lists the users that [Issuer.Grant] makes tokens for. No user logs in.
	Users []User

	// Clients lists the applications that may ask for tokens.
	Clients []Client

	// Claims are added to every granted token, in place of claims of the same name. The Claims of the
	// user or client are added next, and then the Claims of the membership. A nil value removes a
	// claim. A value must have a JSON form.
	Claims map[string]any

	// Type is the member typ of the header. The default is at+jwt (RFC 9068 §2.1), and [NoType] leaves
	// typ out.
	Type string

	// Opaque makes every granted token opaque, as [WithOpaque] does.
	Opaque bool

	// SigningAlgorithm is ES384 (the default, as in Logto), ES256 or RS256. With Keys, the default is
	// the algorithm of the first key, and another algorithm is a fault.
	SigningAlgorithm string

	// Keys are signing keys that are kept: a JWK Set with private keys (RFC 7517 §5), as
	// [Issuer.PrivateKeys] returns it. The first key signs. RSA keys have 2048 to 8192 bits. By default the issuer makes
	// a key.
	Keys []byte

	// TokenLifetime is how long a token is valid, in whole seconds of at least one. The default
	// is one hour.
	TokenLifetime time.Duration

	// Hosts lists further names that the Host header may have, without port: the names by which
	// containers address the issuer.
	Hosts []string

	// AllowRemote answers requests from other machines. Then anybody who reaches the server and
	// knows a client's secret gets tokens. The Host header must still name the issuer's host, a
	// loopback host, or a host of Hosts. The default, false, refuses such requests. It also refuses the requests of
	// [net/http/httptest.NewRequest], since their RemoteAddr is not a loopback address: clear
	// RemoteAddr, or use [net/http.NewRequest].
	AllowRemote bool
}

// A User is an account: what its roles grant. The tokens of a user differ from the tokens of a client by
// sub, which is the id of the user, and not the id of the client. Claims that make sub equal to client_id are a fault.
type User struct {
	// ID is required, of printable ASCII characters. No client has the same id.
	ID string

	// Claims are added to the tokens of the user, as described at [Config].
	Claims map[string]any

	// Scopes maps resource indicators to the API scopes that the user holds globally.
	Scopes map[string][]string

	// Organizations maps organization ids to the user's memberships.
	Organizations map[string]Membership
}

// A Client is a machine-to-machine application: its credentials, and what its roles grant.
type Client struct {
	// ID and Secret are the client's credentials, both required, of printable ASCII characters.
	ID     string
	Secret string

	// Claims are added to the tokens of the client, as described at [Config].
	Claims map[string]any

	// Scopes maps resource indicators to the API scopes that the client holds globally.
	Scopes map[string][]string

	// Organizations maps organization ids to the client's memberships.
	Organizations map[string]Membership
}

// A Membership is what a user or client holds inside one organization. The zero value is a membership
// without any role.
type Membership struct {
	// OrganizationScopes are the organization scopes that are held, in the order of the tokens.
	OrganizationScopes []string

	// Scopes maps resource indicators to the API scopes that are held in the organization.
	Scopes map[string][]string

	// Claims are added to the tokens for the organization, as described at [Config].
	Claims map[string]any
}

// owned returns a copy with the defaults, which shares no map and no value of a claim with c.
func (c Config) owned() Config {
	if c.TokenLifetime == 0 {
		c.TokenLifetime = time.Hour
	}
	if c.Type == "" {
		c.Type = "at+jwt"
	}
	c.Resources = cloneScopes(c.Resources)
	c.Claims = cloneClaims(c.Claims)
	c.Users = slices.Clone(c.Users)
	for i, user := range c.Users {
		c.Users[i] = user.owned()
	}
	c.Clients = slices.Clone(c.Clients)
	for i, client := range c.Clients {
		held := client.held().owned()
		c.Clients[i].Claims, c.Clients[i].Scopes, c.Clients[i].Organizations = held.Claims, held.Scopes, held.Organizations
	}
	return c
}

func (u User) owned() User {
	memberships := make(map[string]Membership, len(u.Organizations))
	for organization, membership := range u.Organizations {
		memberships[organization] = Membership{
			OrganizationScopes: slices.Clone(membership.OrganizationScopes),
			Scopes:             cloneScopes(membership.Scopes),
			Claims:             cloneClaims(membership.Claims),
		}
	}
	return User{ID: u.ID, Claims: cloneClaims(u.Claims), Scopes: cloneScopes(u.Scopes), Organizations: memberships}
}

// held returns the client without its secret: what it holds is what a user may hold.
func (c Client) held() User {
	return User{ID: c.ID, Claims: c.Claims, Scopes: c.Scopes, Organizations: c.Organizations}
}

func cloneScopes(byResource map[string][]string) map[string][]string {
	clone := make(map[string][]string, len(byResource))
	for resource, scopes := range byResource {
		clone[resource] = slices.Clone(scopes)
	}
	return clone
}

// cloneClaims returns the claims in their JSON form, which validate has tried. A nil value stays nil.
func cloneClaims(claims map[string]any) map[string]any {
	clone := make(map[string]any, len(claims))
	for name, value := range claims {
		clone[name] = nil
		if value != nil {
			text, _ := json.Marshal(value)
			clone[name] = json.RawMessage(text)
		}
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
