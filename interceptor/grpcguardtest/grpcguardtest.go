// Package grpcguardtest proves in a test that no procedure of a grpc-go server was left unguarded.
//
// A server that is made without grpcguard.ServerOptions is open, and nothing at run time can tell.
// One line in a test can:
//
//	grpcguardtest.AssertGuarded(t, conn, table)
//
// For handlers of connect-go, and for REST APIs, there is package guardtest.
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
// with two tokens, and fails the test for each that is not refused as a Guard refuses it. Procedures
// that the table declares public are not called. A handler without a Guard that calls another guarded
// server and hands on its refusal looks guarded.
//
// The procedures come from the table, from all services that are linked into the test, and
// from well-known services: health, reflection, channelz, and what else frameworks bring along.
// So a service is found, too, that was registered, but whose file was never compiled into the table.
// Name services in policy.WithPublic that everybody may call.
//
// What the server does not know counts as not registered, and every procedure of the table that is
// not public must be: a test of the wrong server does not pass.
//
// conn leads to the tested server and sends no token: use grpcguard.InProcess. A unary method is
// called with an empty message, but for required fields: if the method is open, its handler runs. A
// stream is called without any message, and closed. A procedure that does not answer within five
// seconds is open; after three such procedures, the rest is not called. Calls are made one after the
// other.
func AssertGuarded(t testing.TB, conn grpc.ClientConnInterface, table *policy.Table) {
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
	}.Assert(t, table)
}

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
	case got.Code() == codes.Unavailable && lost: // A handler that answers so leaves the connection ready.
		answer.Kind, answer.Text = unguarded.Unreachable, got.Message()
	case got.Code() == codes.Unavailable && !ok:
		answer.Text += " (from a handler, or as the server cannot be reached)"
	}
	return answer
}

// exchange makes a call as a stream, which a server cannot tell from a unary call. It ends with the
// first answer.
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
		if err := stream.SendMsg(message); err != nil && !errors.Is(err, io.EOF) { // then RecvMsg returns the status
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

// unknown reports whether the server lacks the procedure. An unimplemented handler answers with
// another text.
func unknown(text, procedure string) bool {
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	return text == "unknown service "+service || text == "unknown method "+method+" for service "+service ||
		strings.HasPrefix(text, "unexpected HTTP status code received from server: 404 ")
}
