package interceptor

import (
	"context"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A Header is what a request says beside its messages, as [net/http.Header] is.
type Header interface {
	// Values returns the values of a field, whose name is matched without regard to case.
	Values(name string) []string
}

// A Call was admitted by its header. It is for adapters to RPC frameworks, which must have
// its messages judged too: by AdmitMessage, ServeUnary or Serve.
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

// Context returns the handler's context, in which [ClaimsFromContext] finds the claims.
func (c *Call) Context() context.Context { return c.ctx }

// AwaitsMessage reports whether a message has to name the organization: until one has,
// nothing of what the handler says may reach the client.
func (c *Call) AwaitsMessage() bool { return c.admission.byMessage() }

// AdmitMessage is the second step of a unary call whose message has been read before the
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
	// Receive reads a message, or returns an error that matches io.EOF if there are no more.
	Receive(message any) error
	Send(message any) error
}

// ServeUnary is the second step of a unary call whose handler reads the message itself: it
// runs the handler on a stream that judges the message. See [Call.Serve] for the results.
func (c *Call) ServeUnary(stream Stream, handler func(context.Context, Stream) error) (*Denial, error) {
	if c.admission.rule.Public {
		return nil, handler(c.ctx, stream)
	}
	guarded := c.newStream(stream)
	guarded.unary = true
	return guarded.finish(handler(c.ctx, guarded))
}

// Serve is the second step of a streaming call: it runs the handler on a stream that judges
// every message, and until the token expires. It returns a denial if the call was refused,
// whatever the handler made of that, and else the error of the handler.
//
// Once the call is refused, the stream that the handler has returns the denial, a *Denial,
// from all of its methods.
//
// When the token expires, the handler may be blocked in the stream it was given. If that has
// a method Interrupt, Serve calls it to wake the handler. In any case Serve returns, and the
// end of the call must wake it: a Receive or Send that was under way may go on until then.
func (c *Call) Serve(stream Stream, handler func(context.Context, Stream) error) (*Denial, error) {
	if c.admission.rule.Public {
		return nil, handler(c.ctx, stream)
	}
	guarded := c.newStream(stream)
	if !c.guard.streamExpiry {
		return guarded.finish(handler(c.ctx, guarded))
	}
	return guarded.serve(handler)
}
