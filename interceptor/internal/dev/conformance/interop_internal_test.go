package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	orcav3 "github.com/cncf/xds/go/xds/data/orca/v3"
	orcaservicev3 "github.com/cncf/xds/go/xds/service/orca/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
)

func init() {
	grpclog.SetLoggerV2(panicking{grpclog.NewLoggerV2(io.Discard, io.Discard, os.Stderr)})
}

// A panicking logger panics with fatal messages: gRPC's interoperability tests fail by such messages.
type panicking struct{ grpclog.LoggerV2 }

// An interopFailure is the reason why an interoperability test of gRPC failed.
type interopFailure string

func (panicking) Fatal(args ...any)   { panic(interopFailure(fmt.Sprint(args...))) }
func (panicking) Fatalln(args ...any) { panic(interopFailure(fmt.Sprintln(args...))) }
func (panicking) Fatalf(format string, args ...any) {
	panic(interopFailure(fmt.Sprintf(format, args...)))
}

// An interopCall is an interoperability test of gRPC.
type interopCall func(context.Context, *grpc.ClientConn)

func calling(call func(context.Context, grpc_testing.TestServiceClient, ...grpc.CallOption)) interopCall {
	return func(ctx context.Context, conn *grpc.ClientConn) { call(ctx, grpc_testing.NewTestServiceClient(conn)) }
}

func callingORCA(call func(context.Context, grpc_testing.TestServiceClient)) interopCall {
	return func(ctx context.Context, conn *grpc.ClientConn) { call(ctx, grpc_testing.NewTestServiceClient(conn)) }
}

// interopCases are the interoperability tests of gRPC by name. Missing are tests that need a cloud,
// tests that take hours, and pick_first_unary: the server of package interop does not send the id that
// the test asks for.
var interopCases = map[string]interopCall{
	"empty_unary":                 calling(interop.DoEmptyUnaryCall),
	"large_unary":                 calling(interop.DoLargeUnaryCall),
	"client_streaming":            calling(interop.DoClientStreaming),
	"server_streaming":            calling(interop.DoServerStreaming),
	"ping_pong":                   calling(interop.DoPingPong),
	"empty_stream":                calling(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  calling(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          calling(interop.DoCancelAfterBegin),
	"cancel_after_first_response": calling(interop.DoCancelAfterFirstResponse),
	"status_code_and_message":     calling(interop.DoStatusCodeAndMessage),
	"special_status_message":      calling(interop.DoSpecialStatusMessage),
	"custom_metadata":             calling(interop.DoCustomMetadata),
	"orca_per_rpc":                callingORCA(interop.DoORCAPerRPCTest),
	"orca_oob":                    callingORCA(interop.DoORCAOOBTest),
	"unimplemented_method":        interop.DoUnimplementedMethod,
	"unimplemented_service": func(ctx context.Context, conn *grpc.ClientConn) {
		interop.DoUnimplementedService(ctx, grpc_testing.NewUnimplementedServiceClient(conn))
	},
}

// hasty are the tests whose call may not reach a handler: the service does not exist, or the client has
// given up before.
var hasty = []string{"unimplemented_service", "timeout_on_sleeping_server", "cancel_after_begin"}

// reportLoad is the load balancer that gives load reports to the tests.
const reportLoad = `{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}`

// TestInterop makes sure that every interoperability test of gRPC passes behind the guard.
func TestInterop(t *testing.T) {
	t.Parallel()
	for name, call := range interopCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveInterop(t)
			options := []grpc.DialOption{grpc.WithPerRPCCredentials(bearer(server.raw))}
			if strings.HasPrefix(name, "orca_") {
				options = append(options, grpc.WithDefaultServiceConfig(reportLoad))
			}
			conn := server.dial(t, options...)
			if failure := failureOf(func() { call(t.Context(), conn) }); failure != "" {
				t.Error(failure)
			}
			server.stop()
			c := server.counts
			if c.Strangers > 0 || c.Handled > c.Admitted {
				t.Errorf("calls reached the handlers past the guard: %s", c)
			}
			if (c.Handled == 0 || c.refused() > 0) && !slices.Contains(hasty, name) {
				t.Errorf("calls did not reach the handlers: %s", c)
			}
		})
	}
}

