package interceptor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
)

// A Transport is what an adapter supplies for a call: the side of a stream that is turned to the
// client, in the words of its framework. Receive, Send and Refuse are required: without one of them
// Serve and ServeUnary panic.
//
// The adapter keeps the handler's header and trailer. The engine calls Header and Trailer to release
// them: never before a message has named the organization, if one has to, and never once the call
// is refused. One goroutine at a time calls Receive, and one Send and SendHeader. A goroutine that the
// handler has left behind may call them after Serve has returned.
type Transport struct {
	// Receive reads a message and decodes all of it, or returns an error that matches io.EOF if
	// there are no more. The handler does not see what Receive decodes beside an error.
	Receive func(message any) error
	// Send writes a message.
	Send func(message any) error
	// Refuse returns the error of the framework for a denial: if Refuse returns nil, the error is the
	// denial. Refuse must be safe beside a Receive or Send that is under way.
	Refuse func(denial *Denial) error
	// WithoutDenial returns the error of the framework for an error of the handler that holds the
	// denial of another call: code, text and details without the google.rpc.ErrorInfo of the
	// domain "protoauthz" and without the Denial itself. Nil makes an error without a code.
	WithoutDenial func(err error) error
	// Header sets the header, once: before the first message, before SendHeader, or when the
	// handler has returned. Its error is the error of that Send, SendHeader or call; Header is not
	// called again.
	Header func() error
	// Trailer sets the trailer when the handler has returned.
	Trailer func()
	// SendHeader sends the header that Header has set, without a message.
	SendHeader func() error
	// Connection is what the call came over. If it is nil, Serve waits neither for a Receive nor for
	// a Send that is under way when the token expires: what the adapter answers with must be safe
	// beside both.
	Connection Connection
}

// A Connection is what a call came over. Its methods must be safe for concurrent use.
type Connection interface {
	// EndReads ends the reads of the call after a time: at once to wake a handler that waits for
	// the client, and later to bound the wait for the body of a refused call.
	EndReads(in time.Duration)
	// AwaitSend returns once nobody holds the lock, and leaves it open. A Send that is under way
	// holds it, and is the last of the call: AwaitSend may end that Send if the client takes too
	// long to read. What the adapter answers with comes after AwaitSend.
	AwaitSend(sending *sync.Mutex)
}

// A Stream is the server's side of a call, as its handler sees it: each message that is received
// is judged, and nothing passes once the call is refused. Transport.Refuse makes the errors of a
// refusal. One goroutine at a time may call Receive; Send and SendHeader are safe for
// concurrent use.
type Stream struct {
	call      *Call
	ctx       context.Context
	transport Transport
	unary     bool // a received message must arrive before the token expires
	expires   bool // received and sent messages must be in time

	denial    atomic.Pointer[Denial]
	released  atomic.Bool // a message has named the organization, or none needs to
	receiving atomic.Bool // the handler waits for the client

	sending       sync.Mutex // held while sending: see Connection.AwaitSend
	headerWanted  atomic.Bool
	headerSet     atomic.Bool
	settingHeader sync.Mutex
}

func (c *Call) newStream(ctx context.Context, transport Transport) *Stream {
	if transport.Receive == nil || transport.Send == nil || transport.Refuse == nil {
		panic("interceptor: a Transport needs Receive, Send and Refuse")
	}
	s := &Stream{call: c, ctx: ctx, transport: transport}
	s.released.Store(!c.AwaitsMessage())
	return s
}

// Receive receives a message and judges it before the handler sees it. A message that is refused
// is emptied.
func (s *Stream) Receive(message any) error {
	if s.call.rule.Public {
		return s.transport.Receive(message)
	}
	if err := s.refusal(); err != nil {
		return err
	}
	s.receiving.Store(true)
	err := s.transport.Receive(message)
	s.receiving.Store(false)
	if err == nil && (s.unary || s.expires) && s.call.expired() {
		s.refuse(denyExpired())
	}
	if refused := s.refusal(); refused != nil {
		forget(message)
		return refused
	}
	switch {
	case errors.Is(err, io.EOF) && !s.released.Load():
		forget(message)
		s.refuse(s.unproved(endedFirst))
		return s.refusal()
	case errors.Is(err, io.EOF):
		// A handler may read into the last message once more: that one was judged.
		if s.call.AwaitsMessage() && s.call.judge(message) != nil {
			forget(message)
		}
		return err
	case err != nil:
		forget(message) // what was decoded of it before the error
		return err
	case !s.call.AwaitsMessage():
		return nil
	}
	if denial := s.call.judge(message); denial != nil {
		forget(message)
		s.refuse(denial)
		return s.refusal()
	}
	return s.release(message)
}

