package grpcguard_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestStreams makes sure that streams are guarded.
func TestStreams(t *testing.T) {
	t.Parallel()
	harness.Streams(t, framework())
}

// framework serves and calls streams of grpc-go.
func framework() harness.Framework {
	return harness.Framework{
		Methods:     catalogue.Methods[1:],
		SendsHeader: true,
		Answer:      answerOf,
		Serve: func(t testing.TB, guard *interceptor.Guard, wire *harness.Wire, handler harness.StreamHandler) harness.StreamClient {
			t.Helper()
			wiring := func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
				return wire.Run(stream.Context(), nil, func(ctx context.Context) error { return next(server, wiredStream{stream, ctx, wire}) })
			}
			server := grpc.NewServer(grpc.ChainStreamInterceptor(wiring, grpcguard.Stream(guard)))
			register(server, unary, func(catalogue.Method) grpc.StreamHandler {
				return func(_ any, stream grpc.ServerStream) error { return handler(stream.Context(), serverStream{stream}) }
			})
			client := dial(t, server)
			return func(ctx context.Context, service string, method catalogue.Method) (harness.ClientStream, error) {
				ctx, cancel := context.WithCancel(withToken(ctx))
				stream, err := client.NewStream(ctx, streamDesc(catalogue.Bidi, nil), catalogue.Procedure(service, method))
				return clientStream{stream, cancel}, err
			}
		},
	}
}

// A wiredStream is the stream that the guard has.
type wiredStream struct {
	grpc.ServerStream
	ctx  context.Context //nolint:containedctx // as that of grpc-go
	wire *harness.Wire
}

func (s wiredStream) Context() context.Context { return s.ctx }
func (s wiredStream) RecvMsg(message any) error {
	return s.wire.Receive(message, s.ServerStream.RecvMsg)
}
func (s wiredStream) SendMsg(message any) error { return s.wire.Send(message, s.ServerStream.SendMsg) }
func (s wiredStream) SendHeader(md metadata.MD) error {
	return s.wire.SendHeader(func() error { return s.ServerStream.SendHeader(md) })
}

type serverStream struct{ grpc.ServerStream }

func (s serverStream) Receive(message any) error { return s.RecvMsg(message) }
func (s serverStream) Send(message any) error    { return s.SendMsg(message) }
func (s serverStream) SendHeader() error         { return s.ServerStream.SendHeader(nil) }
func (s serverStream) SetHeader(name, value string) {
	_ = s.ServerStream.SetHeader(metadata.Pairs(name, value))
}
func (s serverStream) SetTrailer(name, value string) {
	s.ServerStream.SetTrailer(metadata.Pairs(name, value))
}

type clientStream struct {
	grpc.ClientStream
	cancel context.CancelFunc
}

func (s clientStream) Send(message any) error    { return s.SendMsg(message) }
func (s clientStream) Receive(message any) error { return s.RecvMsg(message) }

func (s clientStream) Values(name string) []string {
	header, _ := s.Header()
	return slices.Concat(header.Get(name), s.Trailer().Get(name))
}

func (s clientStream) Close() error {
	s.cancel()
	return nil
}
