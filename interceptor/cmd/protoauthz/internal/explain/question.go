package explain

import (
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/traits"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Question is a call, with its messages if they are known.
type Question struct {
	// Table has the rules, without shadow.
	Table *policy.Table
	// Shadow tells that the server does not enforce the rule of the procedure (see
	// [policy.WithShadow]). The decision is the same.
	Shadow bool
	// Verifier verifies the token. If it is nil, all checks but the check of the signature are made.
	Verifier interceptor.Verifier
	// Inspect makes all checks of a token but the check of the signature: Token of package
	// interceptor/internal/unverified for the trusted issuers, or the result of [Inspector].
	// Required.
	Inspect func(raw string) (*token.Claims, error)
	// Procedure is the procedure of the call, as in "/pkg.Service/Method".
	Procedure string
	// Authorization holds the values of the header Authorization. Header holds the other headers.
	Authorization []string
	Header        http.Header
	// Messages are the request messages, of the type of the method's input: at most as many as
	// the method takes. Nil means that the messages are not known, and an empty list that there
	// are no messages.
	Messages []proto.Message
}

// A Decision is the outcome of a call.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Refused Decision = "refused"
	// Awaits means that the call is let in once each message names the organization, the user or
	// the client of the token. The messages are not known.
	Awaits Decision = "awaits_message"
)

// An answer is the decision of the guard.
type answer struct {
	denial   *interceptor.Denial // nil unless the call is refused
	claims   *token.Claims       // nil unless the token was accepted
	awaits   bool                // the messages are not known, and must name something of the token
	messages int                 // how many messages were judged
	way      int                 // whose denial it is, for a rule with several ways
}

// ask asks a guard for its decision.
func (q *Question) ask(ctx context.Context) answer {
	if q.Verifier == nil {
		return q.askBy(ctx, inspector(q.Inspect), q.Table)
	}
	return q.askBy(ctx, q.Verifier, q.Table)
}

// An anyIssuer is a verifier whose issuers fit all rules: interceptor.New panics or warns if they do not, and the call may
// have nothing to do with that.
type anyIssuer struct{ interceptor.Verifier }

// Traits implements traits.Teller.
func (anyIssuer) Traits() []traits.Issuer { return []traits.Issuer{traits.Any("")} }

// askBy asks a guard with the given verifier and table.
func (q *Question) askBy(ctx context.Context, verifier interceptor.Verifier, table *policy.Table) (a answer) {
	guard := interceptor.New(anyIssuer{verifier}, table, interceptor.WithoutStreamExpiry(),
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) {
			a.claims, a.way = event.Claims, 0
			if len(event.Ways) > 0 {
				a.way = event.Ways[0]
			}
		}))
	header := q.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if delete(header, "Authorization"); q.Authorization != nil {
		header["Authorization"] = q.Authorization
	}
	call, denial := guard.Admit(ctx, q.Procedure, header)
	if denial != nil {
		a.denial = denial
		return a
	}
	a.claims = interceptor.ClaimsFromContext(call.Context())
	if q.Messages == nil {
		a.awaits = call.AwaitsMessage()
		return a
	}
	messages := &messages{rest: q.Messages}
	err := call.Serve(interceptor.Transport{
		Receive: messages.receive,
		Send:    func(any) error { return nil },
		Refuse:  func(denial *interceptor.Denial) error { return denial },
	}, messages.handle)
	a.messages = messages.received
	a.denial, _ = errors.AsType[*interceptor.Denial](err)
	return a
}

// An inspector is a verifier that does not check signatures.
type inspector func(raw string) (*token.Claims, error)

func (u inspector) Verify(_ context.Context, raw string) (*token.Claims, error) { return u(raw) }

// messages are the stream of a call whose messages are known.
type messages struct {
	rest     []proto.Message
	received int
}

// handle receives copies of all messages, as a handler does: the guard empties a refused message.
func (m *messages) handle(_ context.Context, stream *interceptor.Stream) error {
	for {
		var message proto.Message
		if len(m.rest) > 0 {
			message = proto.Clone(m.rest[0])
		}
		if err := stream.Receive(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// receive takes the next message, which handle has passed already.
func (m *messages) receive(any) error {
	if len(m.rest) == 0 {
		return io.EOF
	}
	m.rest = m.rest[1:]
	m.received++
	return nil
}
