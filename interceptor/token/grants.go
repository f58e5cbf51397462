package token

import (
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// readAudience reads `aud`, and the organizations that `aud` names.
func (r *reader) readAudience(c *claimSet, p payload) error {
	switch value := p[slotAud]; {
	case value != "":
		audience, _, ok := jose.Texts(value)
		if !ok {
			return invalid("aud is neither a string nor an array of strings")
		}
		c.audience = cloned(audience)
	case r.Audience != "":
		c.audience = []string{r.Audience}
	}
	if r.OrganizationAudience == "" {
		return nil
	}
	return c.readOrganizationAudiences(r.OrganizationAudience)
}

// readOrganizationAudiences reads the organizations that the audience names behind a prefix.
func (c *claimSet) readOrganizationAudiences(prefix string) error {
	for _, audience := range c.audience {
		if id, ok := strings.CutPrefix(audience, prefix); ok {
			if err := checkIdentity("an organization in aud", id); err != nil {
				return err
			}
			c.organizationAudiences = append(c.organizationAudiences, id)
		}
	}
	return nil
}

// readOrganization reads the organization claim. It returns nil if there is none. A pointer that leads to no
// organization, or to several organizations, makes the empty organization: the token then grants nothing.
func (r *reader) readOrganization(p payload) (*string, error) {
	f := r.organization
	if f == nil || p[f.slot] == "" {
		return nil, nil
	}
	id, err := "", error(nil)
	if len(f.rest) == 0 {
		id, _, err = p.identity(f.text, f.slot)
	} else {
		id, err = f.organizationBelow(p[f.slot])
	}
	return &id, err
}

// organizationBelow returns the only organization that a pointer with placeholders leads to, or "".
func (f *field) organizationBelow(value string) (string, error) {
	var found []string
	err := f.walk(value, "", func(l leaf) error {
		id, ok := l.organization, true
		switch {
		case l.value == "":
			id = ""
		case !f.holds(organizationPlaceholder):
			id, ok = jose.Text(l.value)
		default:
			var granted bool
			if granted, ok = grants(l.value); ok && !granted {
				return nil
			}
		}
		if !ok {
			return f.wrongType()
		}
		found = append(found, id)
		return checkIdentity(f.text, id)
	})
	if len(found) != 1 {
		return "", err
	}
	return found[0], err
}

// readScopes reads the first scope claim that the token has, or all of them. All must be readable, so that a broken
// claim does not count as an absent one.
func (r *reader) readScopes(p payload, organization string) ([]string, error) {
	var scopes []string
	found := false
	for n := range r.scopes {
		f := &r.scopes[n]
		if p[f.slot] == "" || organization == "" && f.holds(organizationPlaceholder) {
			continue
		}
		values, err := f.scopes(p, organization)
		switch {
		case err != nil:
			return nil, err
		case !found:
			scopes = values
		case r.UniteScopes:
			scopes = append(scopes, values...)
		}
		found = true
	}
	return cloned(scopes), nil
}

// cloned returns copies of texts that share the memory of one text, and keep nothing else in memory.
func cloned(texts []string) []string {
	if texts == nil {
		return nil
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	var all strings.Builder
	all.Grow(size)
	for _, text := range texts {
		all.WriteString(text)
	}
	copies, rest := make([]string, len(texts)), all.String()
	for n, text := range texts {
		copies[n], rest = rest[:len(text)], rest[len(text):]
	}
	return copies
}

// scopes returns the scopes of one claim.
func (f *field) scopes(p payload, organization string) ([]string, error) {
	switch {
	case f.clerk != nil:
		return f.clerk.scopes(p)
	case len(f.rest) == 0:
		return f.listed(p[f.slot])
	default:
		return f.scopesBelow(p[f.slot], organization)
	}
}

// scopesBelow returns the scopes that a pointer with placeholders leads to.
func (f *field) scopesBelow(value, organization string) (scopes []string, err error) {
	err = f.walk(value, organization, func(l leaf) error {
		text, isText := jose.Text(l.value)
		switch {
		case l.value == "":
		case f.holds(scopePlaceholder):
			granted, ok := grants(l.value)
			if !ok {
				return f.wrongType()
			}
			if granted {
				scopes = append(scopes, l.scope)
			}
		case isText && f.holds(everyPlaceholder): // one scope, even if it has a space
			scopes = append(scopes, text)
		case f.rest[len(f.rest)-1].placeholder == everyPlaceholder:
			return f.wrongType()
		default:
			listed, err := f.listed(l.value)
			scopes = append(scopes, listed...)
			return err
		}
		return nil
	})
	return scopes, err
}

// listed returns the scopes in a string, separated by spaces (RFC 6749 section 3.3), or in an array of strings.
func (f *field) listed(value string) ([]string, error) {
	texts, array, ok := jose.Texts(value)
	switch {
	case !ok:
		return nil, refused(jose.ValueError(f.text + " is neither a string nor an array of strings"))
	case array && f.text == "scope":
		return nil, invalid("scope is not a string: if the issuer writes an array, Issuer.ScopeClaims must have /scope/*")
	case array:
		return texts, nil
	}
	return strings.FieldsFunc(texts[0], func(r rune) bool { return r == ' ' }), nil
}

// grants reports whether the value of a member whose name is a scope or an organization grants it: false, zero and an
// empty string do not. It reports false for null.
func grants(value string) (granted, ok bool) {
	switch value {
	case "null":
		return false, false
	case "false", `""`:
		return false, true
	}
	if exponent := strings.IndexAny(value, "eE"); exponent >= 0 {
		value = value[:exponent]
	}
	return strings.Trim(value, "-0.") != "", true
}

func (f *field) wrongType() error {
	return invalid("%s leads to a value that is not a string, or to null", f.text)
}
