// Package grpcguardtest proves in a test that every procedure of a grpc-go server is guarded.
//
// A server that is made without grpcguard.ServerOptions is open, and nothing at run time can tell. One
// line in a test can:
//
//	grpcguardtest.AssertGuarded(t, grpcguardtest.InProcess(t, server), table)
//
// For handlers of connect-go and for REST APIs, use package guardtest.
package grpcguardtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor/internal/unguarded"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// AssertGuarded calls every procedure of a server, unary and streaming, once without a token and once
// with two tokens. It fails the test for each procedure that does not refuse both calls as a Guard does.
// It does not call procedures that the table declares public. A handler without a Guard that calls
// another guarded server and hands on its refusal looks guarded.
//
// AssertGuarded also fails the test for each service with rules that are not enforced (see
// [policy.Rule.Enforced]), unless [NotEnforced] names the rules. AssertGuarded does not call the procedures of
// these rules, and proves nothing for them. A test of a table without other rules that need a token passes,
// with a line in the log of the test: no call can tell such a server from one without a Guard.
//
// conn is a connection to the tested server that adds no token: use [InProcess].
//
// The procedures come from the table, from all services that are linked into the test, and from
// well-known services of frameworks, such as health, reflection and channelz. So AssertGuarded also finds
// a service that was registered, but whose file was not compiled into the table. Name services that
// everybody may call in policy.WithPublic.
//
// A procedure that the server does not know counts as not registered. Every procedure of the table that
// is not public must be registered: a test of the wrong server does not pass.
//
// AssertGuarded makes its calls one after the other. A call of a unary method has a message with only
// its required fields set: if the method is open, its handler runs. A call of a stream has no message. A
// procedure that does not answer within five seconds is open; after three such procedures, the rest is
// not called.
func AssertGuarded(t testing.TB, conn grpc.ClientConnInterface, table *policy.Table, options ...Option) {
	t.Helper()
	unguarded.Server{
		Package: "grpcguardtest",
		What:    "connection",
		Given:   conn,
		Call: func(ctx context.Context, procedure unguarded.Procedure, authorization []string) unguarded.Answer {
			for _, value := range authorization {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", value)
			}
			return call(ctx, conn, procedure)
		},
		Remedy:       remedy,
		Absent:       "the server does not know",
		Instead:      "give a connection to the server with which they are registered",
		NoProcedures: "the table guards nothing: give a table with a method that is not public",
	}.Assert(t, table, options...)
}

// An Option changes what [AssertGuarded] accepts.
type Option = unguarded.Option

// NotEnforced names what the server does not enforce on purpose: a service that [policy.WithShadow] names, such as
// "shop.v1.OrderService", and each procedure without annotation that [policy.WithUnannotatedOpen] opens, such as
// "/shop.v1.CartService/Export". The name of a service does not cover its open procedures: a test that names all
// open procedures fails when one more loses its annotation. AssertGuarded does not call these procedures: nothing
// tells whether their handlers have a Guard. It is a fault to name a service that is not in shadow, or a procedure
// that is not open.
func NotEnforced(names ...string) Option { return unguarded.NotEnforced(names...) }

func remedy(procedure unguarded.Procedure) string {
	if procedure.Stream {
		return "make its server with grpcguard.ServerOptions(guard): grpcguard.Unary alone guards no stream"
	}
	return "make its server with grpcguard.ServerOptions(guard): grpcguard.Stream alone guards no unary call"
}

// call makes one call.
func call(ctx context.Context, conn grpc.ClientConnInterface, procedure unguarded.Procedure) unguarded.Answer {
	ctx, cancel := context.WithTimeout(ctx, unguarded.Patience)
	defer cancel()
	err := exchange(ctx, conn, procedure)
	stateful, ok := conn.(interface{ GetState() connectivity.State })
	lost := ok && stateful.GetState() != connectivity.Ready
	switch {
	case ctx.Err() != nil && lost:
		return unguarded.Answer{Kind: unguarded.Unreachable, Text: fmt.Sprintf("there is no connection after %v: is it serving?", unguarded.Patience)}
	case ctx.Err() != nil:
		return unguarded.Answer{Kind: unguarded.Hanging}
	}
	got := status.Convert(err)
	answer := unguarded.Answer{
		OK:     got.Code() == codes.OK,
		Reason: unguarded.Reason(got.Proto().GetDetails()),
		Text:   fmt.Sprintf("gRPC status %v", got.Code()),
	}
	switch {
	case got.Code() == codes.Unimplemented && unknown(got.Message(), procedure.Name):
		answer.Kind, answer.Text = unguarded.Absent, procedure.Name
	case got.Code() == codes.Canceled && got.Message() == "grpc: the client connection is closing":
		answer.Kind, answer.Text = unguarded.Unreachable, "the connection is closed: close it only after the test"
	case got.Code() == codes.Unavailable && lost: // An answer of a handler leaves the connection ready.
		answer.Kind, answer.Text = unguarded.Unreachable, got.Message()
	case got.Code() == codes.Unavailable && !ok:
		answer.Text += " (from a handler, or as the server cannot be reached)"
	}
	return answer
}

// exchange makes a call as a stream, which a server cannot tell from a unary call, and ends with the first
// answer.
func exchange(ctx context.Context, conn grpc.ClientConnInterface, procedure unguarded.Procedure) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, procedure.Name)
	if err != nil {
		return err
	}
	if !procedure.Stream {
		var message proto.Message = new(emptypb.Empty)
		if procedure.Method != nil {
			message = unguarded.Message(procedure.Method.Input())
		}
		if err := stream.SendMsg(message); err != nil && !errors.Is(err, io.EOF) { // after io.EOF, RecvMsg returns the status
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if err := stream.RecvMsg(new(emptypb.Empty)); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// unknown reports whether a status means that the server does not know the procedure. A handler that is not
// implemented answers with another text.
func unknown(text, procedure string) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	return text == "unknown service "+service || text == "unknown method "+method+" for service "+service ||
		strings.HasPrefix(text, "unexpected HTTP status code received from server: 404 ")
}
