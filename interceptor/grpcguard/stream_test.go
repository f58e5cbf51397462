package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

const acme = harness.Acme

// pipedHandler serves one streaming handler in memory, and returns a connection to it and how its
// calls ended.
func pipedHandler(t testing.TB, guard *interceptor.Guard, handler grpc.StreamHandler) (*grpc.ClientConn, <-chan error) {
	t.Helper()
	ended := make(chan error, 1)
	server := grpc.NewServer(grpc.StreamInterceptor(grpcguard.Stream(guard)))
	register(server, unary, func(catalogue.Method) grpc.StreamHandler {
		return func(server any, stream grpc.ServerStream) (err error) {
			defer func() { ended <- err }()
			return handler(server, stream)
		}
	})
	pipes := harness.NewPipes()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(pipes) })
	client, err := grpc.NewClient("passthrough:///pipes", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipes.Dial(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		server.Stop()
		serving.Wait()
	})
	return client, ended
}

// open opens a stream with a token.
func open(t testing.TB, client *grpc.ClientConn, service string, organizations ...string) grpc.ClientStream {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "Authorization", "Bearer any")
	stream, err := client.NewStream(ctx, streamDesc(catalogue.Bidi, nil), catalogue.Procedure(service, catalogue.Bidi))
	if err != nil {
		t.Fatal(err)
	}
	for _, organization := range organizations {
		if err := stream.SendMsg(&message{OrganizationId: organization}); err != nil {
			t.Fatal(err)
		}
	}
	return stream
}

// TestExpiry makes sure that a stream ends with its token, whatever its handler and its
// client do, and that the handler ends with the stream.
func TestExpiry(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	for name, test := range map[string]struct {
		handler grpc.StreamHandler
		idle    bool // the client does not read
		late    time.Duration
	}{
		"receives": {handler: func(_ any, stream grpc.ServerStream) error {
			for {
				if err := stream.RecvMsg(new(message)); err != nil {
					return err
				}
			}
		}},
		"waits": {handler: func(_ any, stream grpc.ServerStream) error {
			<-stream.Context().Done()
			return context.Cause(stream.Context())
		}},
		"sends to a client that does not read": {idle: true, handler: func(_ any, stream grpc.ServerStream) error {
			return sendOn(stream)
		}},
		"leaves a Send behind": {idle: true, handler: func(_ any, stream grpc.ServerStream) error {
			go func() { _ = sendOn(stream) }()
			<-stream.Context().Done()
			return context.Cause(stream.Context())
		}},
		"computes": {late: 500 * time.Millisecond, handler: func(_ any, stream grpc.ServerStream) error {
			time.Sleep(time.Hour) // the bubble's clock
			return stream.SendMsg(text("too late"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, ended := pipedHandler(t, harness.Expiring(t, time.Minute), test.handler)
				start := time.Now()
				stream := open(t, client, "Token", "")
				if test.idle {
					time.Sleep(time.Minute + time.Second) // the bubble's clock
				}
				var err error
				for err == nil {
					err = stream.RecvMsg(new(answer))
				}
				if got := answerOf(err); got.Answer != withoutChallenge(catalogue.Expired) {
					t.Errorf("the client gets %v", err)
				}
				if late := time.Since(start) - time.Minute; !test.idle && (late < test.late || late > test.late+time.Second) {
					t.Errorf("%v after expiry, want %v", late, test.late)
				}
				if err := <-ended; err == nil {
					t.Error("the handler ended in peace")
				}
			})
		})
	}
}

// sendOn sends until it cannot.
func sendOn(stream grpc.ServerStream) error {
	large := text(string(make([]byte, 16<<10)))
	for {
		if err := stream.SendMsg(large); err != nil {
			return err
		}
	}
}

