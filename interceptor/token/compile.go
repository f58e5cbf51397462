package token

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A compiler compiles an [Issuer] and collects its faults.
type compiler struct {
	*reader
	faults []error
}

func (c *compiler) fault(format string, args ...any) {
	c.faults = append(c.faults, c.reader.fault(fmt.Errorf(format, args...)))
}

// fault returns a fault that names the issuer.
func (r *reader) fault(err error) error {
	return fmt.Errorf("token: issuer %q: %w", endpoint.DisplayURL(r.URL), err)
}

// A form is what claims stand in.
type form int

const (
	formJWT          form = iota
	formAnswer            // of an issuer about a token
	formSignedAnswer      // a JWT that holds the answer
)

// compile returns a reader, which does not look at the issuer's maps and lists again, and every fault.
func (i Issuer) compile(form form) (*reader, []error) {
	c := compiler{reader: &reader{Issuer: i, form: form}}
	if len(i.faults) > 0 { // other faults would follow from these
		return c.reader, i.faults
	}
	for _, name := range everyToken {
		c.slotOf([]string{name})
	}
	c.checkURLs()
	if form != formAnswer {
		c.checkAlgorithms()
	}
	if i.MaxLifetime != 0 && i.MaxLifetime < time.Second {
		c.fault("MaxLifetime: %v is less than a second: 0 stands for any lifetime", i.MaxLifetime)
	}
	before := len(c.faults)
	c.required = c.requirements("RequiredClaims", i.RequiredClaims)
	sound := len(c.faults) == before // otherwise other faults would only repeat one of these
	c.header = c.requirements("RequiredHeader", i.RequiredHeader)
	if form == formJWT {
		c.checkTypes(sound)
	}
	c.clientTokens = c.requirements("ClientTokens", i.ClientTokens)
	c.userTokens = c.requirements("UserTokens", i.UserTokens)
	c.usesClient = slices.ContainsFunc(slices.Concat(c.clientTokens, c.userTokens), requirement.usesClient)
	c.subjects = c.fields("SubjectClaims", i.SubjectClaims, "sub")
	c.checkKinds()
	c.clients = c.fields("ClientClaims", i.ClientClaims, "client_id")
	c.scopes = c.fields("ScopeClaims", i.ScopeClaims, "scope", everyPlaceholder, scopePlaceholder, organizationPlaceholder)
	if sound {
		c.checkAudience()
	}
	c.compileOrganization()
	c.compileTemplate()
	return c.reader, c.faults
}

func (c *compiler) checkURLs() {
	var err error
	if endpoint.IsBlank(c.URL) {
		c.faults = append(c.faults, errors.New("token: an issuer's URL is empty: give the tenant's endpoint or domain, or Issuer.URL; if a variable or a file should supply it, set the variable or fill the file"))
	} else if c.url, err = parseTemplate(c.URL); err != nil {
		c.fault("URL: %w", err)
	} else if err = c.checkIdentifier(c.url); err != nil {
		c.fault("URL: %w", err)
	}
	if c.form != formJWT && c.url.placeholder != "" {
		c.fault("URL: an introspector asks one issuer: write the URL of the tenant in place of {%s}", c.url.placeholder)
	}
	if c.IntrospectionURL != "" {
		if err := c.checkServerURL(c.IntrospectionURL); err != nil {
			c.fault("IntrospectionURL: %w", err)
		}
	}
	if strings.ContainsAny(c.KeySetURL, "{}") {
		c.fault("KeySetURL: it has braces, and is the same for all tenants: write the URL of the key set that they share")
	} else if c.KeySetURL != "" {
		// A bad domain is the same fault in both URLs of a preset.
		if keySetErr := c.checkKeySetURL(); keySetErr != nil && (err == nil || err.Error() != keySetErr.Error()) {
			c.fault("KeySetURL: %w", keySetErr)
		}
	} else if c.KeySetTokenFile != "" {
		c.fault("KeySetTokenFile: it needs a KeySetURL, so that the token goes to no other host: set KeySetURL to the URL of the key set")
	}
	c.InsecureHTTPHosts = slices.Clone(c.InsecureHTTPHosts)
	for _, fault := range c.insecureHostFaults() {
		c.fault("%w", fault)
	}
}

func (c *compiler) checkAlgorithms() {
	if len(c.Algorithms) == 0 {
		c.fault("Algorithms: none given: list the algorithms with which the issuer signs access tokens, such as RS256")
	}
	for _, name := range c.Algorithms {
		if !slices.Contains(jose.Algorithms(), name) {
			c.fault("Algorithms: %q is none of %q", name, jose.Algorithms())
		}
	}
	c.Algorithms = slices.Clone(c.Algorithms)
}

// checkTypes takes whether RequiredClaims is sound.
func (c *compiler) checkTypes(sound bool) {
	types := slices.Clone(c.Types)
	if len(types) == 0 {
		types = []string{"at+jwt"}
	}
	for n, typ := range c.Types {
		types[n] = jose.CanonicalType(typ)
		switch {
		case typ == "" && sound && !c.tellsKind():
			c.fault(`Types: "" accepts tokens without typ, which ID tokens are too, and RequiredClaims requires nothing that access tokens alone have: name such a claim there, such as "client_id", with token.AnyValue`)
		case typ != "" && endpoint.IsBlank(types[n]):
			c.fault(`Types: %q is blank: "" stands for a token without typ`, typ)
		}
	}
	c.Types = types
}