// release lets the client see what the handler says: a message has named the organization.
func (s *Stream) release(message any) error {
	if s.released.Load() {
		return nil
	}
	if denial := s.call.observe(s.ctx, nil); denial != nil {
		forget(message)
		s.denial.CompareAndSwap(nil, denial)
		return s.refusal()
	}
	s.released.Store(true)
	if s.headerWanted.Load() {
		return s.SendHeader()
	}
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

// Send sends a message, unless the call has been refused, its token has expired or nothing has
// named the organization yet.
func (s *Stream) Send(message any) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.maySend(); err != nil {
		return err
	}
	if _, err := s.setHeader(); err != nil {
		return err
	}
	return s.transport.Send(message)
}

// SendHeader sends the header: at once, or as soon as a message has named the organization if one
// has to. Where the header is out already, it does nothing.
func (s *Stream) SendHeader() error {
	s.headerWanted.Store(true)
	// The goroutine that holds the lock sends the header, and may take long over a message.
	if !s.released.Load() || s.headerSet.Load() || !s.sending.TryLock() {
		return s.refusal()
	}
	defer s.sending.Unlock()
	if err := s.maySend(); err != nil {
		return err
	}
	if first, err := s.setHeader(); !first || err != nil || s.transport.SendHeader == nil {
		return err
	}
	return s.transport.SendHeader()
}

func (s *Stream) maySend() error {
	if err := s.refusal(); err != nil {
		return err
	}
	if s.expires && s.call.expired() { // the goroutine that ends the call may be late
		s.refuse(denyExpired())
		return s.refusal()
	}
	if !s.released.Load() {
		s.refuse(s.unproved(sentFirst))
		return s.refusal()
	}
	return nil
}

// setHeader sets the handler's header, once. It goes out with the first message, or with the end.
func (s *Stream) setHeader() (first bool, err error) {
	if s.headerSet.Load() {
		return false, nil
	}
	s.settingHeader.Lock()
	defer s.settingHeader.Unlock()
	if s.headerSet.Load() {
		return false, nil
	}
	if s.transport.Header != nil {
		err = s.transport.Header()
	}
	s.headerSet.Store(true)
	return true, err
}

// refusal returns the refusal as an error of the framework, or nil if there is none.
func (s *Stream) refusal() error {
	denial := own(s.denial.Load()) // whose user may write to it
	if denial == nil {
		return nil
	}
	if err := s.transport.Refuse(denial); err != nil {
		return err
	}
	return denial
}

// refuse tells the observer and locks the stream. The first refusal counts.
func (s *Stream) refuse(denial *Denial) {
	if s.denial.CompareAndSwap(nil, s.call.inRealm(denial)) {
		_ = s.call.observe(s.ctx, denial)
	}
}

// unproved is the refusal of a call in which no message has named the organization.
func (s *Stream) unproved(cause string) *Denial {
	return deny(ReasonOrganizationMismatch, fmt.Sprintf(cause, s.call.rule.Organization.Name))
}

// finish decides how the call ends, given what the handler returned: a refusal stands even
// if the handler swallowed it.
func (s *Stream) finish(err error) error {
	if err == nil && !s.released.Load() {
		s.refuse(s.unproved(returnedFirst))
	}
	if refused := s.refusal(); refused != nil {
		s.end(false)
		return refused
	}
	if s.released.Load() {
		if _, headerErr := s.setHeader(); err == nil {
			err = headerErr
		}
		if s.transport.Trailer != nil {
			s.transport.Trailer()
		}
	}
	return s.call.HandlerError(err, s.transport.WithoutDenial)
}