// TestSendLeftBehind makes sure that the end of a call at the expiry of its token is safe
// beside the goroutines that handlers have left in SendMsg, whose messages the client reads.
// It is in no bubble, whose clock would stand still while they send: a handler has three seconds
// to start in once its token was verified.
func TestSendLeftBehind(t *testing.T) {
	t.Parallel()
	var left sync.WaitGroup
	client, ended := pipedHandler(t, harness.Expiring(t, 4*time.Second), func(_ any, stream grpc.ServerStream) error {
		left.Go(func() { _ = sendOn(stream) })
		<-stream.Context().Done()
		return context.Cause(stream.Context())
	})
	var calls sync.WaitGroup
	for range 4 {
		stream := open(t, client, "Token", "")
		calls.Go(func() {
			var err error
			for err == nil {
				err = stream.RecvMsg(new(answer))
			}
			if got := answerOf(err); got.Answer != withoutChallenge(catalogue.Expired) {
				t.Errorf("the client gets %v", err)
			}
			if err := <-ended; !errors.Is(err, token.ErrExpired) {
				t.Errorf("the handler ended with %v", err)
			}
		})
	}
	calls.Wait()
	left.Wait()
}

func withoutChallenge(a catalogue.Answer) catalogue.Answer {
	a.Challenge = ""
	return a
}

// TestSendHeaderAgain makes sure that a header which another goroutine has just sent is no
// error: neither the handler nor the guard, which sends it once it may, can tell.
func TestSendHeaderAgain(t *testing.T) {
	t.Parallel()
	client, _ := pipedHandler(t, harness.Expiring(t, time.Hour), func(_ any, stream grpc.ServerStream) error {
		return errors.Join(stream.SendHeader(metadata.Pairs("x-sent", "yes")), stream.RecvMsg(new(message)), stream.SendHeader(nil))
	})
	stream := open(t, client, "Field", acme)
	if err := stream.RecvMsg(new(answer)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if header, err := stream.Header(); err != nil || len(header.Get("x-sent")) != 1 {
		t.Errorf("%v, %v", header, err)
	}
}

// TestHeldBack makes sure that nothing of what a handler says reaches a client before a
// message has named the organization, and that all of it does once one has.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	handler := func(_ any, stream grpc.ServerStream) error {
		stream.SetTrailer(metadata.Pairs("x-trailing", "secret"))
		ctx := stream.Context()
		err := errors.Join(
			stream.SetHeader(metadata.Pairs("x-early", "secret")), grpc.SetHeader(ctx, metadata.Pairs("x-context", "secret")),
			grpc.SetTrailer(ctx, metadata.Pairs("x-context-trailing", "secret")), stream.SendHeader(metadata.Pairs("x-sent", "secret")),
		)
		for err == nil {
			err = stream.RecvMsg(new(message))
		}
		stream.SetTrailer(metadata.Pairs("x-last", "secret"))
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	for name, test := range map[string]struct {
		service      string
		organization []string
		want         catalogue.Answer
		early        bool // the header went out before the refusal
	}{
		"named":        {service: "Field", organization: []string{acme, acme}},
		"named, then":  {service: "Field", organization: []string{acme, "globex"}, want: withoutChallenge(catalogue.Organization), early: true},
		"wrong":        {service: "Field", organization: []string{"globex"}, want: withoutChallenge(catalogue.Organization)},
		"none":         {service: "Field", want: withoutChallenge(catalogue.Organization)},
		"by the token": {service: "Token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := pipedHandler(t, harness.Expiring(t, time.Hour), handler)
			stream := open(t, client, test.service, test.organization...)
			if err := stream.CloseSend(); err != nil {
				t.Fatal(err)
			}
			err := stream.RecvMsg(new(answer))
			if errors.Is(err, io.EOF) {
				err = nil
			}
			if got := answerOf(err); got.Answer != test.want {
				t.Errorf("the client gets %v", err)
			}
			header, _ := stream.Header()
			var secrets []string
			for _, name := range []string{"x-early", "x-context", "x-sent", "x-trailing", "x-context-trailing", "x-last"} {
				for _, md := range []metadata.MD{header, stream.Trailer()} {
					if len(md.Get(name)) == 1 {
						secrets = append(secrets, name)
					}
				}
			}
			var want []string
			switch {
			case test.want.Reason == "":
				want = []string{"x-early", "x-context", "x-sent", "x-trailing", "x-context-trailing", "x-last"}
			case test.early:
				want = []string{"x-early", "x-context", "x-sent"}
			}
			if !slices.Equal(secrets, want) {
				t.Errorf("the client sees %q, want %q", secrets, want)
			}
		})
	}
}

