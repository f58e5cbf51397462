package connectv2guard

import (
	"context"

	"connectrpc.com/connect/v2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// A guardedStream is the stream that a handler has.
type guardedStream struct {
	stream   connect.ServerStream
	messages *interceptor.Stream
	spec     connect.Spec
	info     *connect.CallInfo
	get      bool // of a method that is not public
	// The handler's own, since the handler may outlive the call, or nil.
	own *ownInfo
}

// Receive implements [connect.ServerStream].
func (s *guardedStream) Receive(message any) error { return s.messages.Receive(message) }

// Send implements [connect.ServerStream].
func (s *guardedStream) Send(message any) error { return s.messages.Send(message) }

// SendHeaders implements [connect.ServerStream].
func (s *guardedStream) SendHeaders() error { return s.messages.SendHeader() }

// transport is the side of the stream that is turned to the client.
func (s *guardedStream) transport(connection *callctx.Connection) interceptor.Transport {
	return interceptor.Transport{
		Receive: func(message any) error {
			err := s.stream.Receive(message)
			s.own.received(s.info)
			return err
		},
		Send: func(message any) error {
			s.limitCaching(nil)
			err := s.stream.Send(message)
			s.own.sent(s.info)
			return err
		},
		Refuse:        func(denial *interceptor.Denial) error { return refuse(denial, s.spec, s.info) },
		WithoutDenial: withoutDenial,
		Header: func() error {
			s.own.releaseHeader(s.info)
			if s.spec.StreamType == connect.StreamTypeUnary { // the trailer goes out with the message
				s.own.releaseTrailer(s.info)
			}
			return nil
		},
		Trailer:    func() { s.own.releaseTrailer(s.info) },
		SendHeader: s.stream.SendHeaders,
		Connection: connection,
	}
}

// serve runs the handler, on a goroutine of its own if the call is a stream. A handler that may outlive
// its call, or that speaks before the organization is proved, has a CallInfo of its own.
func (s *guardedStream) serve(call *interceptor.Call, connection *callctx.Connection, next connect.ServerFunc, nextWithInfo func(context.Context, *guardedStream) error) error {
	unary := s.spec.StreamType == connect.StreamTypeUnary
	if !unary || call.AwaitsMessage() {
		s.own = newOwnInfo(s.info)
	}
	run := call.Serve
	if unary {
		run = call.ServeUnary
	}
	return run(s.transport(connection), func(ctx context.Context, messages *interceptor.Stream) error {
		s.messages = messages
		if s.own == nil {
			return next(ctx, s.spec, s)
		}
		return nextWithInfo(ctx, s)
	})
}
