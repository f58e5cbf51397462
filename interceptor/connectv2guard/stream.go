package connectv2guard

import (
	"context"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect/v2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// A guardedStream is the stream that a handler has.
type guardedStream struct {
	stream   connect.ServerStream
	messages interceptor.Stream // which checks, and goes on to the lowerStream
	spec     connect.Spec
	info     *connect.CallInfo
	// What the call came over, or nil.
	connection *callctx.Connection
	get        bool // of a method that is not public

	open          atomic.Bool // the client may read what the handler says
	headersWanted atomic.Bool // once it is open
	interrupted   bool        // the call ends before its handler
	expired       bool        // the call ends with its token

	// Held while sending, so that the end of the call never races with a Send.
	sending sync.Mutex
	sent    bool
	// The handler's own, since it may outlive the call, or nil: what it says there is handed on
	// when nothing else reads it, and not if the call is refused.
	own *ownInfo
}

// Receive implements [connect.ServerStream].
func (s *guardedStream) Receive(message any) error {
	if err := s.messages.Receive(message); err != nil {
		return s.answer(err)
	}
	if !s.open.Swap(true) && s.headersWanted.Load() {
		return s.Send(headers{})
	}
	return nil
}

// Send implements [connect.ServerStream].
func (s *guardedStream) Send(message any) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.answer(s.messages.Send(message))
}

// headers are sent as the message that they are not, so that they are checked like one.
type headers struct{}

// SendHeaders implements [connect.ServerStream].
func (s *guardedStream) SendHeaders() error {
	s.headersWanted.Store(true)
	if !s.open.Load() {
		return nil
	}
	return s.Send(headers{})
}

func (s *guardedStream) answer(err error) error {
	if denial, ok := err.(*interceptor.Denial); ok { //nolint:errorlint // the guard's, and not what another error is about
		return refuse(denial, s.spec, s.info)
	}
	return err
}

// A lowerStream is the side of a guardedStream that is turned to the connection.
type lowerStream struct{ *guardedStream }

// Receive implements [interceptor.Stream].
func (s lowerStream) Receive(message any) error {
	err := s.stream.Receive(message)
	s.own.received(s.info)
	return err
}

// Send implements [interceptor.Stream].
func (s lowerStream) Send(message any) error {
	s.handOnHeader()
	if message == (headers{}) {
		return s.stream.SendHeaders()
	}
	s.limitCaching(nil)
	err := s.stream.Send(message)
	s.own.sent(s.info)
	return err
}

// Interrupt wakes a handler that waits for the client.
func (s lowerStream) Interrupt() {
	s.interrupted = true
	s.connection.EndReads(0)
}

// serve runs a handler that has a CallInfo of its own.
func (s lowerStream) serve(call *interceptor.Call, handler func(context.Context, *guardedStream) error) error {
	s.own = newOwnInfo(s.info)
	run := call.Serve
	if s.spec.StreamType == connect.StreamTypeUnary {
		run = call.ServeUnary
	}
	defer s.end()
	err := run(s, func(ctx context.Context, messages interceptor.Stream) error {
		s.messages = messages
		return handlerError(handler(ctx, s.guardedStream))
	})
	if denial, ok := err.(*interceptor.Denial); ok { //nolint:errorlint // the guard's, and not what another error is about
		s.expired = denial.Reason() == interceptor.ReasonTokenExpired
		return denial
	}
	if s.open.Load() {
		s.handOnHeader()
		s.own.trailer.handOn(s.info.ResponseTrailer())
	}
	return err
}

// handOnHeader hands the handler's header on, once: it goes out with the first message, or
// with the end. With the one message of a unary call goes its trailer.
func (s *guardedStream) handOnHeader() {
	if s.own == nil || s.sent {
		return
	}
	s.sent = true
	s.own.header.handOn(s.info.ResponseHeader())
	if s.spec.StreamType == connect.StreamTypeUnary {
		s.own.trailer.handOn(s.info.ResponseTrailer())
	}
}

// end waits for the Send that is under way when a token expires, which is the last.
func (s lowerStream) end() {
	if s.interrupted || s.expired {
		s.connection.AwaitSend(&s.sending)
	}
}
