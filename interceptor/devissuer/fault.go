package devissuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Fault is what is wrong with one field, of a [Config] or of a [Request], and what to write instead. The error
// of [New] joins a Fault for each field (see [errors.Join]).
type Fault struct {
	Field  string // such as Clients[0].Scopes["https://api.example.com"], or issuerURL for the URL of New
	Detail string // such as "no such resource: …", without any secret
}

// Error names the field.
func (f *Fault) Error() string { return "devissuer: " + f.Field + ": " + f.Detail }

func fault(field, format string, args ...any) error {
	return &Fault{Field: field, Detail: fmt.Sprintf(format, args...)}
}

// A checker collects the faults of a configuration.
type checker struct {
	Config
	faults  []error
	callers map[string]bool // fields of caller that are reported
}

// validate returns every fault, joined, in an order that does not depend on the order of maps.
func (c Config) validate() error {
	check := checker{Config: c, callers: map[string]bool{}}
	check.resources()
	check.scopes("OrganizationScopes", c.OrganizationScopes, isScope, notAScope)
	check.organizations()
	check.claims("Claims", c.Claims)
	for n, user := range c.Users {
		at := fmt.Sprintf("Users[%d]", n)
		check.id(at, user.ID, "alice", slices.ContainsFunc(c.Users[:n], func(other User) bool { return other.ID == user.ID }))
		if check.isClient(user.ID) {
			check.report(at+".ID", "%q is the id of a client, so that the token would be the client's: write another id", user.ID)
		}
		check.held(at, user)
		check.caller(at, user)
	}
	for n, client := range c.Clients {
		at := fmt.Sprintf("Clients[%d]", n)
		check.id(at, client.ID, "shop", slices.ContainsFunc(c.Clients[:n], func(other Client) bool { return other.ID == client.ID }))
		if !isPrintable(client.Secret) {
			check.report(at+".Secret", unprintable, "shop-secret")
		}
		check.held(at, client.held())
	}
	check.settings()
	return errors.Join(check.faults...)
}

func (c *checker) report(field, format string, args ...any) {
	c.faults = append(c.faults, fault(field, format, args...))
}

func (c *checker) resources() {
	for _, resource := range slices.Sorted(maps.Keys(c.Resources)) {
		at := fmt.Sprintf("Resources[%q]", resource)
		if u, err := url.Parse(resource); err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			c.report(at, "is not an absolute URI without fragment: write one such as https://api.example.com")
		}
		if strings.HasPrefix(resource, "urn:logto:") {
			c.report(at, "urn:logto: is reserved: write a URI such as https://api.example.com")
		}
		c.scopes(at, c.Resources[resource], isScope, notAScope)
	}
}

func (c *checker) organizations() {
	for n, organization := range c.Organizations {
		at := fmt.Sprintf("Organizations[%d]", n)
		if !isPrintable(organization) || strings.Contains(organization, " ") {
			c.report(at, `is empty, or has a space or a character outside printable ASCII: write one such as "acme"`)
		}
		if slices.Contains(c.Organizations[:n], organization) {
			c.report(at, "%q stands twice: remove one", organization)
		}
	}
}

// held checks what a user or client holds.
func (c *checker) held(at string, held User) {
	c.claims(at+".Claims", held.Claims)
	c.grants(at+".Scopes", held.Scopes)
	for _, organization := range slices.Sorted(maps.Keys(held.Organizations)) {
		at := fmt.Sprintf("%s.Organizations[%q]", at, organization)
		if !slices.Contains(c.Organizations, organization) {
			c.report(at, "no such organization: %s", known("the organizations", c.Organizations))
		}
		membership := held.Organizations[organization]
		c.scopes(at+".OrganizationScopes", membership.OrganizationScopes, oneOf(c.OrganizationScopes),
			"is not an organization scope: "+known("the organization scopes", c.OrganizationScopes))
		c.grants(at+".Scopes", membership.Scopes)
		c.claims(at+".Claims", membership.Claims)
	}
}

// caller reports claims with which a token of a user would have the form of a client's token: there, sub is client_id.
func (c *checker) caller(at string, user User) {
	layers := []layer{{"Claims", c.Claims}, {at + ".Claims", user.Claims}}
	c.layered(user.ID, layers)
	for _, organization := range slices.Sorted(maps.Keys(user.Organizations)) {
		field := fmt.Sprintf("%s.Organizations[%q].Claims", at, organization)
		c.layered(user.ID, append(layers, layer{field, user.Organizations[organization].Claims}))
	}
}

// A layer is the claims of one field.
type layer struct {
	field  string
	claims map[string]any
}

