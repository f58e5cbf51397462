package token

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// identity returns a claim that identifies a party, and whether the payload has the claim.
func identity(payload *jose.Object, name string) (value string, ok bool, err error) {
	if value, ok, err = payload.Text(name); err != nil {
		return "", ok, refused(err)
	}
	return value, ok, checkIdentity(name, value)
}

// checkIdentity refuses control characters, which logs, databases and file systems may turn into
// another identity.
func checkIdentity(name, value string) error {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return invalid("%s has a control character", name)
	}
	return nil
}

// claimNames returns the names of all claims that are read from a token of this issuer.
func (i *Issuer) claimNames() []string {
	names := []string{"iss", "exp", "nbf", "iat", "sub", "jti", "aud", "cnf", "at_hash", "c_hash", i.OrganizationClaim}
	return slices.Concat(names, i.ScopeClaims, i.ClientClaims)
}

// claims reads the claims of a token of this issuer. The segment is the payload in base64url: Decode reads it.
func (i *Issuer) claims(segment string, p *jose.Object, deadline time.Time, leeway time.Duration) (*Claims, error) {
	c := &claimSet{issuer: i.URL, expiry: deadline.Add(-leeway), deadline: deadline, payload: segment}
	if p.Has("cnf") {
		return nil, invalid("bound to a key of the sender (cnf): a bearer cannot prove it")
	}
	for _, name := range []string{"at_hash", "c_hash"} {
		if p.Has(name) {
			return nil, invalid("an ID token (%s): ask for an access token", name)
		}
	}
	var err error
	if c.subject, _, err = identity(p, "sub"); err != nil {
		return nil, err
	} else if c.subject == "" {
		return nil, invalid("sub is missing or empty")
	}
	if c.id, _, err = identity(p, "jti"); err != nil {
		return nil, err
	}
	if c.audience, _, _, err = p.Texts("aud"); err != nil {
		return nil, refused(err)
	}
	if prefix := i.OrganizationAudience; prefix != "" {
		for _, audience := range c.audience {
			if id, ok := strings.CutPrefix(audience, prefix); ok {
				if err := checkIdentity("an organization in aud", id); err != nil {
					return nil, err
				}
				c.organizationAudiences = append(c.organizationAudiences, id)
			}
		}
	}
	if i.OrganizationClaim != "" {
		id, ok, err := identity(p, i.OrganizationClaim)
		if err != nil {
			return nil, err
		} else if ok {
			c.organizationClaim = &id
		}
	}
	if c.scopes, err = i.scopes(p); err != nil {
		return nil, err
	}
	if c.clientID, err = i.client(p); err != nil {
		return nil, err
	}
	c.caller = i.caller(c.subject, c.clientID)
	if len(c.scopes) > manyScopes {
		c.sortedScopes = slices.Clone(c.scopes)
		slices.Sort(c.sortedScopes)
	}
	for _, part := range []*string{&c.subject, &c.clientID, &c.id, c.organizationClaim} {
		if part != nil {
			*part = strings.Clone(*part) // keeps the payload's text out of memory
		}
	}
	return &Claims{c}, nil
}

// caller returns the kind of party that a token with the subject and the client speaks for.
func (i *Issuer) caller(subject, client string) Caller {
	switch {
	case i.ClientSubject == "" || client == "":
		return CallerUnknown
	case subject == strings.Replace(i.ClientSubject, clientPlaceholder, client, 1):
		return CallerClient
	default:
		return CallerUser
	}
}

// scopes reads the first scope claim that the token has. All scope claims must be
// readable, so that a broken claim does not count as an absent one.
func (i *Issuer) scopes(p *jose.Object) ([]string, error) {
	var scopes []string
	found := false
	for _, name := range i.ScopeClaims {
		values, array, ok, err := p.Texts(name)
		switch {
		case err != nil:
			return nil, refused(err)
		case array && name == "scope":
			return nil, invalid("scope is not a string")
		case !ok || found:
			continue
		}
		found = true
		if !array {
			// RFC 6749 section 3.3. The clone has no spare capacity.
			values = slices.Clone(strings.FieldsFunc(values[0], func(r rune) bool { return r == ' ' }))
		}
		scopes = values
	}
	return scopes, nil
}

func (i *Issuer) client(p *jose.Object) (string, error) {
	client := ""
	for _, name := range i.ClientClaims {
		value, ok, err := identity(p, name)
		switch {
		case err != nil:
			return "", err
		case !ok:
			continue
		case value == "":
			return "", invalid("%s is empty", name)
		case client != "" && client != value:
			return "", invalid("%s names another client than the claims before it", name)
		}
		client = value
	}
	return client, nil
}
