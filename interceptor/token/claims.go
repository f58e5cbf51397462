package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Caller is the kind of party that a token speaks for.
type Caller int

// The kinds of caller. The zero Caller is neither: it opens nothing that asks
// for one.
const (
	// CallerUnknown means that the token or its issuer does not tell.
	CallerUnknown Caller = iota
	// CallerUser is a person, through a client.
	CallerUser
	// CallerClient is a client on its own behalf (RFC 6749 section 4.4).
	CallerClient
)

// String returns "user", "client" or "unknown".
func (c Caller) String() string {
	switch c {
	case CallerUser:
		return "user"
	case CallerClient:
		return "client"
	default:
		return "unknown"
	}
}

// Claims are what a token says, in the terms of its [Issuer]. They are immutable
// and safe for concurrent use: slices are copies. All methods may be called on
// nil Claims, which say nothing.
type Claims struct {
	issuer, subject, clientID, id string
	audience, scopes              []string
	caller                        Caller
	organizationClaim             *string
	organizationAudiences         []string // the ids of all organizations in aud
	expiry, deadline              time.Time
	payload                       []byte
}

// Issuer returns `iss`.
func (c *Claims) Issuer() string { return c.get().issuer }

// Subject returns `sub`: a user, or the client itself. It is unique only
// together with [Claims.Issuer].
func (c *Claims) Subject() string { return c.get().subject }

// ClientID returns the client that the token was issued to, or "" if it names
// none.
func (c *Claims) ClientID() string { return c.get().clientID }

// ID returns `jti`, or "" if there is none.
func (c *Claims) ID() string { return c.get().id }

// Caller returns the kind of party that the token speaks for.
func (c *Claims) Caller() Caller { return c.get().caller }

// Expiry returns `exp`.
func (c *Claims) Expiry() time.Time { return c.get().expiry }

// Deadline returns the moment from which the verifier no longer accepts the
// token: [Claims.Expiry] and the leeway.
func (c *Claims) Deadline() time.Time { return c.get().deadline }

// Audience returns `aud`, in a slice of the caller's own.
func (c *Claims) Audience() []string { return slices.Clone(c.get().audience) }

// HasAudience reports whether `aud` contains a value, byte for byte.
func (c *Claims) HasAudience(audience string) bool {
	return slices.Contains(c.get().audience, audience)
}

// Scopes returns the granted scopes, in the token's order and in a slice of the
// caller's own.
func (c *Claims) Scopes() []string { return slices.Clone(c.get().scopes) }

// HasScope reports whether a scope is granted, byte for byte (RFC 6749 section
// 3.3).
func (c *Claims) HasScope(scope string) bool { return slices.Contains(c.get().scopes, scope) }

// OrganizationID returns the organization that the token is for: that of the
// organization claim or that of the audience. It is "" if there is none, and if
// the token names two.
func (c *Claims) OrganizationID() string {
	fromClaim, claimed := c.OrganizationClaim()
	fromAudience, _ := c.OrganizationAudience()
	audiences := c.get().organizationAudiences
	switch {
	case len(audiences) > 1, claimed && len(audiences) == 1 && audiences[0] != fromClaim:
		return ""
	case claimed:
		return fromClaim
	default:
		return fromAudience
	}
}

// OrganizationClaim returns the issuer's organization claim, and whether the
// token has it. A claim that is there may be empty.
func (c *Claims) OrganizationClaim() (id string, ok bool) {
	if c = c.get(); c.organizationClaim == nil {
		return "", false
	}
	return *c.organizationClaim, true
}

// OrganizationAudience returns the organization that the token is meant for, if
// `aud` is exactly one value and that names one.
func (c *Claims) OrganizationAudience() (id string, ok bool) {
	if c = c.get(); len(c.audience) != 1 || len(c.organizationAudiences) != 1 || c.organizationAudiences[0] == "" {
		return "", false
	}
	return c.organizationAudiences[0], true
}

// HasOrganizationAudience reports whether any value of `aud` has the form of an
// organization's.
func (c *Claims) HasOrganizationAudience() bool { return len(c.get().organizationAudiences) > 0 }

// Decode stores all claims of the token in v, as [json.Unmarshal] does: for
// claims that have no method here. Names are matched without regard to case by
// encoding/json, so it is an error if two claims differ in case alone.
func (c *Claims) Decode(v any) error {
	payload := c.get().payload
	members, err := parseObject(payload)
	if err != nil {
		return fmt.Errorf("token: claims: %w", err)
	}
	folded := make(map[string]struct{}, len(members))
	for name := range members {
		folded[strings.ToLower(strings.ToUpper(name))] = struct{}{}
	}
	if len(folded) != len(members) {
		return fmt.Errorf("token: claims: two names differ in case alone")
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("token: claims do not fit into %T", v) // the cause quotes the claim
	}
	return nil
}

