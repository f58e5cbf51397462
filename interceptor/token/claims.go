package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
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
	*claimSet // so that a copy costs a pointer
}

type claimSet struct {
	issuer, subject, clientID, id string
	audience, scopes              []string
	sortedScopes                  []string // nil unless there are many
	caller                        Caller
	organizationClaim             *string
	organizationAudiences         []string // the ids of all organizations in aud
	expiry, deadline              time.Time
	payload                       string // the token's segment, in base64url: only Decode reads it
}

// manyScopes is up to how many scopes are searched one by one.
const manyScopes = 16

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
func (c *Claims) HasScope(scope string) bool {
	set := c.get()
	if set.sortedScopes == nil {
		return slices.Contains(set.scopes, scope)
	}
	_, ok := slices.BinarySearch(set.sortedScopes, scope)
	return ok
}

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
// token has it. A claim that is there may be empty. It is for guards: handlers
// want [Claims.OrganizationID].
func (c *Claims) OrganizationClaim() (id string, ok bool) {
	claim := c.get().organizationClaim
	if claim == nil {
		return "", false
	}
	return *claim, true
}

// OrganizationAudience returns the organization that the token is meant for, if
// `aud` is exactly one value and that names one. It is for guards: handlers want
// [Claims.OrganizationID].
func (c *Claims) OrganizationAudience() (id string, ok bool) {
	set := c.get()
	if len(set.audience) != 1 || len(set.organizationAudiences) != 1 || set.organizationAudiences[0] == "" {
		return "", false
	}
	return set.organizationAudiences[0], true
}

// HasOrganizationAudience reports whether any value of `aud` has the form of an
// organization's. It is for guards.
func (c *Claims) HasOrganizationAudience() bool { return len(c.get().organizationAudiences) > 0 }

// Decode stores all claims of the token in v, as [json.Unmarshal] does: for
// claims that have no method here. Names are matched without regard to case by
// encoding/json, so it is an error if two claims differ in case alone.
func (c *Claims) Decode(v any) error {
	payload, err := jose.DecodeSegment(c.get().payload)
	if err != nil {
		return fmt.Errorf("token: claims: %w", refused(err))
	}
	members, err := jose.ParseObject(payload)
	if err != nil {
		return fmt.Errorf("token: claims: %w", err)
	}
	folded := map[string]struct{}{}
	for _, m := range members.Members {
		name := strings.ToLower(strings.ToUpper(m.Name))
		if _, twice := folded[name]; twice {
			return errors.New("token: claims: two names differ in case alone")
		}
		folded[name] = struct{}{}
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("token: claims do not fit into %T", v) // the cause quotes the claim
	}
	return nil
}

// MarshalJSON gives the form that handlers commonly answer with: `sub`,
// `clientId`, `organizationId`, `scopes` and `audience`, all always there.
func (c *Claims) MarshalJSON() ([]byte, error) {
	set := c.get()
	return json.Marshal(struct {
		Subject        string   `json:"sub"`
		ClientID       string   `json:"clientId"`
		OrganizationID string   `json:"organizationId"`
		Scopes         []string `json:"scopes"`
		Audience       []string `json:"audience"`
	}{c.Subject(), c.ClientID(), c.OrganizationID(), append([]string{}, set.scopes...), append([]string{}, set.audience...)})
}

func (c *Claims) get() *claimSet {
	if c == nil || c.claimSet == nil {
		return new(claimSet)
	}
	return c.claimSet
}
