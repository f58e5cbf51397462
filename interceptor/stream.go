package interceptor

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
)

// A Transport is the client's side of a call, which an adapter supplies. Its functions take the messages
// of the framework and return its errors. Receive, Send and Refuse are required: without them Serve and
// ServeUnary panic.
//
// The adapter keeps the header and the trailer of the handler until Header and Trailer are called. Both
// are called only after a message was judged, if the call awaits a message, and never once the call
// is refused. At most one goroutine at a time calls Receive, and at most one Send or SendHeader. A
// goroutine that the handler has left behind may call these after Serve has returned.
type Transport struct {
	// Receive reads a message and decodes all of the message. After the last message Receive returns
	// an error that matches io.EOF. The handler does not see what Receive decodes beside an error.
	Receive func(message any) error
	// Send writes a message.
	Send func(message any) error
	// Refuse returns the error of the framework for a denial. If Refuse returns nil, the error is the
	// denial itself. Refuse must be safe beside a Receive or Send that is under way.
	Refuse func(denial *Denial) error
	// WithoutDenial returns the error of the framework for an error of the handler that holds the
	// denial of another call: with its code, text and details, but without the Denial and without the
	// google.rpc.ErrorInfo of the domain "protoauthz". If WithoutDenial is nil, the error has no
	// code.
	WithoutDenial func(err error) error
	// Header sets the header. It is called once: before the first message, before SendHeader, or
	// when the handler has returned. The error of Header is the error of that Send, SendHeader or
	// call.
	Header func() error
	// Trailer sets the trailer when the handler has returned.
	Trailer func()
	// SendHeader sends the header that Header has set, without a message.
	SendHeader func() error
	// Connection is what the call came over, or nil. Without a Connection, Serve waits neither for a
	// Receive nor for a Send that is under way when the token expires: the answer of the adapter must
	// be safe beside both.
	Connection Connection
}

// A Connection is what a call came over. Its methods must be safe for concurrent use.
type Connection interface {
	// EndReads ends the reads of the call after a time. With 0 EndReads wakes a handler that waits
	// for the client. A longer time bounds the wait for the body of a refused call.
	EndReads(in time.Duration)
	// AwaitSend waits until nobody holds the lock, and leaves the lock unlocked. A Send that is under
	// way holds the lock and is the last of the call. AwaitSend may end this Send if the client
	// takes too long to read. The adapter answers after AwaitSend.
	AwaitSend(sending *sync.Mutex)
}

// A Stream is the messages of a call, as its handler sees them: each received message is judged, and
// nothing passes once the call is refused. Transport.Refuse makes the error of a refusal. One
// goroutine at a time may call Receive. Send and SendHeader are safe for concurrent use.
type Stream struct {
	call      *Call
	ctx       context.Context
	transport Transport
	peer      connect.Peer
	shadows   *shadowMessages // nil if no rule in shadow judges the messages
	unary     bool            // a received message must arrive before the token expires
	expires   bool            // received and sent messages must be in time

	denial    atomic.Pointer[Denial]
	released  atomic.Bool // a message has named what the rule asks for, or no message has to
	receiving atomic.Bool // the handler waits for the client

	sending       sync.Mutex // held while sending: see Connection.AwaitSend
	headerWanted  atomic.Bool
	headerSet     atomic.Bool
	settingHeader sync.Mutex
}

func (c *Call) newStream(ctx context.Context, transport Transport, peer connect.Peer) *Stream {
	if transport.Receive == nil || transport.Send == nil || transport.Refuse == nil {
		panic("interceptor: a Transport needs Receive, Send and Refuse")
	}
	s := &Stream{call: c, ctx: ctx, transport: transport, peer: peer}
	s.released.Store(!c.AwaitsMessage())
	return s
}

// Receive receives a message and judges the message before the handler sees it. A refused message is
// emptied.
func (s *Stream) Receive(message any) error {
	if err := s.refusal(); err != nil {
		return err
	}
	s.receiving.Store(true)
	err := s.transport.Receive(message)
	s.receiving.Store(false)
	s.shadowReceived(message, err)
	if err == nil && (s.unary || s.expires) {
		s.refuseOutdated()
	}
	if refused := s.refusal(); refused != nil {
		forget(message)
		return refused
	}
	switch {
	case errors.Is(err, io.EOF) && !s.released.Load():
		forget(message)
		s.refuse(s.call.unproved(endedFirst))
		return s.refusal()
	case errors.Is(err, io.EOF):
		// The handler may receive into its last message once more. That message was judged, and stays.
		if s.call.forbids(message) {
			forget(message)
		}
		return err
	case err != nil:
		forget(message) // the part that was decoded before the error
		return err
	case !s.call.rule.judges():
		return nil
	}
	if denial := s.call.judge(message); denial != nil {
		forget(message)
		s.refuse(denial)
		return s.refusal()
	}
	return s.release(message)
}

// release lets the client see the header and the messages of the handler, since a message leaves a way.
func (s *Stream) release(message any) error {
	if s.released.Load() {
		return nil
	}
	if denial := s.call.observe(s.ctx, nil, s.peer); denial != nil {
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

// forget empties a refused message. A handler could read the message in spite of the error: see
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

// Send sends a message, unless the call was refused, its token has expired, or the call awaits a message.
func (s *Stream) Send(message any) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.maySend(); err != nil {
		return err
	}
	s.shadows.each(func(j *shadowJudgement) { j.sending(s.ctx, s.peer) })
	if _, err := s.setHeader(); err != nil {
		return err
	}
	return s.transport.Send(message)
}

// SendHeader sends the header. If the call awaits a message, the header goes out once a message was judged. It does
// nothing if the header was sent before.
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
	if s.expires && s.refuseOutdated() { // the goroutine that ends the call may be late
		return s.refusal()
	}
	if !s.released.Load() {
		s.refuse(s.call.unproved(sentFirst))
		return s.refusal()
	}
	return nil
}

// setHeader sets the header of the handler, once. The header goes out with the first message, or with
// the end of the call.
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
	denial := own(s.denial.Load()) // a user may overwrite the copy
	if denial == nil {
		return nil
	}
	if err := s.transport.Refuse(denial); err != nil {
		return err
	}
	return denial
}

// refuseOutdated refuses the call unless its token is still good.
func (s *Stream) refuseOutdated() bool {
	denial := s.call.outdated()
	if denial != nil {
		s.refuse(denial)
	}
	return denial != nil
}

// refuse locks the stream and tells the observers. Only the first refusal counts.
func (s *Stream) refuse(denial *Denial) {
	if s.denial.CompareAndSwap(nil, s.call.inRealm(denial)) {
		_ = s.call.observe(s.ctx, denial, s.peer)
	}
}

// finish returns the error with which the call ends, given the error of the handler. A refusal stands
// even if the handler has dropped its error.
func (s *Stream) finish(err error) error {
	if err == nil && !s.released.Load() {
		s.refuse(s.call.unproved(returnedFirst))
	}
	if refused := s.refusal(); refused != nil {
		s.end(false)
		return refused
	}
	s.shadows.each(func(j *shadowJudgement) { j.returned(s.ctx, err, s.peer) })
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
