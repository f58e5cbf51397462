package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/jose"
)

// A Caller is the kind of party that a token speaks for: a user or a client.
type Caller int

// The kinds of caller. A rule for users or for clients refuses the zero Caller.
const (
	// CallerUnknown means that the token or its issuer does not tell users from clients.
	CallerUnknown Caller = iota
	// CallerUser is a person who acts through a client.
	CallerUser
	// CallerClient is a client that acts on its own behalf (RFC 6749 section 4.4).
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

// Claims are the claims of a token, read by the names that its [Issuer] gives them.
// Claims are immutable and safe for concurrent use: the slices that methods return are
// copies. All methods may be called on nil Claims, which are empty.
type Claims struct {
	*claimSet // a copy of Claims costs a pointer
}

type claimSet struct {
	issuer, subject, clientID, id string
	audience, scopes              []string
	sortedScopes                  func() []string // nil unless there are many
	caller                        Caller
	organizationClaim             *string
	organizationAudiences         []string // the id of each organization in aud
	expiry, deadline              time.Time
	payload                       string  // the segment in base64url, for Decode
	reader                        *reader // nil without an Issuer
}

// manyScopes is the number of scopes up to which HasScope compares each one.
const manyScopes = 16

func (c *claimSet) setScopes(scopes []string) {
	if c.scopes = scopes; len(scopes) > manyScopes {
		c.sortedScopes = sync.OnceValue(func() []string { return slices.Sorted(slices.Values(scopes)) })
	}
}

// Issuer returns `iss`.
func (c *Claims) Issuer() string { return c.get().issuer }

// Subject returns `sub`, or the first of [Issuer.SubjectClaims]. It names a user or the client itself. A
// subject is unique only within its [Claims.Issuer].
func (c *Claims) Subject() string { return c.get().subject }

// ClientID returns the client that the token was issued to, or "" if the token names
// no client.
func (c *Claims) ClientID() string { return c.get().clientID }

// ID returns `jti`, or "" if the token has no `jti`.
func (c *Claims) ID() string { return c.get().id }

// Caller returns the kind of party that the token speaks for.
func (c *Claims) Caller() Caller { return c.get().caller }

// Expiry returns `exp`, or the zero time for a token that has no `exp`: an opaque token or a credential of another
// kind.
func (c *Claims) Expiry() time.Time { return c.get().expiry }

// Deadline returns the moment from which the verifier no longer accepts the token: [Claims.Expiry] plus the leeway. If
// the Deadline is before Expiry, or there is no Expiry, the claims are good until the Deadline, and the verifier must
// then be asked again: see [Introspector] and [NewClaims].
func (c *Claims) Deadline() time.Time { return c.get().deadline }

// Audience returns a copy of `aud`, or [Issuer.Audience] if the token has no `aud`.
func (c *Claims) Audience() []string { return slices.Clone(c.get().audience) }

// HasAudience reports whether [Claims.Audience] contains a value, byte for byte.
func (c *Claims) HasAudience(audience string) bool {
	return slices.Contains(c.get().audience, audience)
}

// Scopes returns a copy of the granted scopes, in the token's order.
func (c *Claims) Scopes() []string { return slices.Clone(c.get().scopes) }

// HasScope reports whether a scope is granted, byte for byte (RFC 6749 section
// 3.3).
func (c *Claims) HasScope(scope string) bool {
	set := c.get()
	if set.sortedScopes == nil {
		return slices.Contains(set.scopes, scope)
	}
	_, ok := slices.BinarySearch(set.sortedScopes(), scope)
	return ok
}

// OrganizationID returns the id of the organization that the token is for, by its
// organization claim or its audience. It returns "" if the token names no organization
// or two.
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

// OrganizationClaim returns the value of [Issuer.OrganizationClaim], and whether the
// token has that claim. The value is empty if the claim is, or names several organizations. OrganizationClaim
// is for guards: handlers need [Claims.OrganizationID].
func (c *Claims) OrganizationClaim() (id string, ok bool) {
	claim := c.get().organizationClaim
	if claim == nil {
		return "", false
	}
	return *claim, true
}

// OrganizationAudience returns the id of the organization in `aud`, and whether `aud` is
// exactly one value that names an organization. OrganizationAudience is for guards:
// handlers need [Claims.OrganizationID].
func (c *Claims) OrganizationAudience() (id string, ok bool) {
	set := c.get()
	if len(set.audience) != 1 || len(set.organizationAudiences) != 1 || set.organizationAudiences[0] == "" {
		return "", false
	}
	return set.organizationAudiences[0], true
}

// HasOrganizationAudience reports whether any value of `aud` begins with
// [Issuer.OrganizationAudience]. It is for guards.
func (c *Claims) HasOrganizationAudience() bool { return len(c.get().organizationAudiences) > 0 }

// ClaimNames returns the names of the claims that were looked at, by [Issuer.ScopeClaims] and
// [Issuer.OrganizationClaim]. Both are empty for claims of [NewClaims]. ClaimNames is for guards, which log where a
// token lacks something.
func (c *Claims) ClaimNames() (scopes []string, organization string) {
	reader := c.get().reader
	if reader == nil {
		return nil, ""
	}
	for _, f := range reader.scopes {
		scopes = append(scopes, f.text)
	}
	if reader.organization != nil {
		organization = reader.organization.text
	}
	return scopes, organization
}

// Decode stores all claims of the token in v, as [json.Unmarshal] does. It serves
// claims that have no method here. Decode fails if the names of two claims differ in case
// alone, since encoding/json ignores case.
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

// MarshalJSON returns an object that handlers can answer with. It always has the members
// `sub`, `clientId`, `organizationId`, `scopes` and `audience`.
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

// noClaims is shared, so that the frames of callers need no space for a set of their own.
var noClaims = new(claimSet)

func (c *Claims) get() *claimSet {
	if c == nil || c.claimSet == nil {
		return noClaims
	}
	return c.claimSet
}
