package grpcguard

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
)

// Stream returns the interceptor of streaming calls, and of those of an unknown service. It
// panics if the guard is nil.
//
// Until a message has named the organization, headers and trailers that the handler sets are
// held back. A handler has a goroutine of its own and ends soon after its call, as
// [interceptor.Call.Serve] says.
func Stream(guard *interceptor.Guard) grpc.StreamServerInterceptor {
	mustGuard(guard)
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := stream.Context()
		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return refuse(denial)
		}
		denial, err := call.Serve(messages{stream}, func(ctx context.Context, messages interceptor.Stream) error {
			return handler(server, &guardedStream{
				ServerStream: stream, ctx: ctx, messages: messages, open: !call.AwaitsMessage(),
			})
		})
		if denial != nil {
			return refuse(denial)
		}
		return err
	}
}

// messages are those of a grpc.ServerStream.
type messages struct{ grpc.ServerStream }

// Receive implements [interceptor.Stream].
func (m messages) Receive(message any) error { return m.RecvMsg(message) }

// Send implements [interceptor.Stream].
func (m messages) Send(message any) error { return m.SendMsg(message) }

// A guardedStream is the stream that a handler has.
type guardedStream struct {
	grpc.ServerStream
	ctx      context.Context
	messages interceptor.Stream

	mu              sync.Mutex
	open            bool // the client may read what the handler says
	header, trailer metadata.MD
	sendHeader      bool // once it is open
}

// Context implements [grpc.ServerStream].
func (s *guardedStream) Context() context.Context { return s.ctx }

// RecvMsg implements [grpc.ServerStream].
func (s *guardedStream) RecvMsg(message any) error {
	if err := s.messages.Receive(message); err != nil {
		return answer(err)
	}
	return s.release()
}

// SendMsg implements [grpc.ServerStream].
func (s *guardedStream) SendMsg(message any) error { return answer(s.messages.Send(message)) }

// SetHeader implements [grpc.ServerStream].
func (s *guardedStream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return s.ServerStream.SetHeader(md)
	}
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader implements [grpc.ServerStream].
func (s *guardedStream) SendHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return s.ServerStream.SendHeader(md)
	}
	s.header, s.sendHeader = metadata.Join(s.header, md), true
	return nil
}

// SetTrailer implements [grpc.ServerStream].
func (s *guardedStream) SetTrailer(md metadata.MD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.ServerStream.SetTrailer(md)
		return
	}
	s.trailer = metadata.Join(s.trailer, md)
}

// release sends what was held back.
func (s *guardedStream) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return nil
	}
	s.open = true
	s.ServerStream.SetTrailer(s.trailer)
	if s.sendHeader {
		return s.ServerStream.SendHeader(s.header)
	}
	return s.ServerStream.SetHeader(s.header)
}

func answer(err error) error {
	if denial, ok := errors.AsType[*interceptor.Denial](err); ok {
		return refuse(denial)
	}
	return err
}
