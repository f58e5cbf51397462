// Package grpcguard is the guard for servers of google.golang.org/grpc:
//
//	server := grpc.NewServer(
//		grpc.ChainUnaryInterceptor(grpcguard.Unary(guard)),
//		grpc.ChainStreamInterceptor(grpcguard.Stream(guard)),
//		grpc.InTapHandle(grpcguard.Tap(guard)),
//	)
//	orderv1.RegisterOrderServiceServer(server, orders)
//	if err := grpcguard.Check(server, table); err != nil {
//		log.Fatal(err)
//	}
//
// The rules, decisions and answers are those of package interceptor: a refusal is a status
// with a google.rpc.ErrorInfo, in which [errors.As] finds an [interceptor.Denial], and
// handlers read the claims with [interceptor.ClaimsFromContext]. Chain the interceptors
// before others, so that none of them acts on a call that is not checked yet.
//
// grpc-go hands a unary call to its interceptors only after its message was read,
// decompressed and decoded, and bounds it by [grpc.MaxRecvMsgSize], 4 MiB by default. [Tap]
// refuses before that what can be refused without verifying a signature.
package grpcguard

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/protoauthz/protoauthz/interceptor"
)

// Unary returns the interceptor of unary calls. It panics if the guard is nil.
func Unary(guard *interceptor.Guard) grpc.UnaryServerInterceptor {
	mustGuard(guard)
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial != nil {
			return nil, refuse(denial)
		}
		if denial := call.AdmitMessage(request); denial != nil {
			return nil, refuse(denial)
		}
		return handler(call.Context(), request)
	}
}

// Tap returns a function for [grpc.InTapHandle], which runs for each call before its body is
// read and must not wait. It refuses what [interceptor.Guard.Precheck] refuses: calls without
// a rule, without a token, with one that is malformed, expired or of another issuer, and
// with a cached one that does not suffice. Calls with a forged signature, and with a token
// that is not cached yet, go on to the interceptors, which are needed in any case. It panics
// if the guard is nil.
//
// grpc-go has one such function for a server, and calls that "experimental".
func Tap(guard *interceptor.Guard) tap.ServerInHandle {
	mustGuard(guard)
	return func(ctx context.Context, info *tap.Info) (context.Context, error) {
		if denial := guard.Precheck(ctx, info.FullMethodName, header(info.Header)); denial != nil {
			return nil, refuse(denial)
		}
		return ctx, nil
	}
}

func mustGuard(guard *interceptor.Guard) {
	if guard == nil {
		panic("grpcguard: the guard is nil")
	}
}

// incoming is the metadata in a context.
type incoming struct{ context.Context }

// Values implements [interceptor.Header].
func (i incoming) Values(name string) []string {
	return metadata.ValueFromIncomingContext(i.Context, name)
}

// header is metadata.
type header metadata.MD

// Values implements [interceptor.Header].
func (h header) Values(name string) []string { return metadata.MD(h).Get(name) }

// A refusal is a status whose cause is a denial.
type refusal struct {
	denial *interceptor.Denial
	status *status.Status
}

func refuse(denial *interceptor.Denial) error {
	r := refusal{denial, status.New(codes.Code(denial.Code()), denial.Error())}
	if detailed, err := r.status.WithDetails(denial.ErrorInfo()); err == nil {
		r.status = detailed
	}
	return r
}

// Error implements error.
func (r refusal) Error() string { return r.status.Err().Error() }

// GRPCStatus returns the status that the client gets.
func (r refusal) GRPCStatus() *status.Status { return r.status }

// Unwrap returns the denial.
func (r refusal) Unwrap() error { return r.denial }
