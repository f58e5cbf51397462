// Package catalogue lists calls with the answers that a guard must give over every transport: services with
// their rules, and the calls of the threats in SECURITY.md. Package harness makes the calls. Its
// documentation tells how to add one.
package catalogue

import (
	"net/http"
	"strings"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A Case is one call that has the same answer over every transport.
type Case struct {
	// Row is the group of cases in SECURITY.md, such as "D07", or empty. Name is unique in its row.
	Row, Name string
	// Service is one of [Services], or [Unruled] or [Opened]. The case is a call of each of its methods that
	// can have so many messages.
	Service string
	// Trust names the issuers that the server trusts: [Both], which is the default, or [Alone].
	Trust string
	// Authorization are the values of that field, and Header are other fields.
	Authorization []string
	Header        http.Header
	// Messages are the requests: by default a message that names [tokens.OrganizationA].
	Messages []Message
	// Swallow makes the handler of a stream ignore the error of a Receive.
	Swallow bool
	// Everywhere makes the call by all routes also under the race detector and with -short, where the other
	// cases of a row take turns with the routes. The first case of a row is always called everywhere.
	Everywhere bool

	// Want is the answer. The zero Answer means that the call is let in.
	Want Answer
	// Cause is an error that the denial in the event must match. The default follows from Want.
	Cause error
	// Seen are the messages that are let in before another message is refused.
	Seen []string
	// ByHeader says that the header alone refuses a call of a method whose messages count.
	ByHeader bool
	// Ways are the ways in the event of each decision. Nil means that no event has ways.
	Ways [][]int
	// Told are the ways that the handler is told with each message that it sees. Nil means the rule's own way.
	Told []int
}

// A Message is a request message.
type Message struct {
	// Organization is the field organization_id.
	Organization string
	// Document is the field document.name, and nil if there is no document.
	Document *string
	// JSON are further fields of a [Request].
	JSON string
}

// String is the text of a message that handlers note and echo.
func (m Message) String() string {
	switch {
	case m.JSON != "":
		return m.Organization + note(m.JSON)
	case m.Document != nil:
		return m.Organization + *m.Document
	default:
		return m.Organization
	}
}

func naming(organizations ...string) []Message {
	messages := make([]Message, len(organizations))
	for n, organization := range organizations {
		messages[n].Organization = organization
	}
	return messages
}

// Fits reports whether a call of a method can have the messages of the case.
func (c *Case) Fits(method Method) bool { return method.ClientStreams || len(c.Messages) == 1 }

// maxField is the largest value of a field that the default limits of net/http let through, beside the other
// fields of a call.
const maxField = 1<<20 - 4<<10

// Travels reports whether every transport carries the Authorization field unchanged. A case that does not travel
// is called in process.
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

// An Outcome is everything that comes of a call beside its answer.
type Outcome struct {
	// Decisions are the reasons of the events, "" for an admission.
	Decisions []string
	// Handled is how often the handler runs.
	Handled int
	// Seen are the texts of the messages that the handler sees.
	Seen []string
	// Got are the texts that the client gets from the handler, which echoes.
	Got []string
}

// Outcome returns everything that must come of a call of a method.
func (c *Case) Outcome(method Method) Outcome {
	if c.Want.Reason == "" {
		var all []string
		for _, message := range c.Messages {
			all = append(all, message.String())
		}
		outcome := Outcome{Decisions: []string{""}, Handled: 1, Seen: all, Got: all}
		if method == Client {
			outcome.Got = []string{""} // a handler answers a stream without messages, too
			if len(all) > 0 {
				outcome.Got = all[len(all)-1:]
			}
		}
		return outcome
	}
	outcome := Outcome{Decisions: []string{c.Want.Reason}, Seen: c.Seen}
	if len(c.Seen) > 0 {
		outcome.Decisions = []string{"", c.Want.Reason}
	}
	// A handler that receives its messages itself runs before the first message, which names the organization.
	if method.ClientStreams && !c.ByHeader && c.messagesCount() && (c.Want.Reason == Organization.Reason || c.Want.Reason == Subject.Reason) {
		outcome.Handled = 1
	}
	if method == Bidi {
		outcome.Got = c.Seen
	}
	return outcome
}

// Open reports whether the method of the case is public.
func (c *Case) Open() bool { return c.Service == Opened || Services[c.Service].GetPublic() }

// messagesCount reports whether a way of the rule needs a message.
func (c *Case) messagesCount() bool {
	rule := Services[c.Service]
	counts := rule.GetOrganization().GetField() != "" || rule.GetSubject() != nil || rule.GetClient() != nil
	for _, way := range rule.GetAlternatives() {
		counts = counts || way.GetOrganization().GetField() != "" || way.GetSubject() != nil || way.GetClient() != nil
	}
	return counts
}

// A forge makes the catalogue's tokens. The algorithm is ES256 unless a case is about algorithms: the others take
// up to a hundred times as long to verify.
type forge struct{ tokens.Scene }

func bearer(raw string) []string { return []string{"Bearer " + raw} }

// good is a token of the first issuer with changes to its payload.
func (f forge) good(changes ...any) []string {
	return bearer(f.Token(tokens.I1.ES256, changes...))
}

// global is a good token of the global model.
func (f forge) global(scope string) []string { return f.good("scope", scope) }

// resource is a good token of the model of an organization's resources.
func (f forge) resource(organization, scope string) []string {
	return f.good("scope", scope, "organization_id", organization)
}

// member is a good token of the model of organizations.
func (f forge) member(organization, scope string) []string {
	return f.good("scope", scope, "aud", tokens.OrganizationAudience+organization)
}
