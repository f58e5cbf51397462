package explain

import (
	"context"
	"errors"
	"io"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/policy"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Question is a call, as far as it is known.
type Question struct {
	// Table has the rules.
	Table *policy.Table
	// Verifier verifies the token. If nil, all checks are made but the check of the signature.
	Verifier interceptor.Verifier
	// Inspect is Token of package interceptor/internal/unverified for the issuers that are trusted, or what [Inspector] returns.
	// Required.
	Inspect func(raw string) (*token.Claims, error)
	// Procedure is the method that is called, as in "/pkg.Service/Method".
	Procedure string
	// Authorization are the values of that header, and Header are other fields.
	Authorization []string
	Header        http.Header
	// Messages are the requests, of the type of the method's input: no more than the method
	// can have. Nil means that they are not known, and an empty list that there are none.
	Messages []proto.Message
}

// A Decision is what comes of a call.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Refused Decision = "refused"
	// Awaits means that the call is let in once each of its messages, which are not known,
	// names the organization that the token opens.
	Awaits Decision = "awaits_message"
)

// An answer is what the guard decided.
type answer struct {
	denial   *interceptor.Denial // nil unless the call is refused
	claims   *token.Claims       // nil unless the token was accepted
	awaits   bool                // a message that is not known has to name the organization
	messages int                 // how many were judged
}

// ask has a guard decide.
func (q *Question) ask(ctx context.Context) (a answer) {
	verifier := q.Verifier
	if verifier == nil {
		verifier = inspector(q.Inspect)
	}
	guard := interceptor.New(verifier, q.Table, interceptor.WithoutStreamExpiry(),
		interceptor.WithObserver(func(_ context.Context, event interceptor.Event) { a.claims = event.Claims }))
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

// inspector accepts tokens that nobody has to have signed.
type inspector func(raw string) (*token.Claims, error)

func (u inspector) Verify(_ context.Context, raw string) (*token.Claims, error) { return u(raw) }

// messages are a stream that has already been read.
type messages struct {
	rest     []proto.Message
	received int
}

// handle receives all messages, as a handler does. What is refused is emptied: hence the copies.
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

// receive finds the message where it is to be put.
func (m *messages) receive(any) error {
	if len(m.rest) == 0 {
		return io.EOF
	}
	m.rest = m.rest[1:]
	m.received++
	return nil
}
