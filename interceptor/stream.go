package interceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A guardedStream checks each message that is received, and is locked once the call is
// refused.
type guardedStream struct {
	stream Stream
	*Call
	unary   bool // what is received has to arrive before the token expires
	expires bool // so has what is sent

	proved    atomic.Bool // a message has named the organization, or none needs to
	receiving atomic.Bool // the handler waits for the client
	denial    atomic.Pointer[Denial]
}

func (c *Call) newStream(stream Stream) *guardedStream {
	guarded := &guardedStream{stream: stream, Call: c}
	guarded.proved.Store(!c.admission.byMessage())
	return guarded
}

// Receive receives a message and checks it before the handler sees it.
func (s *guardedStream) Receive(message any) error {
	if err := s.refused(); err != nil {
		return err
	}
	s.receiving.Store(true)
	err := s.stream.Receive(message)
	s.receiving.Store(false)
	if err == nil && (s.unary || s.expires) && s.admission.expired() {
		_ = s.refuse(denyExpired())
	}
	if refused := s.refused(); refused != nil {
		forget(message)
		return refused
	}
	if err != nil {
		atEnd := errors.Is(err, io.EOF)
		if !atEnd {
			forget(message) // what was decoded of it before the error
		}
		if atEnd && !s.proved.Load() {
			return s.refuse(s.unproved(endedFirst))
		}
		return err
	}
	if !s.admission.byMessage() {
		return nil
	}
	if denial := judgeMessage(s.admission, message); denial != nil {
		forget(message)
		return s.refuse(denial)
	}
	if s.proved.Load() {
		return nil
	}
	if denial := s.observe(nil); denial != nil {
		forget(message)
		s.denial.CompareAndSwap(nil, denial)
		return s.refused()
	}
	s.proved.Store(true)
	return nil
}

// forget empties a refused message, which a handler could read in spite of the error: see
// [connect.ClientStream.Msg].
func forget(message any) {
	if m, ok := message.(proto.Message); ok {
		proto.Reset(m)
		return
	}
	switch v := reflect.ValueOf(message); {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		v.Elem().SetZero()
	case v.Kind() == reflect.Map:
		v.Clear()
	}
}

// Send sends a message, unless the call has been refused, its token has expired or nothing
// has proved the organization yet.
func (s *guardedStream) Send(message any) error {
	if err := s.refused(); err != nil {
		return err
	}
	if s.expires && s.admission.expired() { // the goroutine that ends the call may be late
		return s.refuse(denyExpired())
	}
	if !s.proved.Load() {
		return s.refuse(s.unproved(sentFirst))
	}
	return s.stream.Send(message)
}

// refused returns a copy of the refusal as an error, or nil: its user may write to the copy.
func (s *guardedStream) refused() error {
	if denial := s.denial.Load(); denial != nil {
		return denial.own()
	}
	return nil
}

// refuse tells the observer and locks the stream. The first refusal counts.
func (s *guardedStream) refuse(denial *Denial) error {
	if s.denial.CompareAndSwap(nil, s.admission.inRealm(denial)) {
		_ = s.observe(denial)
	}
	return s.refused()
}

// unproved is the refusal of a call in which no message has named the organization.
func (s *guardedStream) unproved(cause string) *Denial {
	return deny(ReasonOrganizationMismatch, fmt.Sprintf(cause, s.admission.rule.Organization.Name))
}

func (s *guardedStream) observe(denial *Denial) *Denial {
	return s.guard.observe(s.ctx, s.admission.event(denial))
}

// finish decides how the call ends, given what the handler returned: a refusal stands even
// if the handler swallowed it.
func (s *guardedStream) finish(err error) error {
	if err == nil && !s.proved.Load() {
		_ = s.refuse(s.unproved(returnedFirst))
	}
	if refused := s.refused(); refused != nil {
		return refused
	}
	return s.admission.handlerError(err)
}

var errExited = errors.New("interceptor: the handler called runtime.Goexit")

// expiryGrace is how long an expired call waits for a handler that is not blocked in
// Receive.
const expiryGrace = 500 * time.Millisecond

// serve runs the handler until the token expires. Nothing may be able to wake a handler
// that is blocked in Receive but the end of the call, so the handler has a goroutine of its
// own, which ends soon after the call does; the stream is locked before.
func (s *guardedStream) serve(handler func(context.Context, Stream) error) error {
	if s.admission.expired() {
		return s.finish(s.refuse(denyExpired()))
	}
	deadline := s.admission.claims.Deadline()
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
				logPanic(ctx, "a streaming handler", s.admission.rule.Procedure, result.panicked)
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
	_ = s.refuse(denyExpired())
	if interrupter, ok := s.stream.(interface{ Interrupt() }); ok && !returned {
		interrupter.Interrupt()
	}
	if !returned && !s.receiving.Load() {
		// A handler that heeds its context returns now. What stands around it should
		// not see it run on.
		await(time.After(expiryGrace))
	}
	if result.panicked != nil {
		raise(result.panicked)
	}
	return s.refused()
}
