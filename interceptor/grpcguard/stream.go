package grpcguard

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
)

// Stream returns the interceptor of streaming calls, and of those of an unknown service, for
// servers whose chains are made by hand: without [Unary] beside it, all unary calls are open.
// As with [Unary], what runs before the interceptor acts on calls that the guard has not
// judged: in [grpc.ChainStreamInterceptor] what stands before it, and [grpc.StreamInterceptor]
// in any case. It panics if the guard is nil.
//
// Until a message has named the organization, headers and trailers that the handler sets are
// held back. [grpc.SetSendCompressor] cannot be used where a message has to, nor after the
// end of the context. A handler has a goroutine of its own and should end soon after its
// call, see [interceptor.Call.Serve]: [grpc.WaitForHandlers] and [grpc.MaxConcurrentStreams]
// do not count it after that.
func Stream(guard *interceptor.Guard) grpc.StreamServerInterceptor {
	mustGuard(guard)
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := stream.Context()
		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return refuse(denial)
		}
		guarded := &guardedStream{ServerStream: stream}
		guarded.open.Store(!call.AwaitsMessage())
		err := call.Serve(lowerStream{guarded}, func(ctx context.Context, messages interceptor.Stream) error {
			if transport := grpc.ServerTransportStreamFromContext(ctx); transport != nil && call.AwaitsMessage() {
				ctx = grpc.NewContextWithServerTransportStream(ctx, transportStream{transport, guarded})
			}
			guarded.ctx, guarded.messages = ctx, messages
			return handlerError(handler(server, guarded))
		})
		if denial, ok := err.(*interceptor.Denial); ok { //nolint:errorlint // the guard's, and not what another error is about
			return refuse(denial)
		}
		if endErr := guarded.end(); err == nil {
			err = endErr
		}
		return err
	}
}

// A guardedStream is the stream that a handler has.
type guardedStream struct {
	grpc.ServerStream
	ctx      context.Context
	messages interceptor.Stream // which checks, and goes on to the lowerStream

	open         atomic.Bool // the client may read what the handler says
	headerWanted atomic.Bool // once it is open

	// What the handler says may come after the call: it is handed on when nothing else reads
	// it, and not if the call is refused.
	mu              sync.Mutex
	sent            bool
	header, trailer metadata.MD
}

// Context implements [grpc.ServerStream].
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg implements [grpc.ServerStream].
func (s *guardedStream) RecvMsg(message any) error {
	if err := s.messages.Receive(message); err != nil {
		return answer(err)
	}
	if !s.open.Swap(true) && s.headerWanted.Load() {
		return s.SendMsg(ownHeader{})
	}
	return nil
}

// SendMsg implements [grpc.ServerStream].
func (s *guardedStream) SendMsg(message any) error { return answer(s.messages.Send(message)) }

// SetHeader implements [grpc.ServerStream].
func (s *guardedStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return s.ServerStream.SetHeader(md) // which says that it is too late
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements [grpc.ServerStream].
func (s *guardedStream) SendHeader(md metadata.MD) error {
	if err := s.SetHeader(md); err != nil {
		return err
	}
	s.headerWanted.Store(true)
	if !s.open.Load() {
		return nil
	}
	return s.SendMsg(ownHeader{})
}

// SetTrailer implements [grpc.ServerStream].
func (s *guardedStream) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
}

// ownHeader is sent as the message that it is not, so that it is checked like one.
type ownHeader struct{}

// handOnHeader hands the handler's header on, once: it goes out with the first message, or
// with the end.
func (s *guardedStream) handOnHeader() (first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent {
		return false, nil
	}
	s.sent = true
	return true, s.ServerStream.SetHeader(s.header)
}

// end hands on what the handler said at last.
func (s *guardedStream) end() error {
	if !s.open.Load() {
		return nil
	}
	s.mu.Lock()
	s.ServerStream.SetTrailer(s.trailer)
	s.mu.Unlock()
	_, err := s.handOnHeader()
	return err
}

func answer(err error) error {
	if denial, ok := err.(*interceptor.Denial); ok { //nolint:errorlint // the guard's, and not what another error is about
		return refuse(denial)
	}
	return err
}

// A lowerStream is the side of a guardedStream that is turned to the connection.
type lowerStream struct{ *guardedStream }

// Receive implements [interceptor.Stream].
func (s lowerStream) Receive(message any) error { return s.ServerStream.RecvMsg(message) }

// Send implements [interceptor.Stream].
func (s lowerStream) Send(message any) error {
	first, err := s.handOnHeader()
	if err != nil {
		return err
	}
	if message == (ownHeader{}) {
		if !first { // another goroutine's is on its way
			return nil
		}
		return s.ServerStream.SendHeader(nil)
	}
	return s.ServerStream.SendMsg(message)
}

// A transportStream is what [grpc.SetHeader] and its like find in the context of a handler.
type transportStream struct {
	grpc.ServerTransportStream
	stream *guardedStream
}

// SetHeader implements [grpc.ServerTransportStream].
func (s transportStream) SetHeader(md metadata.MD) error { return s.stream.SetHeader(md) }

// SendHeader implements [grpc.ServerTransportStream].
func (s transportStream) SendHeader(md metadata.MD) error { return s.stream.SendHeader(md) }

// SetTrailer implements [grpc.ServerTransportStream].
func (s transportStream) SetTrailer(md metadata.MD) error {
	s.stream.SetTrailer(md)
	return nil
}
