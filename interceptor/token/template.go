package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/endpoint"
)

// A template is an Issuer.URL. A placeholder such as {tid} stands for the claim of that name, as one segment of the
// path. The zero placeholder means that there is none.
type template struct{ before, placeholder, after string }

// parseTemplate reads an Issuer.URL.
func parseTemplate(url string) (t template, err error) {
	if !strings.ContainsAny(url, "{}") {
		return template{before: url}, nil
	}
	before, rest, _ := strings.Cut(url, "/{")
	placeholder, after, closed := strings.Cut(rest, "}")
	const hostAndScheme = 2 // slashes
	if !closed || placeholder == "" || strings.ContainsAny(placeholder+after, "{}") || after != "" && after[0] != '/' || strings.Count(before, "/") < hostAndScheme {
		return template{before: url}, errors.New("its braces are not one placeholder such as {tid}, which stands for the claim of that name as a whole segment of the path: write https://host/{tid}/…")
	}
	return template{before + "/", placeholder, after}, nil
}

// fill returns the URL for a value of the placeholder.
func (t *template) fill(value string) string { return t.before + value + t.after }

// value returns the value of the placeholder in an issuer's identifier, and whether the template can make that
// identifier.
func (t *template) value(issuer string) (value string, ok bool) {
	rest, begins := strings.CutPrefix(issuer, t.before)
	value, ends := strings.CutSuffix(rest, t.after)
	return value, begins && ends && isSegment(value)
}

// An issuedBy is the issuer of a token: `iss`, and the tenant if the Issuer.URL is a template.
type issuedBy struct{ iss, tenant string }

// issuedBy returns the issuer of a token by its `iss`, which the template can make.
func (t *template) issuedBy(iss string) issuedBy {
	tenant, _ := t.value(iss) // the template without a placeholder makes no tenant
	return issuedBy{iss, tenant}
}

// isSegment reports whether a value may stand for a segment of a path.
func isSegment(value string) bool {
	return value != "" && value != "." && value != ".." && strings.Trim(value, plainCharacters+".") == ""
}

// meets reports whether two templates can make the same identifier.
func (t *template) meets(other *template) bool {
	return slices.EqualFunc(t.segments(), other.segments(), func(a, b string) bool {
		return a == b || a == anySegment && isSegment(b) || b == anySegment && isSegment(a)
	})
}

const anySegment = "{}"

func (t *template) segments() []string {
	if t.placeholder == "" {
		return strings.Split(t.before, "/")
	}
	return strings.Split(t.fill(anySegment), "/")
}

// checkIdentifier refuses an issuer's identifier that is not a URL, unless the issuer has a KeySetURL. The identifier
// may then be any StringOrURI (RFC 7519 section 2).
func (i *Issuer) checkIdentifier(t template) error {
	url := t.before
	if t.placeholder != "" {
		url = t.fill("x")
	}
	if err := i.plainHTTP().CheckURL(url); err != nil {
		named := !strings.HasPrefix(url, "https:") && endpoint.IsIdentifier(url)
		switch {
		case named && i.KeySetURL != "":
			return nil
		case named && !strings.Contains(url, "/"):
			return fmt.Errorf("%w; if the issuer's iss is not a URL, set KeySetURL", err)
		}
		return err
	}
	switch {
	case strings.Contains(url, "?"):
		return errors.New("it has a query: leave it out")
	case strings.HasSuffix(url, discoveryPath):
		return fmt.Errorf("it is where the issuer's metadata is: leave out %s", discoveryPath)
	}
	return nil
}

// compileTemplate needs the requirements and the organization.
func (c *compiler) compileTemplate() {
	if c.url.placeholder == "" {
		return
	}
	name, err := compileName(c.url.placeholder)
	if err != nil || strings.HasPrefix(c.url.placeholder, "/") {
		c.fault("URL: {%s} names no claim: write the name of a claim of the payload, such as {tid}", c.url.placeholder)
		return
	}
	c.tenant = field{name, c.slotOf(name.path), nil}
	if c.KeySetURL == "" {
		c.fault("URL: {%s} needs a KeySetURL: set it to the key set that all tenants share", c.url.placeholder)
	}
	entry := c.tenants()
	_, listed := c.RequiredClaims[c.url.placeholder]
	switch {
	case entry == nil && listed: // its list has a fault
	case entry == nil || entry.optional || entry.absent:
		c.fault(`URL: {%[1]s} stands for a claim that RequiredClaims does not require: list the tenants to accept there, "%[1]s": {"…"}, or token.AnyValue for all tenants of the provider`, c.url.placeholder)
	case entry.any && c.OrganizationClaim == "":
		c.fault("OrganizationClaim: it is empty, while {%s} in URL stands for any tenant, so that each tenant's tokens would count for all: set OrganizationClaim to %[1]q", c.url.placeholder)
	default:
		for _, value := range entry.values {
			if !isSegment(value) {
				c.fault("RequiredClaims: %q lists %q, which cannot stand for {%[1]s} in URL: a value has letters, digits, -, _ and . only", c.url.placeholder, value)
			}
		}
	}
	if c.OrganizationClaim != "" && (c.organization == nil || c.organization.slot != c.tenant.slot || len(c.organization.rest) > 0) {
		c.fault("OrganizationClaim: %q is not the claim of {%s} in URL, and the administrators of a tenant may write other claims as they like: set OrganizationClaim to %[2]q", c.OrganizationClaim, c.url.placeholder)
	}
	if c.OrganizationAudience != "" {
		c.fault("OrganizationAudience: with {%s} in URL the organization is that claim: set OrganizationClaim to %[1]q, and leave OrganizationAudience empty", c.url.placeholder)
	}
}

// tenants returns the requirement for the placeholder of the URL, or nil.
func (r *reader) tenants() *requirement {
	for n := range r.required {
		if r.url.placeholder != "" && r.required[n].slot == r.tenant.slot && len(r.required[n].rest) == 0 {
			return &r.required[n]
		}
	}
	return nil
}

// templates returns what `iss` may be: the URL, or the URL of each tenant, or the template for any tenant.
func (r *reader) templates() []template {
	entry := r.tenants()
	if entry == nil || entry.any {
		return []template{r.url}
	}
	var all []template
	for _, value := range entry.values {
		all = append(all, template{before: r.url.fill(value)})
	}
	return all
}
