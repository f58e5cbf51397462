package grpcguardtest_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/protoauthz/protoauthz/interceptor/grpcguardtest"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/policy"
)

// TestMain makes sure that no goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// expect fails the test unless AssertGuarded finds these faults, whole and in this order.
func expect(t *testing.T, name string, conn grpc.ClientConnInterface, table *policy.Table, faults []string) {
	t.Helper()
	want := make([]string, len(faults))
	for i, fault := range faults {
		want[i] = "grpcguardtest: " + fault
	}
	r := &harness.Report{TB: t}
	grpcguardtest.AssertGuarded(r, conn, table)
	r.Expect(t, name, want)
}

// A handler answers a call of a procedure.
type handler func(ctx context.Context, procedure string) error

func answering(context.Context, string) error { return nil }

// newServer makes a server with the wanted procedures of a table.
func newServer(table *policy.Table, wanted func(procedure string) bool, handle handler, options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(options...)
	register(server, table, wanted, handle)
	return server
}

// registerServices registers handlers that answer.
func registerServices(server *grpc.Server, table *policy.Table) {
	register(server, table, all, answering)
}

func register(server *grpc.Server, table *policy.Table, wanted func(procedure string) bool, handle handler) {
	services := map[string]*grpc.ServiceDesc{}
	for _, rule := range table.Rules() {
		if rule.Method == nil || !wanted(rule.Procedure) {
			continue
		}
		name := string(rule.Method.Parent().FullName())
		if services[name] == nil {
			services[name] = &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil)}
		}
		add(services[name], rule, handle)
	}
	for _, service := range services {
		server.RegisterService(service, struct{}{})
	}
}

// add adds a method as generated code does.
func add(service *grpc.ServiceDesc, rule *policy.Rule, handle handler) {
	method, name := rule.Method, string(rule.Method.Name())
	if !method.IsStreamingClient() && !method.IsStreamingServer() {
		addUnary(service, rule, func() proto.Message { return new(emptypb.Empty) }, handle)
		return
	}
	service.Streams = append(service.Streams, grpc.StreamDesc{
		StreamName: name, ClientStreams: method.IsStreamingClient(), ServerStreams: method.IsStreamingServer(),
		Handler: func(_ any, stream grpc.ServerStream) error {
			if !method.IsStreamingClient() {
				if err := stream.RecvMsg(new(emptypb.Empty)); err != nil {
					return err
				}
				return errors.Join(handle(stream.Context(), rule.Procedure), stream.SendMsg(new(emptypb.Empty)))
			}
			if err := handle(stream.Context(), rule.Procedure); err != nil {
				return err
			}
			for {
				if err := stream.RecvMsg(new(emptypb.Empty)); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return err
				}
			}
			if !method.IsStreamingServer() {
				return stream.SendMsg(new(emptypb.Empty))
			}
			return nil
		},
	})
}

func addUnary(service *grpc.ServiceDesc, rule *policy.Rule, newRequest func() proto.Message, handle handler) {
	answer := func(ctx context.Context, _ any) (any, error) { return new(emptypb.Empty), handle(ctx, rule.Procedure) }
	service.Methods = append(service.Methods, grpc.MethodDesc{
		MethodName: string(rule.Method.Name()),
		Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			request := newRequest()
			if err := decode(request); err != nil {
				return nil, err
			}
			if interceptor == nil {
				return answer(ctx, request)
			}
			return interceptor(ctx, request, &grpc.UnaryServerInfo{FullMethod: rule.Procedure}, answer)
		},
	})
}

func all(string) bool { return true }

// procedures returns the wanted procedures of a table that are not public, sorted.
func procedures(table *policy.Table, wanted func(procedure string, stream bool) bool) []string {
	var names []string
	for _, rule := range table.Rules() {
		if rule.Method != nil && !rule.Public && wanted(rule.Procedure, rule.Method.IsStreamingClient() || rule.Method.IsStreamingServer()) {
			names = append(names, rule.Procedure)
		}
	}
	return names
}
