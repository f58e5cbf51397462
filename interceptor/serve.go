package interceptor

import (
	"context"
	"errors"
	"time"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// ServeUnary is the second step of a unary call whose handler reads the message itself:
// ServeUnary runs the handler on a stream that judges the message, which must have arrived before
// the token expires. See [Call.Serve] for the error.
func (c *Call) ServeUnary(transport Transport, handler func(context.Context, *Stream) error) error {
	s := c.newStream(c.Context(), transport)
	s.unary = true
	return s.finish(handler(s.ctx, s))
}

// Serve is the second step of a streaming call: Serve runs the handler on a stream that judges
// every message, and until the token expires. If the call is refused, the error is what
// Transport.Refuse returns for the denial, whatever the handler made of it, and so are the errors
// that the handler gets from its stream. Otherwise the error is the handler's: see
// [Call.HandlerError].
//
// The handler's context ends when the token expires, with the cause [token.ErrExpired]. Serve
// then returns at once if the handler is blocked in Receive, and half a second later at the
// latest; the handler, which has a goroutine of its own, may go on. Transport.Connection ends the
// handler's reads. A Receive or Send that was under way, be it in a goroutine that the handler has
// left behind, may go on until the end of the call all the same, which must wake it.
//
// A panic of the handler is raised again by Serve, with the same value, or dropped if Serve has
// returned. Its stack would be lost with the handler's goroutine, so it goes to
// [log/slog.Default] with the procedure and the type of the value, once and as an error. A panic with
// [net/http.ErrAbortHandler] is not logged, as in net/http. Calls of public methods, and all calls
// with [WithoutStreamExpiry], have no goroutine of their own and do not end with a token.
func (c *Call) Serve(transport Transport, handler func(context.Context, *Stream) error) error {
	return c.serve(c.Context(), transport, handler)
}

func (c *Call) serve(ctx context.Context, transport Transport, handler func(context.Context, *Stream) error) error {
	s := c.newStream(ctx, transport)
	if s.expires = c.rule.guard.streamExpiry && !c.rule.Public; s.expires {
		return s.serve(handler)
	}
	return s.finish(handler(s.ctx, s))
}

var errExited = errors.New("interceptor: the handler called runtime.Goexit")

// expiryGrace is how long an expired call waits for a handler that is not blocked in
// Receive.
const expiryGrace = 500 * time.Millisecond

// serve runs the handler until the token expires. Nothing may be able to wake a handler
// that is blocked in Receive but the end of the call, so the handler has a goroutine of its
// own, which ends soon after the call does; the stream is locked before.
func (s *Stream) serve(handler func(context.Context, *Stream) error) error {
	if s.call.expired() {
		s.refuse(denyExpired())
		return s.finish(nil)
	}
	deadline := s.call.claims.Deadline()
	left := time.Until(deadline)
	ctx, cancel := context.WithTimeoutCause(s.ctx, left, token.ErrExpired)
	defer cancel()
	type outcome struct {
		err      error
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		result := outcome{err: errExited}
		defer func() { done <- result }()
		defer func() {
			if result.panicked = recover(); result.panicked != nil {
				logPanic(ctx, "a streaming handler", s.call.rule.Procedure, result.panicked)
			}
		}()
		result.err = handler(ctx, s)
	}()
	timer := time.NewTimer(left)
	defer timer.Stop()
	var result outcome
	await := func(until <-chan time.Time) (returned bool) {
		select {
		case result = <-done:
			return true
		case <-until:
			return false
		}
	}
	returned := await(timer.C)
	// The context may be ahead of a wall clock that has been set back.
	if returned && time.Now().Before(deadline) && !errors.Is(context.Cause(ctx), token.ErrExpired) {
		if result.panicked != nil {
			raise(result.panicked)
		}
		return s.finish(result.err)
	}
	if !returned {
		<-ctx.Done() // by itself, so that its cause is ErrExpired and not the deferred cancel
	}
	s.refuse(denyExpired())
	if !returned {
		if s.transport.Connection != nil {
			s.transport.Connection.EndReads(0)
		}
		if !s.receiving.Load() {
			// A handler that heeds its context returns now. What stands around it should
			// not see it run on.
			await(time.After(expiryGrace))
		}
	}
	s.end(!returned)
	if result.panicked != nil {
		raise(result.panicked)
	}
	return s.refusal()
}

// end ends the connection's part in a refused call. Serve has ended the reads if it did not wait for
// the handler.
func (s *Stream) end(readsEnded bool) {
	connection := s.transport.Connection
	if connection == nil {
		return
	}
	if !readsEnded {
		connection.EndReads(callctx.RefusedBody)
	}
	if readsEnded || s.denial.Load().Reason() == ReasonTokenExpired {
		connection.AwaitSend(&s.sending)
	}
}
