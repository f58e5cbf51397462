package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"

	"connectrpc.com/connect"
	connect2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/otelconnect"
	"connectrpc.com/validate"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

var (
	unary  = catalogue.Procedure("Field", catalogue.Unary)
	client = catalogue.Procedure("Field", catalogue.Client)
)

// handler1 serves both procedures with connect-go. The order names what a call passes, outermost first.
func (b *backend) handler1(t *testing.T, order []string, guard *interceptor.Guard) http.Handler {
	t.Helper()
	tracing, err := otelconnect.NewInterceptor(otelconnect.WithTracerProvider(b.tracers), otelconnect.WithMeterProvider(noop.NewMeterProvider()))
	if err != nil {
		t.Fatal(err)
	}
	var options []connect.HandlerOption
	for _, layer := range order {
		switch layer {
		case "otelhttp":
		case "guard":
			options = append(options, guard.HandlerOption())
		case "guard.Interceptor":
			options = append(options, connect.WithInterceptors(guard.Interceptor()))
		case "otelconnect":
			options = append(options, connect.WithInterceptors(tracing))
		case "protovalidate":
			options = append(options, connect.WithInterceptors(validate.NewInterceptor(validate.WithValidator(picky{}))))
		default:
			t.Errorf("connect-go has no %q", layer)
		}
	}
	mux := http.NewServeMux()
	mux.Handle(unary, connect.NewUnaryHandler(unary, func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
		return connect.NewResponse(new(answer)), nil
	}, options...))
	mux.Handle(client, connect.NewClientStreamHandler(client, func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
		for stream.Receive() {
			continue
		}
		return connect.NewResponse(new(answer)), stream.Err()
	}, options...))
	return b.traced(order, mux)
}

// traced wraps a mux in otelhttp, if the order begins so.
func (b *backend) traced(order []string, mux *http.ServeMux) http.Handler {
	handler := interceptor.DeadlineHandler(mux)
	if order[0] == "otelhttp" {
		handler = otelhttp.NewHandler(handler, "rpc", otelhttp.WithTracerProvider(b.tracers), otelhttp.WithMeterProvider(noop.NewMeterProvider()))
	}
	return handler
}

// handler2 is handler1 for connect v2.
func (b *backend) handler2(t *testing.T, order []string, guard *interceptor.Guard) http.Handler {
	t.Helper()
	var interceptors []connect2.ServerInterceptor
	for _, layer := range order {
		switch layer {
		case "otelhttp":
		case "guard":
			interceptors = append(interceptors, connectv2guard.Interceptor(guard))
		case "protovalidate":
			interceptors = append(interceptors, validate2)
		default:
			t.Errorf("connect v2 has no %q", layer)
		}
	}
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server2(drain2, interceptors...))
	return b.traced(order, mux)
}

// server2 serves both procedures with one handler.
func server2(handler connect2.ServerFunc, interceptors ...connect2.ServerInterceptor) *connect2.Server {
	server := connect2.NewServer(interceptors...)
	server.Register(connect2.Method{Spec: connect2.Spec{Procedure: unary, StreamType: connect2.StreamTypeUnary}, Handler: handler})
	server.Register(connect2.Method{Spec: connect2.Spec{Procedure: client, StreamType: connect2.StreamTypeClient}, Handler: handler})
	return server
}

// drain2 receives all messages, and answers.
func drain2(_ context.Context, spec connect2.Spec, stream connect2.ServerStream) error {
	for {
		err := stream.Receive(new(message))
		switch {
		case errors.Is(err, io.EOF) || err == nil && spec.StreamType == connect2.StreamTypeUnary:
			return stream.Send(new(answer))
		case err != nil:
			return err
		}
	}
}

// validate2 is protovalidate's interceptor, which there is for connect-go's first version alone.
func validate2(next connect2.ServerFunc) connect2.ServerFunc {
	return func(ctx context.Context, spec connect2.Spec, stream connect2.ServerStream) error {
		return next(ctx, spec, validated2{stream})
	}
}

type validated2 struct{ connect2.ServerStream }

// Receive implements [connect2.ServerStream].
func (s validated2) Receive(into any) error {
	if err := s.ServerStream.Receive(into); err != nil {
		return err
	}
	if err := (picky{}).Validate(tokens.As[proto.Message](into)); err != nil {
		return connect2.NewError(connect2.CodeInvalidArgument, err.Error())
	}
	return nil
}

// serverGRPC is handler1 for grpc-go. The stats handler of otelgrpc is outermost at any place.
func (b *backend) serverGRPC(t *testing.T, order []string, guard *interceptor.Guard) *grpc.Server {
	t.Helper()
	var options []grpc.ServerOption
	first := slices.DeleteFunc(slices.Clone(order), func(layer string) bool { return layer == "otelgrpc" })[0]
	for _, layer := range order {
		switch {
		case layer == "otelgrpc":
			options = append(options, grpc.StatsHandler(otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(b.tracers), otelgrpc.WithMeterProvider(noop.NewMeterProvider()))))
		case layer == "guard" && first == "guard":
			options = append(options, grpcguard.ServerOptions(guard)...)
		case layer == "guard":
			options = append(options, grpc.ChainUnaryInterceptor(grpcguard.Unary(guard)), grpc.ChainStreamInterceptor(grpcguard.Stream(guard)))
		case layer == "protovalidate":
			options = append(options, grpc.ChainUnaryInterceptor(validateUnary), grpc.ChainStreamInterceptor(validateStream))
		default:
			t.Errorf("grpc-go has no %q", layer)
		}
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.v1.Field", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: catalogue.Unary.Name, Handler: unaryGRPC}},
		Streams: []grpc.StreamDesc{{StreamName: catalogue.Client.Name, ClientStreams: true, Handler: drainGRPC}},
	}, nil)
	return server
}

func unaryGRPC(_ any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) { //nolint:revive // grpc-go has this order
	request := new(message)
	if err := decode(request); err != nil {
		return nil, err
	}
	handle := func(context.Context, any) (any, error) { return new(answer), nil }
	if around == nil {
		return handle(ctx, request)
	}
	return around(ctx, request, &grpc.UnaryServerInfo{FullMethod: unary}, handle)
}

func drainGRPC(_ any, stream grpc.ServerStream) error {
	for {
		switch err := stream.RecvMsg(new(message)); {
		case errors.Is(err, io.EOF):
			return stream.SendMsg(new(answer))
		case err != nil:
			return err
		}
	}
}

func validateUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := (picky{}).Validate(tokens.As[proto.Message](request)); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return handler(ctx, request)
}

func validateStream(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(service, validatedGRPC{stream})
}

type validatedGRPC struct{ grpc.ServerStream }

// RecvMsg implements [grpc.ServerStream].
func (s validatedGRPC) RecvMsg(into any) error {
	if err := s.ServerStream.RecvMsg(into); err != nil {
		return err
	}
	if err := (picky{}).Validate(tokens.As[proto.Message](into)); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
}

// ending lets a test wait until all calls have ended. A client may have its answer before that.
type ending struct {
	http.Handler
	calls *sync.WaitGroup
}

// ServeHTTP implements [http.Handler].
func (e ending) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.calls.Add(1)
	defer e.calls.Done()
	e.Handler.ServeHTTP(w, r)
}