func (c *checker) layered(id string, layers []layer) {
	claims, last := map[string]any{"sub": id}, ""
	for _, l := range layers {
		for _, name := range []string{"client_id", "sub"} {
			if value, ok := l.claims[name]; ok {
				claims[name], last = value, fmt.Sprintf("%s[%q]", l.field, name)
			}
		}
	}
	subject := textOf(claims["sub"])
	isClient := c.isClient(subject)
	if client, ok := claims["client_id"]; ok {
		isClient = subject != "" && subject == textOf(client)
	}
	if isClient && last != "" && !c.callers[last] {
		c.callers[last] = true // the claims of the tenant are the same for each user
		c.report(last, "makes sub equal to client_id, so that the token of a user would be a client's: write another value")
	}
}

// isClient reports whether an id is the client_id of some token.
func (c *checker) isClient(id string) bool {
	return id == mintClientID || slices.ContainsFunc(c.Clients, func(client Client) bool { return client.ID == id })
}

// textOf returns the text of a claim, or "" for another value.
func textOf(claim any) (text string) {
	form, _ := json.Marshal(claim)  // a claim without JSON form has a fault of its own
	_ = json.Unmarshal(form, &text) // which leaves "" for another value
	return text
}

// unprintable takes an example.
const unprintable = "is missing, or has a character outside printable ASCII: write one such as %q"

func (c *checker) id(at, id, example string, twice bool) {
	if !isPrintable(id) {
		c.report(at+".ID", unprintable, example)
	}
	if twice {
		c.report(at+".ID", "%q stands twice: write another id", id)
	}
}

func (c *checker) grants(field string, grants map[string][]string) {
	for _, resource := range slices.Sorted(maps.Keys(grants)) {
		at := fmt.Sprintf("%s[%q]", field, resource)
		if scopes, ok := c.Resources[resource]; ok {
			c.scopes(at, grants[resource], oneOf(scopes), "is not a scope of the resource: "+known("the resource", scopes))
		} else {
			c.report(at, "no such resource: %s", known("the resources", slices.Sorted(maps.Keys(c.Resources))))
		}
	}
}

const notAScope = `is not a scope (RFC 6749 §3.3): write printable ASCII characters without space, " and \`

func (c *checker) scopes(field string, scopes []string, valid func(string) bool, complaint string) {
	for n, scope := range scopes {
		switch {
		case !valid(scope):
			c.report(field, "%q %s", scope, complaint)
		case slices.Contains(scopes[:n], scope):
			c.report(field, "%q stands twice: remove one", scope)
		}
	}
}

func (c *checker) claims(field string, claims map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if _, err := json.Marshal(claims[name]); err != nil {
			c.report(fmt.Sprintf("%s[%q]", field, name), "has no JSON form: give a text, number, boolean, list or map")
		}
	}
}

func (c *checker) settings() {
	if c.Type != "" && !isPrintable(c.Type) {
		c.report("Type", `has a character outside printable ASCII: write one such as "at+jwt", or %q`, NoType)
	}
	if c.SigningAlgorithm != "" && !isSupported(c.SigningAlgorithm) {
		c.report("SigningAlgorithm", "%q is not supported: write ES384, ES256 or RS256", c.SigningAlgorithm)
	}
	// A token's times are whole seconds: a fraction would get lost.
	if c.TokenLifetime < 0 || c.TokenLifetime%time.Second != 0 {
		c.report("TokenLifetime", `is not a positive whole number of seconds: write a duration such as "1h"`)
	}
	for n, host := range c.Hosts {
		if !isHost(host) {
			c.report(fmt.Sprintf("Hosts[%d]", n), `is not the name of a host alone: write one such as "issuer", without scheme, port and path`)
		}
	}
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// isHost reports whether a text is a name or an address, which has brackets if it is of IPv6.
func isHost(text string) bool {
	address, isBracketed := strings.CutPrefix(text, "[")
	address, isClosed := strings.CutSuffix(address, "]")
	_, err := netip.ParseAddr(address)
	return hostName.MatchString(text) || err == nil && isBracketed && isClosed
}

func isSupported(algorithm string) bool {
	return slices.Contains([]string{"ES384", "ES256", "RS256"}, algorithm)
}

// known says where to add a name, and which names there are.
func known(list string, names []string) string {
	if len(names) == 0 {
		return "add it to " + list
	}
	return "add it to " + list + ", or write one of " + strings.Join(names, ", ")
}

func oneOf(known []string) func(string) bool {
	return func(scope string) bool { return slices.Contains(known, scope) }
}

// isScope reports whether s is a scope-token of RFC 6749 §3.3.
func isScope(s string) bool {
	return isPrintable(s) && !strings.ContainsAny(s, ` "\`)
}

// isPrintable reports whether s is one or more VSCHAR of RFC 6749 appendix A.
func isPrintable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
