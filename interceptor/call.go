package interceptor

import (
	"context"
)

// A Header is what a request says beside its messages: [net/http.Header] is one, and the
// metadata of gRPC can be made one.
type Header interface {
	// Values returns all values of a field, each as it came. The name is matched without
	// regard to case.
	Values(name string) []string
}

// A Call is half a decision: it was admitted by its header. It is for adapters to RPC
// frameworks, which must have its messages judged too, also those of public methods: by one
// of AdmitMessage, ServeUnary and Serve, called once. Messages are judged as the
// [proto.Message] of the method's input; anything else names no organization.
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
// handler runs. It returns nil if the handler may run: a nil *Denial, which is no nil error.
// What the handler returns is the adapter's to judge: a [Denial] in it is another call's.
func (c *Call) AdmitMessage(message any) *Denial {
	a := c.admission
	if a.expired() {
		return c.guard.observe(c.ctx, a.event(a.inRealm(denyExpired())))
	}
	return c.guard.admitMessage(c.ctx, a, message)
}

// A Stream is the server's side of a call, as its handler sees it. One goroutine at a time
// may call Receive, and one Send.
type Stream interface {
	// Receive reads a message and decodes all of it, or returns an error that matches io.EOF
	// if there are no more. A message that is refused is emptied.
	Receive(message any) error
	// Send writes a message.
	Send(message any) error
}

// ServeUnary is the second step of a unary call whose handler reads the message itself: it
// runs the handler on a stream that judges the message, which must have arrived before the
// token expires. See [Call.Serve] for the error.
func (c *Call) ServeUnary(stream Stream, handler func(context.Context, Stream) error) error {
	if c.admission.rule.Public {
		return c.admission.handlerError(handler(c.ctx, stream))
	}
	guarded := c.newStream(stream)
	guarded.unary = true
	return guarded.finish(handler(c.ctx, guarded))
}

// Serve is the second step of a streaming call: it runs the handler on a stream that judges
// every message, and until the token expires. If the call is refused, the error is the
// *Denial itself, whatever the handler made of it, and so are those that the handler gets
// from its stream; else it is the handler's, in which no [Denial] is found: see there.
//
// The handler's context ends when the token expires, with the cause [token.ErrExpired]. Serve
// then returns at once if the handler is blocked in Receive, and half a second later at the
// latest; the handler, which has a goroutine of its own, may go on. If the stream that Serve
// was given has a method Interrupt(), Serve calls it to wake the handler. A Receive or Send
// that was under way, be it in a goroutine that the handler has left behind, may all the same
// go on until the end of the call, which must wake it: what the adapter answers with must be
// safe beside it.
//
// A panic of the handler is raised again by Serve, with the same value, or dropped if Serve has
// returned. Its stack would be lost with the handler's goroutine, so it goes to
// [log/slog.Default] with the procedure and the type of the value, once and as an error. A panic with
// [http.ErrAbortHandler] is not logged, as in net/http. Calls of public methods, and all calls with [WithoutStreamExpiry], have no goroutine of their own and
// do not end with a token.
func (c *Call) Serve(stream Stream, handler func(context.Context, Stream) error) error {
	if c.admission.rule.Public {
		return c.admission.handlerError(handler(c.ctx, stream))
	}
	guarded := c.newStream(stream)
	guarded.expires = c.guard.streamExpiry
	if !guarded.expires {
		return guarded.finish(handler(c.ctx, guarded))
	}
	return guarded.serve(handler)
}
