package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
)

const acme = harness.Acme

// open opens a call of a bidirectional stream, without a wire.
func open(t testing.TB, guard *interceptor.Guard, service string, handler harness.StreamHandler) harness.ClientStream {
	t.Helper()
	stream, err := framework().Serve(t, guard, new(harness.Wire), handler)(t.Context(), service, catalogue.Bidi)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// sendOn sends until it cannot.
func sendOn(stream harness.ServerStream) error {
	large := text(strings.Repeat("x", 16<<10))
	for {
		if err := stream.Send(large); err != nil {
			return err
		}
	}
}

// leaveSend leaves a goroutine behind that sends on.
func leaveSend(ctx context.Context, stream harness.ServerStream) error {
	go func() { _ = sendOn(stream) }()
	<-ctx.Done()
	return context.Cause(ctx)
}

// drain receives until the stream ends, which must be with its token.
func drain(t testing.TB, stream harness.ClientStream) {
	t.Helper()
	var err error
	for err == nil {
		err = stream.Receive(new(answer))
	}
	if got := answerOf(err); got.Reason != catalogue.Expired.Reason {
		t.Errorf("the client gets %v", err)
	}
}

// TestUnreadStream is about a client that does not read, so that a Send blocks: the call ends with its token.
func TestUnreadStream(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	for name, handler := range map[string]harness.StreamHandler{
		"sends":                func(_ context.Context, stream harness.ServerStream) error { return sendOn(stream) },
		"leaves a Send behind": leaveSend,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				stream := open(t, harness.Expiring(t, time.Minute), "Token", handler)
				time.Sleep(time.Minute + time.Second) // the bubble's clock
				drain(t, stream)
			})
		})
	}
}

// TestSendLeftBehind makes sure that the end of a call at the expiry of its token is safe
// beside the goroutines that handlers have left in SendMsg, whose messages the client reads.
// It is in no bubble, whose clock would stand still while they send: a handler has three seconds
// to start in once its token was verified.
func TestSendLeftBehind(t *testing.T) {
	t.Parallel()
	var calls sync.WaitGroup
	for range 4 {
		stream := open(t, harness.Expiring(t, 4*time.Second), "Token", leaveSend)
		calls.Go(func() { drain(t, stream) })
	}
	calls.Wait()
}

// TestMetadataByContext makes sure that what a handler says by way of its context is held back until a message has named
// the organization, and that the handler is told if it says so too late.
func TestMetadataByContext(t *testing.T) {
	t.Parallel()
	for organization, want := range map[string]int{acme: 1, "globex": 0} {
		stream := open(t, harness.Expiring(t, time.Hour), "Field", func(ctx context.Context, stream harness.ServerStream) error {
			err := errors.Join(grpc.SetHeader(ctx, metadata.Pairs("x-set", "secret")), grpc.SetTrailer(ctx, metadata.Pairs("x-trailing", "secret")),
				grpc.SendHeader(ctx, metadata.Pairs("x-sent", "secret")), stream.Receive(new(message)))
			if late := grpc.SetHeader(ctx, metadata.Pairs("x-late", "secret")); err == nil && late == nil {
				t.Error("a header after the header is taken")
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

// TestSendCompressor holds what the documentation says of it.
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
