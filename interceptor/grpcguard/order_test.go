package grpcguard_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

// TestGuardRunsFirst makes sure that the guard of ServerOptions acts on a call before every other
// interceptor, in whatever order the options are given.
func TestGuardRunsFirst(t *testing.T) {
	t.Parallel()
	var asked, answered atomic.Int64
	cachedUnary := func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
		asked.Add(1)
		return text("of another caller"), nil
	}
	cachedStream := func(_ any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
		asked.Add(1)
		return stream.SendMsg(text("of another caller"))
	}
	guard := harness.Expiring(t, time.Hour)
	guarded := grpcguard.ServerOptions(guard)
	others := []grpc.ServerOption{grpc.ChainUnaryInterceptor(cachedUnary), grpc.ChainStreamInterceptor(cachedStream)}
	for name, options := range map[string][]grpc.ServerOption{
		"guard first":  slices.Concat(guarded, others),
		"guard last":   slices.Concat(others, guarded),
		"guard within": {others[0], guarded[1], guarded[0], others[1]},
	} {
		server := grpc.NewServer(options...)
		register(server, unary, streaming)
		client := dial(t, server)
		for _, method := range catalogue.Methods {
			call := func(md ...string) error {
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs(md...))
				stream, err := client.NewStream(ctx, streamDesc(method, nil), catalogue.Procedure("Token", method))
				if err != nil {
					t.Fatal(err)
				}
				_ = stream.SendMsg(new(message)) // RecvMsg returns the status
				_ = stream.CloseSend()
				return stream.RecvMsg(new(answer))
			}
			if err := call(); status.Code(err) != codes.Unauthenticated || asked.Load() != answered.Load() {
				t.Errorf("%s, %s: without a token: %v, and another interceptor ran: %t", name, method.Name, err, asked.Load() != answered.Load())
			}
			if err := call("authorization", "Bearer any"); err != nil {
				t.Errorf("%s, %s: with a token: %v", name, method.Name, err)
			}
			answered.Add(1)
			if asked.Load() != answered.Load() {
				t.Fatalf("%s, %s: another interceptor ran %d times, want %d", name, method.Name, asked.Load(), answered.Load())
			}
		}
	}
	for name, second := range map[string]grpc.ServerOption{
		"a second unary interceptor":  grpc.UnaryInterceptor(cachedUnary),
		"a second stream interceptor": grpc.StreamInterceptor(cachedStream),
		"a second guard's, unary":     guarded[0],
		"a second guard's, stream":    guarded[1],
	} {
		for _, options := range [][]grpc.ServerOption{append(slices.Clone(guarded), second), append([]grpc.ServerOption{second}, guarded...)} {
			if !panics(func() { grpc.NewServer(options...) }) {
				t.Errorf("%s is accepted", name)
			}
		}
	}
}

func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return false
}
