package token

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A reader reads the claims of an issuer's tokens. It is an [Issuer], compiled.
type reader struct {
	Issuer // its maps and lists are compiled below, but Types and Algorithms
	url    template
	form   form

	paths        [][]string // of the values that are read from a payload
	tenant       field      // the template's placeholder
	required     []requirement
	header       []requirement // of the JOSE header
	clientTokens []requirement
	userTokens   []requirement
	usesClient   bool // a value of clientTokens or userTokens holds {client}
	subjects     []field
	clients      []field
	scopes       []field
	organization *field // nil without an OrganizationClaim
}

// A field is a claim that is read, and the place of its value.
type field struct {
	claimName
	slot  int
	clerk *clerkField // for ClerkPermissions
}

// The places of the claims that are read from all tokens.
const (
	slotExp = iota
	slotNbf
	slotIat
	slotJTI
	slotAud
	slotCnf
	slotOtherKinds // one for each of otherKinds
)

var everyToken = append([]string{slotExp: "exp", slotNbf: "nbf", slotIat: "iat", slotJTI: "jti", slotAud: "aud", slotCnf: "cnf"}, otherKinds...)

// otherKinds are claims of other tokens that are signed with the same keys: ID tokens, logout tokens, security
// events (RFC 8417) and introspection answers (RFC 9701).
var otherKinds = []string{"at_hash", "c_hash", "nonce", "events", "token_introspection"}

// slotOf returns the place of the value at a path, and adds the path to those that are read.
func (r *reader) slotOf(path []string) int {
	if n := slices.IndexFunc(r.paths, func(other []string) bool { return slices.Equal(path, other) }); n >= 0 {
		return n
	}
	r.paths = append(r.paths, path)
	return len(r.paths) - 1
}

// A payload has the values of the claims that are read, by their slots. A value is empty if it is absent.
type payload []string

// payload finds the values in the index of a payload.
func (r *reader) payload(index jose.Index) payload {
	p := make(payload, len(r.paths))
	for n, path := range r.paths {
		p[n] = index.Find(path)
	}
	return p
}

// claims reads the claims of a token whose `iss` is given. The segment is the payload in base64url: Decode reads it.
func (r *reader) claims(segment, issuer string, p payload, deadline time.Time, leeway time.Duration) (*Claims, error) {
	c := &claimSet{issuer: r.URL, expiry: deadline.Add(-leeway), deadline: deadline, payload: segment, reader: r}
	if err := r.checkKind(p); err != nil {
		return nil, err
	}
	if r.url.placeholder != "" {
		tenant, _ := jose.Text(p[r.tenant.slot])
		if !isSegment(tenant) || r.url.fill(tenant) != issuer {
			return nil, invalid("iss is not Issuer.URL with the token's %s", r.url.placeholder)
		}
		c.issuer = strings.Clone(issuer)
	}
	var err error
	var namesClient bool
	if c.subject, namesClient, err = r.subject(p); err != nil {
		return nil, err
	}
	if c.id, _, err = p.identity("jti", slotJTI); err != nil {
		return nil, err
	}
	if c.clientID, err = r.client(p); err != nil {
		return nil, err
	}
	if c.caller, err = r.caller(p, c.clientID); err != nil {
		return nil, err
	}
	if namesClient && c.caller == CallerUser {
		c.caller = CallerUnknown // a client's identifier must not pass for a user's
	}
	if err := r.readAudience(c, p); err != nil {
		return nil, err
	}
	if c.organizationClaim, err = r.readOrganization(p); err != nil {
		return nil, err
	}
	scopes, err := r.readScopes(p, (&Claims{c}).OrganizationID())
	if err != nil {
		return nil, err
	}
	c.setScopes(scopes)
	for _, part := range []*string{&c.subject, &c.clientID, &c.id, c.organizationClaim} {
		if part != nil {
			*part = strings.Clone(*part) // keeps the payload's text out of memory
		}
	}
	return &Claims{c}, nil
}

