package grpcguard

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
)

// Stream returns the interceptor of streams and of calls to an unknown service, for servers whose
// chains are made by hand. Without [Unary] beside it, all unary calls are open. As with [Unary], an
// interceptor that runs before the guard acts on calls that the guard has not judged.
//
// If the call awaits a message, the guard holds back the header and the trailer that a handler sets until a
// message was judged: see [interceptor.Call.AwaitsMessage]. The handler of such a call cannot call
// [grpc.SetSendCompressor]. No handler can after the end of its context.
//
// A handler runs on a goroutine of its own and should end soon after its call: see
// [interceptor.Call.Serve]. [grpc.WaitForHandlers] and [grpc.MaxConcurrentStreams] do not count the
// handler after the end of its call.
//
// Stream panics if the guard is nil.
func Stream(guard *interceptor.Guard) grpc.StreamServerInterceptor {
	mustGuard(guard)
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := stream.Context()
		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return refuse(denial)
		}
		guarded := &guardedStream{ServerStream: stream}
		transport := interceptor.Transport{
			Receive: stream.RecvMsg, Send: stream.SendMsg, Refuse: refuse, WithoutDenial: withoutDenial,
			Header: guarded.releaseHeader, Trailer: guarded.releaseTrailer,
			SendHeader: func() error { return stream.SendHeader(nil) },
		}
		return call.Serve(transport, func(ctx context.Context, messages *interceptor.Stream) error {
			if transport := grpc.ServerTransportStreamFromContext(ctx); transport != nil && call.AwaitsMessage() {
				ctx = grpc.NewContextWithServerTransportStream(ctx, transportStream{transport, guarded})
			}
			guarded.ctx, guarded.messages = ctx, messages
			return handler(server, guarded)
		})
	}
}

// A guardedStream is the stream that a handler gets.
type guardedStream struct {
	grpc.ServerStream
	ctx      context.Context
	messages *interceptor.Stream

	// What the handler has set and the guard has not released. A handler may outlive its call.
	mu              sync.Mutex
	released        bool // the header
	header, trailer metadata.MD
}

// Context implements [grpc.ServerStream].
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg implements [grpc.ServerStream].
func (s *guardedStream) RecvMsg(message any) error { return s.messages.Receive(message) }

// SendMsg implements [grpc.ServerStream].
func (s *guardedStream) SendMsg(message any) error { return s.messages.Send(message) }

// SetHeader implements [grpc.ServerStream].
func (s *guardedStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released {
		return s.ServerStream.SetHeader(md) // which returns the error of a header that comes too late
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements [grpc.ServerStream].
func (s *guardedStream) SendHeader(md metadata.MD) error {
	if err := s.SetHeader(md); err != nil {
		return err
	}
	return s.messages.SendHeader()
}

// SetTrailer implements [grpc.ServerStream].
func (s *guardedStream) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
}

func (s *guardedStream) releaseHeader() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	return s.ServerStream.SetHeader(s.header)
}

func (s *guardedStream) releaseTrailer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ServerStream.SetTrailer(s.trailer)
}

// A transportStream is what [grpc.SetHeader], [grpc.SendHeader] and [grpc.SetTrailer] find in the
// context of a handler.
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
