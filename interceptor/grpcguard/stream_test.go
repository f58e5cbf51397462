package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
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

// TestSendLeftBehind makes sure that the end of a call at the expiry of its token is safe
// beside the goroutines that handlers have left in SendMsg, whose messages the client reads.
// It is in no bubble, whose clock would stand still while they send: a handler has three seconds
// to start in once its token was verified.
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
