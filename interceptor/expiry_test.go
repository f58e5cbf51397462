package interceptor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// A sleeper is a handler that would go on for ever.
type sleeper struct {
	name string
	kind connect.StreamType
	idle bool // the client sends nothing at all
	handlers
}

func sleepers(release <-chan struct{}) []sleeper {
	return []sleeper{
		{name: "receives", kind: connect.StreamTypeBidi},
		{name: "receives the first message", kind: connect.StreamTypeBidi, idle: true},
		{name: "receives", kind: connect.StreamTypeClient},
		{name: "waits for its context", kind: connect.StreamTypeServer, handlers: handlers{
			server: func(ctx context.Context, _ *connect.Request[message], _ *connect.ServerStream[answer]) error {
				<-ctx.Done()
				return ctx.Err()
			},
		}},
		{name: "waits for its context, content with it", kind: connect.StreamTypeServer, handlers: handlers{
			server: func(ctx context.Context, _ *connect.Request[message], _ *connect.ServerStream[answer]) error {
				<-ctx.Done()
				return nil
			},
		}},
		{name: "sends", kind: connect.StreamTypeServer, handlers: handlers{
			server: func(_ context.Context, _ *connect.Request[message], stream *connect.ServerStream[answer]) error {
				for {
					if err := stream.Send(text(acme)); err != nil {
						return err
					}
					<-time.After(10 * time.Millisecond)
				}
			},
		}},
		{name: "ignores everything", kind: connect.StreamTypeBidi, handlers: handlers{
			bidi: func(context.Context, *connect.BidiStream[message, answer]) error {
				<-release
				return nil
			},
		}},
	}
}

// TestExpiry makes sure that no stream outlives its token, in real time and over
// HTTP/2.
func TestExpiry(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	guard := interceptor.New(shared(t).verifier, rules(t))
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	var calls sync.WaitGroup // not subtests, of which only a few run at a time
	for _, sleeper := range sleepers(release) {
		server := serve(t, sleeper.mux(guard.HandlerOption()))
		for _, wire := range http2() {
			expiry := time.Now().Add(2 * time.Second).Truncate(time.Second)
			header := bearer(t, with(resource(acme, "read:data"), "exp", expiry.Unix()))
			calls.Go(func() {
				stream := server.connect(wire, procedure("Field", sleeper.kind)).CallBidiStream(ctx)
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				message := naming(acme)
				if sleeper.idle {
					message = nil // the headers only
				}
				err := stream.Send(message)
				if sleeper.kind == connect.StreamTypeServer {
					err = errors.Join(err, stream.CloseRequest())
				}
				for err == nil {
					_, err = stream.Receive()
				}
				late := time.Since(expiry)
				if got := refused(err); got != expired || late < 0 {
					t.Errorf("%s, %s, %s: %+v, %v after exp", sleeper.name, kinds[sleeper.kind], wire.name, got, late)
				}
			})
		}
	}
	calls.Wait()
}

// TestSlowBody makes sure that a call which was let in by its headers does not
// wait with its body until the token has ended.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	guard := interceptor.New(shared(t).verifier, rules(t), interceptor.WithObserver(observer))
	server := serve(t, handlers{}.mux(guard.HandlerOption()))
	var calls sync.WaitGroup
	for _, service := range []string{"Global", "Field", "Public"} {
		for _, wire := range http2()[1:] {
			claims := resource(acme, "read:data")
			want, events := expired, []interceptor.Reason{expired.reason}
			switch service {
			case "Global":
				claims = global("read:a write:b")
				events = []interceptor.Reason{"", expired.reason} // let in, and then not
			case "Public":
				want, events = refusal{}, []interceptor.Reason{""}
			}
			expiry := time.Now().Add(2 * time.Second).Truncate(time.Second)
			header := bearer(t, with(claims, "exp", expiry.Unix()))
			call := server.record(header)
			calls.Go(func() {
				stream := server.connect(wire, procedure(service, connect.StreamTypeUnary)).CallBidiStream(t.Context())
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				err := stream.Send(nil) // the headers
				<-time.After(time.Until(expiry) + 10*time.Millisecond)
				err = errors.Join(err, stream.Send(naming(acme)), stream.CloseRequest())
				if err == nil {
					_, err = stream.Receive()
				}
				if got := refused(err); got != want {
					t.Errorf("%s, %s: %+v", service, wire.name, got)
				}
				if got := call.decisions(); !slices.Equal(got, events) {
					t.Errorf("%s, %s: events %q, want %q", service, wire.name, got, events)
				} else if last := call.events[len(got)-1].Denial; want.reason != "" && !errors.Is(last, token.ErrExpired) {
					t.Errorf("%s, %s: cause %v", service, wire.name, last.Unwrap())
				}
				if calls, _ := call.seen(); calls != 0 != (service == "Public") {
					t.Errorf("%s, %s: %d calls", service, wire.name, calls)
				}
			})
		}
	}
	calls.Wait()
}
