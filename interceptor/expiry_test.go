package interceptor_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
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
					time.Sleep(10 * time.Millisecond) // the bubble's clock
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

// TestExpiry makes sure that no stream outlives its token over HTTP/2.
func TestExpiry(t *testing.T) {
	t.Parallel()
	for _, wire := range http2() {
		bubble(t, wire.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			tenant := tokens.Must(newTenant())
			guard := interceptor.New(tenant.verifier, rules(t))
			release := make(chan struct{})
			defer close(release)
			expiry := time.Now().Add(time.Minute)
			raw := mint(t, tenant.good, with(resource(acme, "read:data"), "exp", expiry.Unix()))
			var calls sync.WaitGroup
			for _, sleeper := range sleepers(release) {
				server := server{harness.ServePiped(t, sleeper.mux(guard.HandlerOption()))}
				calls.Go(func() {
					stream := server.connect(wire, procedure("Field", sleeper.kind)).CallBidiStream(ctx)
					defer func() { _ = stream.CloseResponse() }()
					stream.RequestHeader().Set("Authorization", "Bearer "+raw)
					// What is blocked in the request's body does not heed the context.
					defer context.AfterFunc(ctx, func() { _ = stream.CloseRequest() })()
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
					if got := refused(err); got != expired || late < 0 || late > time.Second {
						t.Errorf("%s, %s: %+v, %v after exp", sleeper.name, kinds[sleeper.kind], got, late)
					}
				})
			}
			calls.Wait()
		})
	}
}

// TestSlowBody makes sure that a call which was let in by its headers does not
// wait with its body until the token has ended.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"Global", "Field", "Public"} {
		for _, wire := range http2()[1:] {
			bubble(t, service+", "+wire.name, func(t *testing.T) {
				tenant := tokens.Must(newTenant())
				guard := interceptor.New(tenant.verifier, rules(t), interceptor.WithObserver(harness.Observe))
				server := server{harness.ServePiped(t, handlers{}.mux(guard.HandlerOption()))}
				claims := resource(acme, "read:data")
				want, events := expired, []interceptor.Reason{expired.reason}
				switch service {
				case "Global":
					claims = global("read:a write:b")
					events = []interceptor.Reason{"", expired.reason} // let in, and then not
				case "Public":
					want, events = refusal{}, []interceptor.Reason{""}
				}
				header := http.Header{"Authorization": {"Bearer " + mint(t, tenant.good, with(claims, "exp", time.Now().Unix()+60))}}
				call := server.Record(header)
				stream := server.connect(wire, procedure(service, connect.StreamTypeUnary)).CallBidiStream(t.Context())
				defer func() { _ = stream.CloseResponse() }()
				merge(stream.RequestHeader(), header)
				err := stream.Send(nil) // the headers
				time.Sleep(time.Minute) // the bubble's clock
				err = errors.Join(err, stream.Send(naming(acme)), stream.CloseRequest())
				if err == nil {
					_, err = stream.Receive()
				}
				if got := refused(err); got != want {
					t.Errorf("%+v", got)
				}
				if got := call.Decisions(); !slices.Equal(got, events) {
					t.Errorf("events %q, want %q", got, events)
				} else if last := call.Event(len(got) - 1).Denial; want.reason != "" && !errors.Is(last, token.ErrExpired) {
					t.Errorf("cause %v", last.Unwrap())
				}
				if calls, _ := call.Seen(); calls != 0 != (service == "Public") {
					t.Errorf("%d calls", calls)
				}
			})
		}
	}
}
