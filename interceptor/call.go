package interceptor

import (
	"context"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Header is what a request says beside its messages, as [net/http.Header] is.
type Header interface {
	// Values returns all values of a field, each as it came, whose name is matched without
	// regard to case.
	Values(name string) []string
}

// A Call has passed the first step, the one by its header. It is for adapters to RPC
// frameworks: no handler may run, on no message, but by the second step, which is
// AdmitMessage, ServeUnary or Serve.
//
// What a handler says beside its messages, in headers and trailers, is for the adapter to
// hold back: until a message was let in if the call awaits one, and altogether if the call is
// refused.
type Call struct {
	guard     *Guard
	admission *admission
	ctx       context.Context // the admission, or made from it
}

// Admit is the first step of a call. It judges what can be told from the procedure, as in
// "/pkg.Service/Method", and the header, and returns either a call or a denial. It is for
// adapters to RPC frameworks: for Connect there is [Guard.HandlerOption], and for others
// the packages beside this one.
func (g *Guard) Admit(ctx context.Context, procedure string, header Header) (*Call, *Denial) {
	a, denial := g.admit(ctx, procedure, header)
	if denial != nil {
		return nil, denial
	}
	return &Call{g, a, a}, nil
}

// Context returns the context of a unary handler that runs after AdmitMessage:
// [ClaimsFromContext] finds the claims in it. The others are given theirs.
func (c *Call) Context() context.Context { return c.ctx }

// AwaitsMessage reports whether a message has to name the organization: until one has,
// nothing of what the handler says may reach the client.
func (c *Call) AwaitsMessage() bool { return c.admission.byMessage() }

// AdmitMessage is the second step of a unary call whose one message has been read before the
// handler runs. It returns nil if the handler may run.
func (c *Call) AdmitMessage(message any) *Denial {
	a := c.admission
	if a.expired() {
		return c.guard.observe(c.ctx, Event{Procedure: a.rule.Procedure, Claims: a.claims, Denial: denyToken(token.ErrExpired)})
	}
	return c.guard.admitMessage(c.ctx, a, message)
}

// A Stream is the server's side of a call, as its handler sees it. One goroutine at a time
// may call Receive, and one Send.
type Stream interface {
	// Receive reads a message and decodes all of it, or returns an error that matches io.EOF
	// if there are no more. A message that is refused is emptied.
	Receive(message any) error
	Send(message any) error
}

// ServeUnary is the second step of a unary call whose handler reads the message itself: it
// runs the handler on a stream that judges the message. See [Call.Serve] for the error.
func (c *Call) ServeUnary(stream Stream, handler func(context.Context, Stream) error) error {
	if c.admission.rule.Public {
		return handler(c.ctx, stream)
	}
	guarded := c.newStream(stream)
	guarded.unary = true
	return guarded.finish(handler(c.ctx, guarded))
}

// Serve is the second step of a streaming call: it runs the handler on a stream that judges
// every message, and until the token expires. If the call was refused, the error is the
// *Denial itself, whatever the handler made of it, and else that of the handler. So are those
// that the handler gets from its stream once the call is refused.
//
// When the token expires, the handler may be blocked in the stream that Serve was given. If
// that has a method Interrupt, Serve calls it to wake the handler. In any case Serve returns,
// and the end of the call must wake it. A Receive that was under way may go on until then, and
// so may a Send, also one of a goroutine that the handler has left behind.
func (c *Call) Serve(stream Stream, handler func(context.Context, Stream) error) error {
	if c.admission.rule.Public {
		return handler(c.ctx, stream)
	}
	guarded := c.newStream(stream)
	guarded.expires = c.guard.streamExpiry
	if !guarded.expires {
		return guarded.finish(handler(c.ctx, guarded))
	}
	return guarded.serve(handler)
}