// TestEarlyHeader makes sure that a handler that sends its header first reaches its client
// once it may, and not only with its first message; one that sets it, with its message.
func TestEarlyHeader(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t) // which belong to no bubble
	for name, test := range map[string]struct {
		sets func(stream grpc.ServerStream, md metadata.MD) error
		took time.Duration
	}{
		"sends": {grpc.ServerStream.SendHeader, 0},
		"sets":  {grpc.ServerStream.SetHeader, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := pipedHandler(t, harness.Expiring(t, time.Hour), func(_ any, stream grpc.ServerStream) error {
					err := errors.Join(test.sets(stream, metadata.Pairs("x-early", "yes")), stream.RecvMsg(new(message)))
					time.Sleep(time.Second) // the bubble's clock
					return errors.Join(err, stream.SendMsg(text(acme)))
				})
				start := time.Now()
				stream := open(t, client, "Field", acme)
				header, err := stream.Header() // waits for it
				if took := time.Since(start); err != nil || len(header.Get("x-early")) != 1 || took != test.took {
					t.Errorf("%v, %v after %v", header, err, took)
				}
				response := new(answer)
				if err := errors.Join(stream.CloseSend(), stream.RecvMsg(response)); err != nil || response.GetDocument().GetText() != acme {
					t.Errorf("%v, %v", response, err)
				}
				if err := stream.RecvMsg(response); !errors.Is(err, io.EOF) {
					t.Error(err)
				}
			})
		})
	}
}

// TestMisbehaviour makes sure that a handler which goes on after a refusal, or sends before
// anything is proved, learns why from a status, and reaches nobody.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, err error) {
		t.Helper()
		if got := answerOf(err); got.Answer != withoutChallenge(catalogue.Organization) || got.More != 0 {
			t.Errorf("the handler gets %v", err)
		}
	}
	goOn := func(t *testing.T, stream grpc.ServerStream) {
		t.Helper()
		for range 2 {
			received := new(message)
			refused(t, stream.RecvMsg(received))
			refused(t, stream.SendMsg(text("secret")))
			if received.GetOrganizationId() != "" {
				t.Errorf("the handler receives %v", received)
			}
		}
	}
	for _, options := range [][]interceptor.Option{nil, {interceptor.WithoutStreamExpiry()}} {
		for name, test := range map[string]struct {
			messages []catalogue.Message
			handler  func(t *testing.T, stream grpc.ServerStream)
			texts    []string
		}{
			"receives on": {[]catalogue.Message{{Organization: "globex"}, {Organization: acme}}, goOn, nil},
			"receives on, midway": {[]catalogue.Message{{Organization: acme}, {Organization: "globex"}}, func(t *testing.T, stream grpc.ServerStream) {
				t.Helper()
				if err := errors.Join(stream.RecvMsg(new(message)), stream.SendMsg(text(acme))); err != nil {
					t.Error(err)
				}
				goOn(t, stream)
			}, []string{acme}},
			"sends its header after": {[]catalogue.Message{{Organization: acme}, {Organization: "globex"}}, func(t *testing.T, stream grpc.ServerStream) {
				t.Helper()
				if err := stream.RecvMsg(new(message)); err != nil {
					t.Error(err)
				}
				goOn(t, stream)
				refused(t, stream.SendHeader(metadata.Pairs("x-late", "secret")))
			}, nil},
			"sends first": {[]catalogue.Message{{Organization: acme}}, func(t *testing.T, stream grpc.ServerStream) {
				t.Helper()
				refused(t, stream.SendMsg(text("secret")))
				goOn(t, stream)
			}, nil},
			"does nothing": {[]catalogue.Message{{Organization: acme}}, func(*testing.T, grpc.ServerStream) {}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				stream := &fakeStream{
					ctx:      metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any")),
					messages: test.messages,
				}
				err := grpcguard.Stream(harness.Expiring(t, time.Hour, options...))(nil, stream, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Bidi)},
					func(_ any, stream grpc.ServerStream) error {
						test.handler(t, stream)
						return nil
					})
				if got := answerOf(err); got.Answer != withoutChallenge(catalogue.Organization) || !slices.Equal(stream.texts, test.texts) {
					t.Errorf("%v, sent %q", err, stream.texts)
				}
			})
		}
	}
}