// checkKind refuses tokens of another kind than the issuer's access tokens.
func (r *reader) checkKind(p payload) error {
	if p[slotCnf] != "" {
		return invalid("bound to a key of the sender (cnf), which a bearer cannot prove: the client must request a token without DPoP and without mTLS")
	}
	for n, name := range otherKinds {
		if p[slotOtherKinds+n] != "" && !slices.ContainsFunc(r.required, func(entry requirement) bool { return entry.slot == slotOtherKinds+n }) {
			return invalid("another kind of token than an access token, such as an ID token, since it has %s: "+sendAccessToken+"; if the issuer's access tokens have %s, name it in Issuer.RequiredClaims", name, name)
		}
	}
	for n := range r.required {
		entry := &r.required[n]
		met, err := entry.met(p[entry.slot], "")
		switch {
		case err != nil:
			return err
		case entry.absent && !met:
			return invalid("the token has %s, which Issuer.RequiredClaims does not allow, so it may be an ID token, or for another API: "+sendAccessToken, entry.text)
		case !met && p[entry.slot] == "":
			return invalid("the token has no %s, which Issuer.RequiredClaims names, so it may be an ID token, or for another API: "+sendAccessToken, entry.text)
		case !met:
			return invalid("%s has none of the values that Issuer.RequiredClaims lists, so the token may be an ID token, or for another API: "+sendAccessToken, entry.text)
		}
	}
	return nil
}

// checkHeader makes sure that the JOSE header has what the issuer requires. A parser has passed the header.
func (r *reader) checkHeader(text string) error {
	if len(r.header) == 0 {
		return nil
	}
	index, err := jose.NewIndex(text)
	if err != nil {
		return malformed("header: %w", err)
	}
	defer index.Release()
	for n := range r.header {
		entry := &r.header[n]
		if met, err := entry.met(index.Find(entry.path), ""); err != nil {
			return err
		} else if !met {
			return invalid("the header's %s is not what Issuer.RequiredHeader asks for, so the token may be an ID token: "+sendAccessToken, entry.text)
		}
	}
	return nil
}

// text returns a claim that is a string, and whether the payload has the claim.
func (p payload) text(name string, slot int) (text string, ok bool, err error) {
	if p[slot] == "" {
		return "", false, nil
	}
	if text, ok = jose.Text(p[slot]); !ok {
		return "", true, refused(jose.ValueError(name + " is not a string"))
	}
	return text, true, nil
}

// identity returns a claim that identifies a party, and whether the payload has the claim.
func (p payload) identity(name string, slot int) (value string, ok bool, err error) {
	if value, ok, err = p.text(name, slot); err != nil {
		return "", ok, err
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

// subject reads the first subject claim that the token has, and reports whether the claim names a client.
func (r *reader) subject(p payload) (subject string, namesClient bool, err error) {
	for _, f := range r.subjects {
		switch subject, ok, err := p.identity(f.text, f.slot); {
		case err != nil:
			return "", false, err
		case ok && subject == "":
			return "", false, invalid("%s is empty", f.text)
		case ok:
			return subject, r.namesClient(f), nil
		}
	}
	return "", false, invalid("%s is missing", r.subjects[0].text)
}

// namesClient reports whether a claim is one of the client claims.
func (r *reader) namesClient(f field) bool {
	return slices.ContainsFunc(r.clients, func(client field) bool { return client.slot == f.slot })
}

// client reads the client claims, which must be equal.
func (r *reader) client(p payload) (string, error) {
	client := ""
	for _, f := range r.clients {
		value, ok, err := p.identity(f.text, f.slot)
		switch {
		case err != nil:
			return "", err
		case !ok:
			continue
		case value == "":
			return "", invalid("%s is empty", f.text)
		case client != "" && client != value:
			return "", invalid("%s names another client than the claims before it: the issuer must write one client, or Issuer.ClientClaims must have one of the claims", f.text)
		}
		client = value
	}
	return client, nil
}

// caller returns the kind of party that a token speaks for.
func (r *reader) caller(p payload, client string) (Caller, error) {
	isClient, err := allMet(r.clientTokens, p, client)
	if err != nil {
		return CallerUnknown, err
	}
	isUser, err := allMet(r.userTokens, p, client)
	if err != nil {
		return CallerUnknown, err
	}
	switch {
	case len(r.clientTokens) == 0 && len(r.userTokens) == 0, r.usesClient && client == "":
		return CallerUnknown, nil
	case len(r.clientTokens) == 0:
		isClient = !isUser
	case len(r.userTokens) == 0:
		isUser = !isClient
	}
	switch {
	case isClient == isUser:
		return CallerUnknown, nil
	case isClient:
		return CallerClient, nil
	default:
		return CallerUser, nil
	}
}

// allMet reports whether a token meets all requirements.
func allMet(requirements []requirement, p payload, client string) (bool, error) {
	all := true
	for n := range requirements {
		met, err := requirements[n].met(p[requirements[n].slot], client)
		if err != nil {
			return false, err
		}
		all = all && met
	}
	return all, nil
}
