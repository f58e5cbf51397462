package interceptor

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// ServeUnary is the second step of a unary call whose handler reads the message itself. ServeUnary runs
// the handler on a stream that judges the message. The message must arrive before the token expires.
// See [Call.Serve] for the error.
func (c *Call) ServeUnary(transport Transport, handler func(context.Context, *Stream) error) error {
	s := c.newStream(c.Context(), transport, connect.Peer{})
	s.unary, s.shadows = true, c.newShadowMessages(true)
	return s.finish(handler(s.ctx, s))
}

// Serve is the second step of a streaming call. Serve runs the handler, until the token expires, on a
// stream that judges every message. If the call is refused, Serve returns the error of
// Transport.Refuse, whatever the handler returns, and the stream gives the handler the same error.
// Otherwise Serve returns the error of the handler: see [Call.HandlerError].
//
// The context of the handler ends when the token expires, with the cause [token.ErrExpired]. Serve then
// returns at once if the handler is blocked in Receive, and within half a second if not. The handler has
// a goroutine of its own and may go on. Transport.Connection ends the reads of the handler. A Receive or
// Send that is under way may still go on until the framework ends the call, which must wake it. Such a
// Receive or Send may be in a goroutine that the handler has left behind.
//
// Claims may end before their token, such as the answer of an issuer about an opaque token. Serve then has
// the token verified again (see [token.Claims.Deadline]). If the verifier refuses the token, the context
// ends with the error of the verifier as cause, and Serve returns as above. Such a context has no deadline.
//
// Serve raises a panic of the handler again with the same value, or drops the panic if Serve has
// returned. The stack, which would be lost with the goroutine of the handler, goes to
// [log/slog.Default] once, as an error, with the procedure and the type of the value. A panic with
// [net/http.ErrAbortHandler] is not logged, as in net/http.
//
// Calls of public methods, and all calls with [WithoutStreamExpiry], run on the goroutine of Serve and
// do not end with a token.
func (c *Call) Serve(transport Transport, handler func(context.Context, *Stream) error) error {
	return c.serve(c.Context(), transport, connect.Peer{}, handler)
}

func (c *Call) serve(ctx context.Context, transport Transport, peer connect.Peer, handler func(context.Context, *Stream) error) error {
	s := c.newStream(ctx, transport, peer)
	s.shadows = c.newShadowMessages(c.rule.guard.streamExpiry)
	if s.expires = c.rule.guard.streamExpiry && !c.rule.Public; s.expires {
		return s.serve(handler)
	}
	return s.finish(handler(s.ctx, s))
}

var errExited = errors.New("interceptor: the handler called runtime.Goexit")

// expiryGrace is how long an expired call waits for a handler that is not blocked in Receive.
const expiryGrace = 500 * time.Millisecond

// serve runs the handler until the token expires. The handler has a goroutine of its own, since perhaps
// only the end of the call wakes a handler that is blocked in Receive. The stream is locked before the
// call ends.
func (s *Stream) serve(handler func(context.Context, *Stream) error) error {
	if s.refuseOutdated() {
		return s.finish(nil)
	}
	deadline := s.call.deadline()
	left := time.Until(deadline)
	ctx, end := s.lifetime(left)
	defer end(nil)
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
	for !returned && s.call.renewal() != nil && !s.refuseOutdated() {
		timer.Reset(max(time.Until(s.call.deadline()), time.Millisecond)) // a verifier may return deadlines that are near
		returned = await(timer.C)
	}
	// The wall clock may have been set back: the context then ends before the deadline.
	inTime := s.call.renewal() != nil || time.Now().Before(deadline) && !errors.Is(context.Cause(ctx), token.ErrExpired)
	if returned && inTime {
		if result.panicked != nil {
			raise(result.panicked)
		}
		return s.finish(result.err)
	}
	if s.call.renewal() != nil {
		end(s.denial.Load().Unwrap())
	} else if !returned {
		<-ctx.Done() // by the timeout, so that the cause is ErrExpired, and not by the deferred end
	}
	s.refuse(denyExpired())
	s.shadows.each(func(j *shadowJudgement) { j.returned(s.ctx, nil, s.peer) })
	if !returned {
		if s.transport.Connection != nil {
			s.transport.Connection.EndReads(0)
		}
		if !s.receiving.Load() {
			// A handler that heeds its context returns now, before the interceptors around
			// it do.
			await(time.After(expiryGrace))
		}
	}
	s.end(!returned)
	if result.panicked != nil {
		raise(result.panicked)
	}
	return s.refusal()
}

// lifetime returns the context of the handler. The context of claims that are verified again has no deadline.
func (s *Stream) lifetime(left time.Duration) (context.Context, context.CancelCauseFunc) {
	if s.call.renewal() != nil {
		return context.WithCancelCause(s.ctx)
	}
	ctx, cancel := context.WithTimeoutCause(s.ctx, left, token.ErrExpired)
	return ctx, func(error) { cancel() }
}

// end makes the connection ready for the answer to a refused call. If the handler still runs, Serve has
// ended the reads.
func (s *Stream) end(readsEnded bool) {
	connection := s.transport.Connection
	if connection == nil {
		return
	}
	if !readsEnded {
		connection.EndReads(callctx.RefusedBody)
	}
	if readsEnded || s.call.renewal() != nil || s.denial.Load().Reason() == ReasonTokenExpired {
		connection.AwaitSend(&s.sending)
	}
}