// TestWithoutStreamExpiry makes sure that a stream may outlive its token if its guard says so.
func TestWithoutStreamExpiry(t *testing.T) {
	t.Parallel()
	_ = harness.Rules(t)
	synctest.Test(t, func(t *testing.T) {
		client, ended := pipedHandler(t, harness.Expiring(t, time.Minute, interceptor.WithoutStreamExpiry()), streaming(catalogue.Bidi))
		stream := open(t, client, "Field", acme)
		time.Sleep(time.Hour) // the bubble's clock
		response := new(answer)
		for range 2 {
			if err := errors.Join(stream.RecvMsg(response), stream.SendMsg(&message{OrganizationId: acme})); err != nil || response.GetDocument().GetText() != acme {
				t.Errorf("%v, %v", response, err)
			}
		}
		if err := errors.Join(stream.CloseSend(), stream.RecvMsg(response)); err != nil {
			t.Error(err)
		}
		if err := errors.Join(stream.RecvMsg(response), <-ended); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// TestOwnError makes sure that nothing of what a handler says goes out with an error, if no
// message that could be read has named the organization.
func TestOwnError(t *testing.T) {
	t.Parallel()
	for service, want := range map[string]int{"Field": 0, "Token": 1} {
		stream := &unreadableStream{fakeStream: fakeStream{
			ctx: metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any")),
		}}
		err := grpcguard.Stream(harness.Expiring(t, time.Hour))(nil, stream, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure(service, catalogue.Bidi)},
			func(_ any, stream grpc.ServerStream) error {
				stream.SetTrailer(metadata.Pairs("x-early", "secret"))
				return errors.Join(stream.SetHeader(metadata.Pairs("x-early", "secret")), stream.RecvMsg(new(message)))
			})
		if !errors.Is(err, errUnreadable) || len(stream.header.Get("x-early")) != want || len(stream.trailer.Get("x-early")) != want {
			t.Errorf("%s: %v, header %v, trailer %v", service, err, stream.header, stream.trailer)
		}
	}
}

var errUnreadable = errors.New("the message cannot be decoded")

// An unreadableStream has no message that can be decoded, and keeps what would go out.
type unreadableStream struct {
	fakeStream
	header, trailer metadata.MD
}

func (*unreadableStream) RecvMsg(any) error { return errUnreadable }

func (s *unreadableStream) SetHeader(md metadata.MD) error {
	s.header = metadata.Join(s.header, md)
	return nil
}

func (s *unreadableStream) SetTrailer(md metadata.MD) { s.trailer = metadata.Join(s.trailer, md) }

// TestSendCompressor holds what the documentation says of it.
func TestSendCompressor(t *testing.T) {
	t.Parallel()
	for service, can := range map[string]bool{"Token": true, "Public": true, "Field": false} {
		client, _ := pipedHandler(t, harness.Expiring(t, time.Hour), func(_ any, stream grpc.ServerStream) error {
			if err := grpc.SetSendCompressor(stream.Context(), "identity"); (err == nil) != can {
				t.Errorf("%s: %v", service, err)
			}
			if method, ok := grpc.Method(stream.Context()); !ok || method != catalogue.Procedure(service, catalogue.Bidi) {
				t.Errorf("%s: the method is %q", service, method)
			}
			return stream.RecvMsg(new(message))
		})
		stream := open(t, client, service, acme)
		if err := stream.RecvMsg(new(answer)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", service, err)
		}
	}
}
