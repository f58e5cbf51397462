package connectv2guard

import (
	"context"

	"connectrpc.com/connect/v2"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/callctx"
)

// A guardedStream is the stream that a handler gets.
type guardedStream struct {
	stream   connect.ServerStream
	messages *interceptor.Stream
	spec     connect.Spec
	info     *connect.CallInfo
	get      bool     // a GET of a method that is not public
	own      *ownInfo // the handler's own, or nil
}

// Receive implements [connect.ServerStream].
func (s *guardedStream) Receive(message any) error { return s.messages.Receive(message) }

// Send implements [connect.ServerStream].
func (s *guardedStream) Send(message any) error { return s.messages.Send(message) }

// SendHeaders implements [connect.ServerStream].
func (s *guardedStream) SendHeaders() error { return s.messages.SendHeader() }

// serve runs the handler, on a goroutine of its own if the call is a stream. The handler gets a CallInfo of
// its own if the handler may outlive its call, or may set a header before a message was judged.
func (s *guardedStream) serve(call *interceptor.Call, connection *callctx.Connection, next connect.ServerFunc, nextWithInfo func(context.Context, *guardedStream) error) error {
	transport := interceptor.Transport{
		Receive: func(message any) error {
			err := s.stream.Receive(message)
			if s.own != nil { // which the transport has set for the message
				s.own.info.RequestEncoding, s.own.info.ReceiveStats = s.info.RequestEncoding, s.info.ReceiveStats
			}
			return err
		},
		Send: func(message any) error {
			s.limitCaching(nil)
			err := s.stream.Send(message)
			if s.own != nil {
				s.own.info.ResponseEncoding, s.own.info.SendStats = s.info.ResponseEncoding, s.info.SendStats
			}
			return err
		},
		Refuse:        func(denial *interceptor.Denial) error { return refuse(denial, s.spec, s.info) },
		WithoutDenial: withoutDenial,
		SendHeader:    s.stream.SendHeaders,
		Connection:    connection,
	}
	run, unary := call.Serve, s.spec.StreamType == connect.StreamTypeUnary
	if unary {
		run = call.ServeUnary
	}
	if !unary || call.AwaitsMessage() {
		s.own = newOwnInfo(s.info)
		transport.Trailer = func() { s.own.trailer.release(s.info.ResponseTrailer()) }
		transport.Header = func() error {
			s.own.header.release(s.info.ResponseHeader())
			if unary { // the trailer goes out with the message
				s.own.trailer.release(s.info.ResponseTrailer())
			}
			return nil
		}
	}
	return run(transport, func(ctx context.Context, messages *interceptor.Stream) error {
		s.messages = messages
		if s.own == nil {
			return next(ctx, s.spec, s)
		}
		return nextWithInfo(ctx, s)
	})
}
