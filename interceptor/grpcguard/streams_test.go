package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

const acme = harness.Acme

// TestStreams runs the suite that all adapters share. The tests below are about what grpc-go alone can do.
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
			register(server, unary, func(string, catalogue.Method) grpc.StreamHandler {
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

// A wiredStream is the stream that the guard gets.
type wiredStream struct {
	grpc.ServerStream
	ctx  context.Context //nolint:containedctx // as a stream of grpc-go does
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

// open starts a call of a bidirectional stream, without a wire.
func open(t testing.TB, guard *interceptor.Guard, service string, handler harness.StreamHandler) harness.ClientStream {
	t.Helper()
	stream, err := framework().Serve(t, guard, new(harness.Wire), handler)(t.Context(), service, catalogue.Bidi)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// TestSendLeftBehind makes sure that a call can end with its token while a goroutine of its handler is
// in SendMsg and the client reads. The test is not in a bubble, whose clock would stand still during a
// SendMsg: a handler must start within three seconds after its token was verified.
func TestSendLeftBehind(t *testing.T) {
	t.Parallel()
	large := text(strings.Repeat("x", 16<<10))
	var calls sync.WaitGroup
	for range 4 {
		stream := open(t, harness.Expiring(t, 4*time.Second), "Token", func(ctx context.Context, stream harness.ServerStream) error {
			go func() {
				for stream.Send(large) == nil {
				}
			}()
			<-ctx.Done()
			return context.Cause(ctx)
		})
		calls.Go(func() {
			var err error
			for err == nil {
				err = stream.Receive(new(answer))
			}
			if got := answerOf(err); got.Reason != catalogue.Expired.Reason {
				t.Errorf("the client gets %v", err)
			}
		})
	}
	calls.Wait()
}

// TestMetadataByContext makes sure that the header and trailer that a handler sets by way of its context are held back
// until a message has named the organization, and that the handler gets an error for a header that comes too late.
func TestMetadataByContext(t *testing.T) {
	t.Parallel()
	for organization, want := range map[string]int{acme: 1, "globex": 0} {
		stream := open(t, harness.Expiring(t, time.Hour), "Field", func(ctx context.Context, stream harness.ServerStream) error {
			err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("x-set", "secret")), grpc.SetTrailer(ctx, metadata.Pairs("x-trailing", "secret")),
				grpc.SendHeader(ctx, metadata.Pairs("x-sent", "secret")), stream.Receive(new(message)))
			if late := grpc.SetHeader(ctx, metadata.Pairs("x-late", "secret")); err == nil && late == nil {
				t.Error("a header after the header is taken")
			}
			if late := grpc.SendHeader(ctx, metadata.Pairs("x-late", "secret")); err == nil && late == nil {
				t.Error("a header that is sent after the header is taken")
			}
			return err
		})
		err := errors.Join(stream.Send(&message{OrganizationId: organization}), stream.CloseSend())
		if end := stream.Receive(new(answer)); err != nil || errors.Is(end, io.EOF) != (want == 1) {
			t.Errorf("%s: %v, %v", organization, err, end)
		}
		for _, name := range []string{"x-set", "x-sent", "x-trailing"} {
			if got := stream.Values(name); len(got) != want {
				t.Errorf("%s: the client sees %s %q", organization, name, got)
			}
		}
	}
}

// TestTrailerAfterwards makes sure that a goroutine that a handler leaves behind may still use the stream.
func TestTrailerAfterwards(t *testing.T) {
	t.Parallel()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer token"))
	var kept grpc.ServerStream
	err := grpcguard.Stream(harness.Expiring(t, time.Hour))(nil, &fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Token", catalogue.Bidi)},
		func(_ any, stream grpc.ServerStream) error {
			kept = stream
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	kept.SetTrailer(metadata.Pairs("x-late", "secret"))
}

// TestWithoutTransport makes sure that a handler whose server has no transport, as in a test, gets errors of grpc-go.
func TestWithoutTransport(t *testing.T) {
	t.Parallel()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	stream := &fakeStream{ctx: ctx, messages: []catalogue.Message{{Organization: acme}}}
	info := &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Bidi)}
	err := grpcguard.Stream(harness.Expiring(t, time.Hour))(nil, stream, info, func(_ any, stream grpc.ServerStream) error {
		if method, ok := grpc.Method(stream.Context()); ok {
			t.Errorf("the method is %q", method)
		}
		return stream.RecvMsg(new(message))
	})
	if err != nil {
		t.Error(err)
	}
}

// TestSendCompressor makes sure that a handler can choose a compressor unless its messages name the organization.
func TestSendCompressor(t *testing.T) {
	t.Parallel()
	for service, can := range map[string]bool{"Token": true, "Public": true, "Field": false} {
		stream := open(t, harness.Expiring(t, time.Hour), service, func(ctx context.Context, stream harness.ServerStream) error {
			if err := grpc.SetSendCompressor(ctx, "identity"); (err == nil) != can {
				t.Errorf("%s: %v", service, err)
			}
			if method, ok := grpc.Method(ctx); !ok || method != catalogue.Procedure(service, catalogue.Bidi) {
				t.Errorf("%s: the method is %q", service, method)
			}
			return stream.Receive(new(message))
		})
		if err := errors.Join(stream.Send(&message{OrganizationId: acme}), stream.Receive(new(answer))); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", service, err)
		}
	}
}