// MarshalJSON gives the form that handlers commonly answer with: `sub`,
// `clientId`, `organizationId`, `scopes` and `audience`, all always there.
func (c *Claims) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Subject        string   `json:"sub"`
		ClientID       string   `json:"clientId"`
		OrganizationID string   `json:"organizationId"`
		Scopes         []string `json:"scopes"`
		Audience       []string `json:"audience"`
	}{c.Subject(), c.ClientID(), c.OrganizationID(), orEmpty(c.Scopes()), orEmpty(c.Audience())})
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (c *Claims) get() *Claims {
	if c == nil {
		return new(Claims)
	}
	return c
}

// UnverifiedClaims reads the payload of a token as the issuer's, without looking
// at any signature or time: for tests of handlers and for tools that explain a
// token. Never decide anything by its result. The error is [ErrMalformed] or
// [ErrInvalid], or that of [NewVerifier] if the issuer is faulty.
func UnverifiedClaims(issuer Issuer, payload []byte) (*Claims, error) {
	issuer, err := issuer.withDefaults()
	if err != nil {
		return nil, err
	}
	members, err := parsePayload(payload)
	if err != nil {
		return nil, err
	}
	validity, err := readValidity(members)
	if err != nil {
		return nil, err
	}
	return issuer.claims(bytes.Clone(payload), members, validity, 0)
}

func parsePayload(payload []byte) (object, error) {
	members, err := parseObject(payload)
	if err != nil {
		return nil, malformed("payload: %w", err)
	}
	return members, nil
}

// validity is the time in which a token is good, in seconds since the epoch.
type validity struct{ expires, notBefore int64 }

// readValidity reads `exp`, which must be there, `nbf` and `iat`. Fractions are
// rounded against the token.
func readValidity(members object) (validity, error) {
	var v validity
	var ok bool
	var err error
	if v.expires, ok, err = members.date("exp", math.Floor); err != nil {
		return v, err
	} else if !ok {
		return v, invalid("exp is missing")
	}
	if v.notBefore, _, err = members.date("nbf", math.Ceil); err != nil {
		return v, err
	}
	_, _, err = members.date("iat", math.Ceil)
	return v, err
}

// check holds RFC 7519 sections 4.1.4 and 4.1.5.
func (v validity) check(now time.Time, leeway time.Duration) error {
	switch {
	case !now.Before(time.Unix(v.expires, 0).Add(leeway)):
		return ErrExpired
	case now.Add(leeway).Before(time.Unix(v.notBefore, 0)):
		return ErrNotYetValid
	}
	return nil
}

// claims reads the claims of a token of this issuer.
func (i *Issuer) claims(payload []byte, members object, validity validity, leeway time.Duration) (*Claims, error) {
	expiry := time.Unix(validity.expires, 0)
	c := &Claims{issuer: i.URL, expiry: expiry, deadline: expiry.Add(leeway), payload: payload}
	if _, ok := members["cnf"]; ok {
		return nil, invalid("bound to a key of the sender (cnf): a bearer cannot prove it")
	}
	var ok bool
	var err error
	if c.subject, _, err = members.text("sub"); err != nil {
		return nil, err
	} else if c.subject == "" {
		return nil, invalid("sub is missing or empty")
	}
	if c.id, _, err = members.text("jti"); err != nil {
		return nil, err
	}
	if c.audience, _, _, err = members.texts("aud"); err != nil {
		return nil, err
	}
	if prefix := i.OrganizationAudience; prefix != "" {
		for _, audience := range c.audience {
			if id, ok := strings.CutPrefix(audience, prefix); ok {
				c.organizationAudiences = append(c.organizationAudiences, id)
			}
		}
	}
	if i.OrganizationClaim != "" {
		var id string
		if id, ok, err = members.text(i.OrganizationClaim); err != nil {
			return nil, err
		} else if ok {
			c.organizationClaim = &id
		}
	}
	if c.scopes, err = i.scopes(members); err != nil {
		return nil, err
	}
	if c.clientID, err = i.client(members); err != nil {
		return nil, err
	}
	c.caller = i.caller(c.subject, c.clientID)
	return c, nil
}

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

// scopes takes the first scope claim that the token has. All of them must be
// readable, so that a broken one is not mistaken for none.
func (i *Issuer) scopes(members object) ([]string, error) {
	var scopes []string
	found := false
	for _, name := range i.ScopeClaims {
		values, array, ok, err := members.texts(name)
		switch {
		case err != nil:
			return nil, err
		case ok && array && name == "scope":
			return nil, invalid("scope is not a string")
		case !ok || found:
			continue
		}
		found = true
		if !array {
			values = strings.FieldsFunc(values[0], func(r rune) bool { return r == ' ' })
		}
		scopes = values
	}
	return scopes, nil
}

func (i *Issuer) client(members object) (string, error) {
	client := ""
	for _, name := range i.ClientClaims {
		value, ok, err := members.text(name)
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
