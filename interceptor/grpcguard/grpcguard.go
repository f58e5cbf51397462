package grpcguard

import (
	"context"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
)

// ServerOptions returns the interceptors as options of a server. They run before every other
// interceptor, wherever among the server's options they stand: grpc-go runs the interceptors of
// [grpc.UnaryInterceptor] and [grpc.StreamInterceptor] before all chained ones, and here they
// are the guard's. Give others with [grpc.ChainUnaryInterceptor] and
// [grpc.ChainStreamInterceptor]. A second [grpc.UnaryInterceptor] or [grpc.StreamInterceptor]
// beside these options, a second guard's too, makes [grpc.NewServer] panic.
//
// ServerOptions panics if the guard is nil.
func ServerOptions(guard *interceptor.Guard) []grpc.ServerOption {
	return []grpc.ServerOption{grpc.UnaryInterceptor(Unary(guard)), grpc.StreamInterceptor(Stream(guard))}
}

// Unary returns the interceptor of unary calls, for servers whose chains are made by hand:
// without [Stream] beside it, all unary calls are guarded and all streams are open.
//
// What runs before the interceptor acts on calls that the guard has not judged. In
// [grpc.ChainUnaryInterceptor], that is each interceptor which stands before this one, and the
// one of [grpc.UnaryInterceptor], which grpc-go runs before the whole chain wherever it is
// given. [ServerOptions] leaves no such place.
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

// withoutDenial returns a status without the denial in it: see [interceptor.Transport].
func withoutDenial(err error) error {
	explicit, ok := status.FromError(err)
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
