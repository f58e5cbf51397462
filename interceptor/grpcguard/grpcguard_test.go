package grpcguard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/token"
)

// TestDenial makes sure that interceptors around the guard, and handlers of streams, find the denial of a
// refused call, and that clients find the reason in the status.
func TestDenial(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	_, unaryErr := grpcguard.Unary(guard)(t.Context(), new(message), &grpc.UnaryServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Unary)}, unary)
	streamErr := grpcguard.Stream(guard)(nil, &fakeStream{ctx: t.Context()}, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Bidi)}, streaming("Field", catalogue.Bidi))
	var handlerErr error
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	elsewhere := &fakeStream{ctx: ctx, messages: []catalogue.Message{{Organization: "globex"}}}
	_ = grpcguard.Stream(guard)(nil, elsewhere, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Bidi)}, func(_ any, stream grpc.ServerStream) error {
		handlerErr = stream.RecvMsg(new(message))
		return nil
	})
	if denial, ok := errors.AsType[*interceptor.Denial](handlerErr); !ok || denial.Reason() != interceptor.ReasonOrganizationMismatch {
		t.Errorf("a handler gets %v", handlerErr)
	}
	_, clientErr := invoke(t.Context(), inProcess(t, guarded(t)), catalogue.Unary, new(message))
	if denial, ok := errors.AsType[*interceptor.Denial](clientErr); ok || unguarded.Reason(status.Convert(clientErr).Proto().GetDetails()) != interceptor.ReasonTokenMissing {
		t.Errorf("a client gets %v, with %v", clientErr, denial)
	}
	for _, err := range []error{unaryErr, streamErr} {
		denial, ok := errors.AsType[*interceptor.Denial](err)
		if !ok || denial.Reason() != interceptor.ReasonTokenMissing || !errors.Is(err, token.ErrMissing) || status.Code(err) != codes.Unauthenticated || err.Error() != status.Convert(err).Err().Error() {
			t.Errorf("%v", err)
		}
	}
}

// TestClaims makes sure that handlers read the claims of their caller.
func TestClaims(t *testing.T) {
	t.Parallel()
	guard := harness.Expiring(t, time.Hour)
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer any"))
	var callers []string
	_, err := grpcguard.Unary(guard)(ctx, &message{OrganizationId: acme}, &grpc.UnaryServerInfo{FullMethod: catalogue.Procedure("Field", catalogue.Unary)},
		func(ctx context.Context, _ any) (any, error) {
			callers = append(callers, interceptor.ClaimsFromContext(ctx).Subject())
			return new(answer), nil
		})
	err = errors.Join(err, grpcguard.Stream(guard)(nil, &fakeStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: catalogue.Procedure("Token", catalogue.Bidi)},
		func(_ any, stream grpc.ServerStream) error {
			callers = append(callers, interceptor.ClaimsFromContext(stream.Context()).Subject())
			return nil
		}))
	if err != nil || strings.Join(callers, " ") != "a a" {
		t.Errorf("callers %q, %v", callers, err)
	}
}

// TestCheck makes sure that Check names the procedures without a rule, in order, and the file to compile.
func TestCheck(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	register(server, unary, streaming)
	err := grpcguard.Check(server, harness.Rules(t))
	if err == nil {
		t.Fatal("the service without rules is not found")
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(catalogue.Methods) {
		t.Errorf("%d procedures, want %d:\n%v", n, len(catalogue.Methods), err)
	}
	if lines := strings.Split(err.Error(), "\n"); !slices.IsSorted(lines) {
		t.Errorf("the procedures are not in order:\n%v", err)
	}
	for _, method := range catalogue.Methods {
		if !strings.Contains(err.Error(), catalogue.Procedure(catalogue.Unruled, method)) {
			t.Errorf("%s is not named:\n%v", method.Name, err)
		}
	}
	linked := grpc.NewServer()
	linked.RegisterService(&grpc.ServiceDesc{
		ServiceName: "sample.v1.DocumentService", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "ListDocuments"}},
	}, struct{}{})
	if err := grpcguard.Check(linked, harness.Rules(t)); err == nil || !strings.Contains(err.Error(), "sample/v1/document.proto") {
		t.Errorf("the file is not named: %v", err)
	}
	if err := grpcguard.Check(grpc.NewServer(), harness.Rules(t)); err != nil {
		t.Errorf("a server without services: %v", err)
	}
}

// TestNilGuard makes sure that a guard that was forgotten does not leave a server open.
func TestNilGuard(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(){
		"Unary":         func() { grpcguard.Unary(nil) },
		"Stream":        func() { grpcguard.Stream(nil) },
		"ServerOptions": func() { grpcguard.ServerOptions(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepts a nil guard", name)
				}
			}()
			make()
		}()
	}
}