func (c *compiler) checkAudience() {
	listed := c.RequiredClaims["iss"]
	if len(listed) > 0 && c.url.placeholder == "" && !slices.Contains(listed, AnyValue) && !slices.Contains(listed, c.URL) {
		c.fault(`RequiredClaims: "iss" does not list Issuer.URL, so every token would be refused: list %q`, endpoint.DisplayURL(c.URL))
	}
	switch {
	case c.Audience == "":
	case endpoint.IsBlank(c.Audience):
		c.fault("Audience: it is blank: give the audience that rules name; if a variable or a file should supply it, set the variable or fill the file")
	case c.OrganizationAudience != "" && strings.HasPrefix(c.Audience, c.OrganizationAudience):
		c.fault("Audience: %q names an organization by OrganizationAudience: give the audience of the API", c.Audience)
	case !c.tellsAudience():
		c.fault(`Audience: without aud nothing tells for which API a token is: list in RequiredClaims the clients of this API, as values of a claim in ClientClaims or SubjectClaims; if the issuer's keys serve this API alone, list %q for "iss"`, endpoint.DisplayURL(c.URL))
	}
}

// tellsKind reports whether RequiredClaims may tell access tokens from others: it requires a claim that not every
// token has.
func (c *compiler) tellsKind() bool {
	return slices.ContainsFunc(c.required, func(entry requirement) bool {
		name := entry.path[0]
		whole := len(entry.path)+len(entry.rest) == 1
		return !entry.optional && !entry.absent && !(whole && name == "iss") && !(whole && entry.any && slices.Contains([]string{"aud", "exp", "iat", "sub"}, name))
	})
}

// checkKinds refuses ClientTokens that compare a claim with the client if a client's own token may lack the claim: such
// a token would count as a user's.
func (c *compiler) checkKinds() {
	if len(c.subjects) < 2 || len(c.userTokens) > 0 {
		return
	}
	for _, entry := range c.clientTokens {
		if entry.usesClient() && !entry.optional && slices.ContainsFunc(c.subjects, func(f field) bool { return f.slot == entry.slot }) {
			c.fault("ClientTokens: a token without %s, which SubjectClaims lets have another subject, would count as a user's: list \"\" beside \"{client}\" for %[1]q, so that such a token of a client counts as the client's own", entry.text)
		}
	}
}

// tellsAudience reports whether RequiredClaims lists issuers, clients or subjects.
func (c *compiler) tellsAudience() bool {
	tells := []int{c.slotOf([]string{"iss"})}
	for _, f := range slices.Concat(c.clients, c.subjects) {
		tells = append(tells, f.slot)
	}
	return slices.ContainsFunc(c.required, func(entry requirement) bool {
		return len(entry.values) > 0 && !entry.optional && len(entry.rest) == 0 && slices.Contains(tells, entry.slot)
	})
}

// requirements compiles a map of claims, sorted by their names.
func (c *compiler) requirements(name string, claims map[string][]string) []requirement {
	var requirements []requirement
	for _, claim := range slices.Sorted(maps.Keys(claims)) {
		entry, err := compileRequirement(name, claim, claims[claim])
		switch {
		case err != nil:
			c.fault("%s: %q %w", name, claim, err)
			continue
		case name == "RequiredHeader" && (claim == "alg" || claim == "typ"):
			c.fault("RequiredHeader: %q is judged already: use Algorithms and Types", claim)
		}
		if name != "RequiredHeader" { // the payload is not searched for members of the header
			entry.slot = c.slotOf(entry.path)
		}
		requirements = append(requirements, entry)
	}
	return requirements
}

// fields compiles a list of claims.
func (c *compiler) fields(name string, claims []string, fallback string, placeholders ...string) []field {
	if len(claims) == 0 {
		claims = []string{fallback}
	}
	var fields []field
	for _, claim := range claims {
		if claim == ClerkPermissions && slices.Contains(placeholders, scopePlaceholder) {
			fields = append(fields, field{claimName{text: claim}, c.slotOf([]string{"o"}), c.clerkField()})
			continue
		}
		compiled, err := compileName(claim, placeholders...)
		if err != nil {
			c.fault("%s: %q %w", name, claim, err)
			continue
		}
		fields = append(fields, field{compiled, c.slotOf(compiled.path), nil})
	}
	return fields
}

func (c *compiler) compileOrganization() {
	if c.OrganizationClaim != "" {
		if fields := c.fields("OrganizationClaim", []string{c.OrganizationClaim}, "", everyPlaceholder, organizationPlaceholder); len(fields) > 0 {
			c.organization = &fields[0]
		}
	}
	if c.OrganizationAudience != "" && endpoint.IsBlank(c.OrganizationAudience) {
		c.fault("OrganizationAudience: it is blank: write what stands before the organization's id in aud, or leave it empty if no aud names an organization")
	}
	for _, f := range c.scopes {
		if f.holds(organizationPlaceholder) && c.OrganizationClaim == "" && c.OrganizationAudience == "" {
			c.fault("ScopeClaims: %q has the placeholder %s, and the issuer has no organizations: set OrganizationClaim or OrganizationAudience", f.text, organizationPlaceholder)
		}
	}
}