// failureOf is the message of the panic of a test, or empty.
func failureOf(call func()) (failure interopFailure) {
	defer func() {
		switch value := recover().(type) {
		case nil:
		case interopFailure:
			failure = value
		default:
			panic(value)
		}
	}()
	call()
	return ""
}

// Without a token no method can be called.
func TestInteropMethods(t *testing.T) {
	t.Parallel()
	const methods = 9 // 8 of the tests' service, and the load reports
	server := serveInterop(t)
	conn := server.dial(t)
	var calls int
	for service, info := range server.GetServiceInfo() {
		for _, method := range info.Methods {
			if err := callEmpty(t.Context(), conn, service, method); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%s/%s: %v", service, method.Name, err)
			}
			calls++
		}
	}
	server.stop()
	c := server.counts
	if calls != methods || c.Admitted > 0 || c.Handled > 0 || c.refused() != calls || c.Refused[interceptor.ReasonTokenMissing] != calls {
		t.Errorf("%d calls: %s", calls, c)
	}
}

// callEmpty calls a method of any kind with one empty message.
func callEmpty(ctx context.Context, conn *grpc.ClientConn, service string, method grpc.MethodInfo) error {
	kind := &grpc.StreamDesc{ClientStreams: method.IsClientStream, ServerStreams: method.IsServerStream}
	stream, err := conn.NewStream(ctx, kind, "/"+service+"/"+method.Name)
	if err != nil {
		return err
	}
	if err := stream.SendMsg(new(emptypb.Empty)); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(new(emptypb.Empty))
}

// An interopServer is gRPC's server for its tests, behind a guard.
type interopServer struct {
	*grpc.Server
	address, raw string
	counts       *tally
	stop         func()
}

func serveInterop(t *testing.T) *interopServer {
	t.Helper()
	counts := newTally()
	files := make([]protoreflect.FileDescriptor, 2)
	for n, file := range []protoreflect.FileDescriptor{grpc_testing.File_grpc_testing_test_proto, orcaservicev3.File_xds_service_orca_v3_orca_proto} {
		var err error
		if files[n], err = withRules(file, withTokens); err != nil {
			t.Fatal(err)
		}
	}
	guard, raw, err := newGuard(counts, nil, files...)
	if err != nil {
		t.Fatal(err)
	}
	unary := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		counts.handled(ctx)
		return handler(ctx, request)
	}
	stream := func(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		counts.handled(stream.Context())
		return handler(service, stream)
	}
	server := grpc.NewServer(append(
		grpcguard.ServerOptions(guard), grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream),
		orca.CallMetricsServerOption(nil), grpc.WaitForHandlers(true),
	)...)
	recorder := orca.NewServerMetricsRecorder()
	grpc_testing.RegisterTestServiceServer(server, interop.NewTestServer(interop.NewTestServerOptions{MetricsRecorder: recorder}))
	orcaservicev3.RegisterOpenRcaServiceServer(server, &loadReporter{recorder: recorder})
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	stop := sync.OnceFunc(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &interopServer{server, listener.Addr().String(), raw, counts, stop}
}

func (s *interopServer) dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(s.address, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// bearer adds a token to each call, calls of load balancers too.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

// A loadReporter streams load reports as often as clients ask for. The reporter of package orca streams
// one in 30 seconds at most, and its test gives up after 30 seconds.
type loadReporter struct {
	orcaservicev3.UnimplementedOpenRcaServiceServer
	recorder orca.ServerMetricsRecorder
}

func (l *loadReporter) StreamCoreMetrics(request *orcaservicev3.OrcaLoadReportRequest, stream orcaservicev3.OpenRcaService_StreamCoreMetricsServer) error {
	ticker := time.NewTicker(max(request.GetReportInterval().AsDuration(), 10*time.Millisecond))
	defer ticker.Stop()
	for {
		load := l.recorder.ServerMetrics()
		report := &orcav3.OrcaLoadReport{
			CpuUtilization: max(load.CPUUtilization, 0), MemUtilization: max(load.MemUtilization, 0), Utilization: load.Utilization,
		}
		if err := stream.Send(report); err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		case <-ticker.C:
		}
	}
}
