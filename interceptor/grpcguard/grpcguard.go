package grpcguard

import (
	"context"
	"errors"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
)

// ServerOptions returns the options that guard all calls to a server. The guard runs before every
// other interceptor, in whatever order the server's options are given: the options are a
// [grpc.UnaryInterceptor] and a [grpc.StreamInterceptor], which grpc-go runs before all chained
// interceptors. Give other interceptors with [grpc.ChainUnaryInterceptor] and
// [grpc.ChainStreamInterceptor]. A second [grpc.UnaryInterceptor] or [grpc.StreamInterceptor], also
// of a second guard, makes [grpc.NewServer] panic.
//
// ServerOptions panics if the guard is nil.
func ServerOptions(guard *interceptor.Guard) []grpc.ServerOption {
	return []grpc.ServerOption{grpc.UnaryInterceptor(Unary(guard)), grpc.StreamInterceptor(Stream(guard))}
}

// Unary returns the interceptor of unary calls, for servers whose chains are made by hand. Without
// [Stream] beside it, all streams are open.
//
// An interceptor that runs before the guard acts on calls that the guard has not judged: each
// interceptor that stands before the guard in [grpc.ChainUnaryInterceptor], and the interceptor of
// [grpc.UnaryInterceptor], which grpc-go runs before the whole chain. [ServerOptions] leaves no such
// place.
//
// Unary panics if the guard is nil.
func Unary(guard *interceptor.Guard) grpc.UnaryServerInterceptor {
	mustGuard(guard)
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		call, denial := guard.Admit(ctx, info.FullMethod, incoming{ctx})
		if denial == nil {
			denial = call.Judge(request)
		}
		if denial != nil {
			return nil, refuse(denial)
		}
		response, err := handler(call.Context(), request)
		return response, call.HandlerError(err, withoutDenial)
	}
}

// domain is the domain of the google.rpc.ErrorInfo of a refusal.
var domain = new(interceptor.Denial).ErrorInfo().GetDomain()

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

// Peer returns the client. See [interceptor.Guard.Admit].
func (i incoming) Peer() connect.Peer {
	from := connect.Peer{Protocol: connect.ProtocolGRPC}
	if sender, ok := peer.FromContext(i.Context); ok && sender.Addr != nil {
		from.Addr = sender.Addr.String()
	}
	return from
}

// A refusal is a status that wraps a denial.
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

// withoutDenial implements the field of [interceptor.Transport].
func withoutDenial(err error) error {
	explicit, ok := status.FromError(err)
	if coded, isConnect := errors.AsType[*connect.Error](err); !ok && isConnect { // of package clientauth
		explicit, ok = status.New(codes.Code(coded.Code()), coded.Message()), true
	}
	if !ok {
		return err
	}
	ordinary := explicit.Proto()
	ordinary.Details = slices.DeleteFunc(ordinary.Details, func(detail *anypb.Any) bool {
		info := new(errdetails.ErrorInfo)
		return detail.MessageIs(info) && (detail.UnmarshalTo(info) != nil || info.GetDomain() == domain)
	})
	return status.FromProto(ordinary).Err()
}

// Error implements error.
func (r refusal) Error() string { return r.status.Err().Error() }

// GRPCStatus returns the status that the client gets.
func (r refusal) GRPCStatus() *status.Status { return r.status }

// Unwrap returns the denial.
func (r refusal) Unwrap() error { return r.denial }
