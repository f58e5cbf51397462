package guardtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Caller makes the claims of a caller, for the test of a handler:
//
//	ctx := guardtest.User("alice").Audience("https://api.example.com").Scopes("read:orders").Organization("acme").Context(t)
//
// Make a Caller with [User] or [Client]. The issuer is "https://issuer.example.com" by default, and the claims
// expire an hour after they are made. The audience, the scopes and the organization have no default.
//
// Each method returns a changed copy, so a Caller may be shared and is safe for concurrent use. For claims of other
// names, as a handler decodes them, see [Claims].
type Caller struct {
	values token.ClaimValues
	way    int
}

// User returns a user with a subject.
func User(subject string) Caller { return newCaller(token.CallerUser, subject, "") }

// Client returns a client that acts for itself: its id is its subject, too.
func Client(id string) Caller { return newCaller(token.CallerClient, id, id) }

func newCaller(kind token.Caller, subject, clientID string) Caller {
	return Caller{values: token.ClaimValues{Issuer: "https://issuer.example.com", Subject: subject, ClientID: clientID, Caller: kind}}
}

// Issuer sets the issuer.
func (c Caller) Issuer(url string) Caller {
	c.values.Issuer = url
	return c
}

// ClientID sets the client by which a user calls.
func (c Caller) ClientID(id string) Caller {
	c.values.ClientID = id
	return c
}

// Audience sets the audiences. Audience and [Caller.OrganizationToken] replace each other: the last one counts.
func (c Caller) Audience(audiences ...string) Caller {
	c.values.Audience = slices.Clone(audiences)
	return c
}

// Scopes sets the scopes.
func (c Caller) Scopes(scopes ...string) Caller {
	c.values.Scopes = slices.Clone(scopes)
	return c
}

// Organization sets the organization, for rules of MODEL_ORGANIZATION_RESOURCE.
func (c Caller) Organization(id string) Caller {
	c.values.OrganizationID = id
	return c
}

// OrganizationToken makes the organization the audience, for rules of MODEL_ORGANIZATION. The audience is
// urn:logto:organization: and the id. [Caller.Audience] and OrganizationToken replace each other: the last one counts.
func (c Caller) OrganizationToken(id string) Caller {
	return c.Audience("urn:logto:organization:" + id)
}

// Expiry sets when the claims expire.
func (c Caller) Expiry(at time.Time) Caller {
	c.values.Expiry = at
	return c
}

// Way sets the way that [interceptor.WayFromContext] finds in [Caller.Context], by its number: 0 is the rule's own way,
// which is the default, and 1 is the rule's first alternative.
func (c Caller) Way(number int) Caller {
	c.way = number
	return c
}

// Claims returns the claims. The test fails at once if a value cannot be a claim: see [token.NewClaims].
func (c Caller) Claims(t testing.TB) *token.Claims {
	t.Helper()
	if c.values.Expiry.IsZero() {
		c.values.Expiry = time.Now().Add(time.Hour)
	}
	claims, err := token.NewClaims(c.values)
	if err != nil {
		t.Fatalf("guardtest: the caller %q: %v", c.values.Subject, err)
	}
	return claims
}

// Context returns the context of the test in which [interceptor.ClaimsFromContext] finds the claims. It panics if
// [Caller.Way] has set a number that is not from 0 to 15.
func (c Caller) Context(t testing.TB) context.Context {
	t.Helper()
	return interceptor.ContextWithWay(t.Context(), c.Claims(t), c.way)
}
