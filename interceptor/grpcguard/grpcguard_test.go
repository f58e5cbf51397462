package grpcguard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestDenial makes sure that interceptors around the guard's find out why a call was refused.
func TestDenial(t *testing.T) {
	t.Parallel()
	guard := expiring(t, time.Hour)
	_, unaryErr := grpcguard.Unary(guard)(t.Context(), new(message), &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure("Field", rpctest.Unary)}, unary)
	streamErr := grpcguard.Stream(guard)(nil, &fakeStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: rpctest.Procedure("Field", rpctest.Bidi)}, streaming(rpctest.Bidi))
	for _, err := range []error{unaryErr, streamErr} {
		denial, ok := errors.AsType[*interceptor.Denial](err)
		if !ok || denial.Reason != interceptor.ReasonTokenMissing || !errors.Is(err, token.ErrMissing) || status.Code(err) != codes.Unauthenticated {
			t.Errorf("%v", err)
		}
	}
}

// TestClaims makes sure that handlers know their caller.
func TestClaims(t *testing.T) {
	t.Parallel()
	guard := expiring(t, time.Hour)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	var callers []string
	_, err := grpcguard.Unary(guard)(ctx, &message{OrganizationId: acme}, &grpc.UnaryServerInfo{FullMethod: rpctest.Procedure("Field", rpctest.Unary)},
		func(ctx context.Context, _ any) (any, error) {
			callers = append(callers, interceptor.ClaimsFromContext(ctx).Subject())
			return new(answer), nil
		})
	err = errors.Join(err, grpcguard.Stream(guard)(nil, &fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: rpctest.Procedure("Token", rpctest.Bidi)},
		func(_ any, stream grpc.ServerStream) error {
			callers = append(callers, interceptor.ClaimsFromContext(stream.Context()).Subject())
			return nil
		}))
	if err != nil || strings.Join(callers, " ") != "a a" {
		t.Errorf("callers %q, %v", callers, err)
	}
}

// TestPanic makes sure that a panic of a streaming handler comes out where interceptors that
// recover expect it.
func TestPanic(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != "handler" {
			t.Errorf("recovered %v", p)
		}
	}()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	err := grpcguard.Stream(expiring(t, time.Hour))(nil, &fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: rpctest.Procedure("Token", rpctest.Bidi)},
		func(any, grpc.ServerStream) error { panic("handler") })
	t.Errorf("returned %v", err)
}

// TestTap makes sure that a call that is refused at once gets no further, so that its message
// is not read, and that others do.
func TestTap(t *testing.T) {
	t.Parallel()
	trusts, err := rpctest.NewTrusts()
	if err != nil {
		t.Fatal(err)
	}
	trust := trusts[rpctest.Both]
	atOnce := []string{
		rpctest.Missing.Reason, rpctest.Unsupported.Reason, rpctest.Malformed.Reason,
		rpctest.Expired.Reason, rpctest.NotYetValid.Reason, rpctest.Ruleless.Reason,
	}
	guard := interceptor.New(trust.Verifier(), rules(t), interceptor.WithObserver(calltest.Observe))
	for _, c := range rpctest.Catalogue("http://127.0.0.1:1") {
		if c.Trust != rpctest.Both || c.Want == rpctest.Failed || c.Want == rpctest.Busy { // the last two are moods
			continue
		}
		md := metadata.MD{"authorization": c.Authorization}
		for name, values := range c.Header {
			md[strings.ToLower(name)] = values
		}
		for _, cached := range []bool{false, true} {
			info := &tap.Info{FullMethodName: rpctest.Procedure(c.Service, rpctest.Unary), Header: md}
			ctx, err := grpcguard.Tap(guard)(t.Context(), info)
			switch {
			case err == nil && ctx == nil:
				t.Fatalf("%s/%s: no context", c.Row, c.Name)
			case err != nil && answerOf(err).Answer != withoutChallenge(c.Want):
				t.Errorf("%s/%s, cached %t: refused with %v, want %+v", c.Row, c.Name, cached, err, c.Want)
			case err == nil && slices.Contains(atOnce, c.Want.Reason):
				t.Errorf("%s/%s: not refused, want %+v", c.Row, c.Name, c.Want)
			case err == nil && cached && c.Want.Code == int(codes.PermissionDenied) && c.Want != rpctest.Organization:
				t.Errorf("%s/%s: the token is cached and not refused, want %+v", c.Row, c.Name, c.Want)
			}
			_, _ = grpcguard.Unary(guard)(metadata.NewIncomingContext(t.Context(), md), new(message), &grpc.UnaryServerInfo{FullMethod: info.FullMethodName}, unary)
		}
	}
}

// TestTapBeforeBody makes sure that the tap stands before the body on a server, and that each
// call is observed once, whoever refuses it.
func TestTapBeforeBody(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	count := grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		read.Add(1)
		return handler(ctx, request)
	})
	var events atomic.Int64
	guard := expiring(t, time.Hour, interceptor.WithObserver(func(context.Context, interceptor.Event) { events.Add(1) }))
	client := serve(t, new(calltest.Records), guard, count, grpc.InTapHandle(grpcguard.Tap(guard)))
	large := &message{OrganizationId: strings.Repeat("x", 3<<20)}
	for name, authorization := range map[string]string{"missing": "", "malformed": "Bearer ", "scheme": "Basic a"} {
		ctx := t.Context()
		if authorization != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
		}
		if err := client.Invoke(ctx, rpctest.Procedure("Field", rpctest.Unary), large, new(answer)); status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	if read.Load() != 0 || events.Load() != 3 {
		t.Errorf("%d messages were read, %d calls observed", read.Load(), events.Load())
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer any")
	if err := client.Invoke(ctx, rpctest.Procedure("Field", rpctest.Unary), &message{OrganizationId: acme}, new(answer)); err != nil || read.Load() != 1 || events.Load() != 4 {
		t.Errorf("%d messages were read, %d calls observed, %v", read.Load(), events.Load(), err)
	}
}

// TestCheck makes sure that a server with a service that has no rules does not start.
func TestCheck(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	register(server, unary, streaming)
	err := grpcguard.Check(server, rules(t))
	if err == nil {
		t.Fatal("the service without rules is not found")
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(rpctest.Methods) {
		t.Errorf("%d procedures, want %d:\n%v", n, len(rpctest.Methods), err)
	}
	for _, method := range rpctest.Methods {
		if !strings.Contains(err.Error(), rpctest.Procedure(rpctest.Unruled, method)) {
			t.Errorf("%s is not named:\n%v", method.Name, err)
		}
	}
	linked := grpc.NewServer()
	linked.RegisterService(&grpc.ServiceDesc{
		ServiceName: "sample.v1.DocumentService", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "ListDocuments"}},
	}, struct{}{})
	if err := grpcguard.Check(linked, rules(t)); err == nil || !strings.Contains(err.Error(), "sample/v1/document.proto") {
		t.Errorf("the file is not named: %v", err)
	}
	if err := grpcguard.Check(grpc.NewServer(), rules(t)); err != nil {
		t.Errorf("a server without services: %v", err)
	}
}

// TestNilGuard makes sure that a guard that was forgotten is no open door.
func TestNilGuard(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(){
		"Unary":  func() { grpcguard.Unary(nil) },
		"Stream": func() { grpcguard.Stream(nil) },
		"Tap":    func() { grpcguard.Tap(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepts no guard", name)
				}
			}()
			make()
		}()
	}
}
