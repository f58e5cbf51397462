// Package catalogue is what a guard must answer, whatever carries the calls: services
// with their rules, and the calls of the threats in SECURITY.md with the answers that
// are the same over every transport.
package catalogue

import (
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A Case is one call that has the same answer over every transport.
type Case struct {
	// Row is the group of cases in SECURITY.md, as in "D07", or empty if there is none.
	Row, Name string
	// Service is one of [Services], [Unruled] or [Opened]: any of its methods is
	// called that can have so many messages.
	Service string
	// Trust is whom the server trusts.
	Trust string
	// Authorization are the values of that header, and Header are other fields.
	Authorization []string
	Header        http.Header
	// Messages are the requests.
	Messages []Message
	// Swallow makes a streaming handler ignore that it cannot receive.
	Swallow bool
	// Everywhere says that it matters how the case is called: over which transport, and
	// which method. So it is with the first of each row. The others may take turns.
	Everywhere bool

	// Want is the answer.
	Want Answer
	// Cause is what the denial that the observer sees must match, if not nil.
	Cause error
	// Seen are those of several messages that are let in before one is refused.
	Seen []string
}

// A Message is a request message.
type Message struct {
	// Organization is the field organization_id.
	Organization string
	// Document is the field document.name, and nil if there is no document.
	Document *string
}

// String is what handlers say of a message.
func (m Message) String() string {
	if m.Document == nil {
		return m.Organization
	}
	return m.Organization + *m.Document
}

func naming(organizations ...string) []Message {
	messages := make([]Message, len(organizations))
	for n, organization := range organizations {
		messages[n].Organization = organization
	}
	return messages
}

// Fits reports whether a method can have the messages.
func (c *Case) Fits(method Method) bool { return method.ClientStreams || len(c.Messages) == 1 }

// maxField is how much of a header field the default limits of net/http let through,
// beside the others of a call.
const maxField = 1<<20 - 4<<10

// Travels reports whether every transport carries the header as it is. What does not
// can only be asked in process.
func (c *Case) Travels() bool {
	for _, value := range c.Authorization {
		if len(value) > maxField || strings.HasPrefix(value, " ") || strings.HasSuffix(value, " ") && strings.Trim(value, " ") != "Bearer" {
			return false
		}
		for _, char := range []byte(value) {
			if char < ' ' || char > '~' {
				return false
			}
		}
	}
	return true
}

// An Outcome is what must come of a call beside its answer.
type Outcome struct {
	// Decisions are the reasons that the observer sees, empty for being let in.
	Decisions []string
	// Handled is how often the handler runs.
	Handled int
	// Seen is what the handler sees of the messages.
	Seen []string
	// Got is what the client gets from the echoing handler.
	Got []string
}

// Outcome is what must come of a call of the method.
func (c *Case) Outcome(method Method) Outcome {
	if c.Want.Reason == "" {
		var all []string
		for _, message := range c.Messages {
			all = append(all, message.String())
		}
		outcome := Outcome{Decisions: []string{""}, Handled: 1, Seen: all, Got: all}
		if method == Client {
			outcome.Got = all[len(all)-1:]
		}
		return outcome
	}
	outcome := Outcome{Decisions: []string{c.Want.Reason}, Seen: c.Seen}
	if len(c.Seen) > 0 {
		outcome.Decisions = []string{"", c.Want.Reason}
	}
	// A handler that receives its messages itself runs before the first: only the
	// organization in it is still open.
	if method.ClientStreams && c.byMessage() && c.Want.Reason == Organization.Reason {
		outcome.Handled = 1
	}
	if method == Bidi {
		outcome.Got = c.Seen
	}
	return outcome
}

func (c *Case) byMessage() bool {
	return Services[c.Service].GetOrganization().GetField() != ""
}

// A forge makes the catalogue's tokens. ES256 is the algorithm unless a case is about
// another: the others take up to a hundred times as long to verify.
type forge struct{ tokens.Scene }

func bearer(raw string) []string { return []string{"Bearer " + raw} }

// good is a token of the first issuer with changes to its payload.
func (f forge) good(changes ...any) []string {
	return bearer(f.Token(tokens.I1.ES256, changes...))
}

// global, resource and member are good tokens of each permission model.
func (f forge) global(scope string) []string { return f.good("scope", scope) }

func (f forge) resource(organization, scope string) []string {
	return f.good("scope", scope, "organization_id", organization)
}

func (f forge) member(organization, scope string) []string {
	return f.good("scope", scope, "aud", tokens.OrganizationAudience+organization)
}
