package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestMain makes sure that no goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(leaks.Patient(m)) }

// All methods of the tests' services have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

func text(organization string) *answer {
	return &answer{Document: &samplev1.Document{Text: organization}}
}

// unary is the handler of all unary methods, and streaming the handler of all streams. They echo.
func unary(ctx context.Context, request any) (any, error) {
	harness.Handled(ctx)
	said := catalogue.Said(tokens.As[proto.Message](request))
	harness.Saw(ctx, said)
	return text(said), nil
}

func streaming(service string, method catalogue.Method) grpc.StreamHandler {
	return func(_ any, stream grpc.ServerStream) error {
		ctx := stream.Context()
		if method == catalogue.Server {
			request := catalogue.NewRequest(service)
			if err := stream.RecvMsg(request); err != nil {
				return err // as generated code does before it calls the handler
			}
			harness.Handled(ctx)
			harness.Saw(ctx, catalogue.Said(request))
			return stream.SendMsg(text(catalogue.Said(request)))
		}
		harness.Handled(ctx)
		last := ""
		for {
			request := catalogue.NewRequest(service)
			err := stream.RecvMsg(request)
			switch {
			case err == nil:
			case errors.Is(err, io.EOF) || harness.Swallows(ctx):
				if method == catalogue.Client {
					return stream.SendMsg(text(last))
				}
				return nil
			default:
				return err
			}
			last = catalogue.Said(request)
			harness.Saw(ctx, last)
			if method == catalogue.Bidi {
				if err := stream.SendMsg(text(last)); err != nil {
					return err
				}
			}
		}
	}
}

// register registers all services with these handlers.
func register(server grpc.ServiceRegistrar, unary grpc.UnaryHandler, streaming func(string, catalogue.Method) grpc.StreamHandler) {
	for _, name := range append(slices.Collect(maps.Keys(catalogue.Services)), catalogue.Unruled, catalogue.Opened) {
		path := catalogue.Procedure(name, catalogue.Unary)
		desc := &grpc.ServiceDesc{ServiceName: service(name), HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
			MethodName: catalogue.Unary.Name,
			Handler: func(_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
				request := catalogue.NewRequest(name)
				if err := decode(request); err != nil {
					return nil, err
				}
				return interceptor(ctx, request, &grpc.UnaryServerInfo{FullMethod: path}, unary)
			},
		}}}
		for _, method := range catalogue.Methods[1:] {
			desc.Streams = append(desc.Streams, *streamDesc(method, streaming(name, method)))
		}
		server.RegisterService(desc, struct{}{})
	}
}

// service is the full name of a service.
func service(name string) string {
	return strings.Trim(catalogue.Procedure(name, catalogue.Method{}), "/")
}

func streamDesc(method catalogue.Method, handler grpc.StreamHandler) *grpc.StreamDesc {
	return &grpc.StreamDesc{
		StreamName: method.Name, Handler: handler, ClientStreams: method.ClientStreams, ServerStreams: method.ServerStreams,
	}
}

// serve serves all services behind a guard, and returns a connection to them.
func serve(t testing.TB, records *harness.Records, guard *interceptor.Guard, options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.StatsHandler(recorder{records}))
	server := grpc.NewServer(append(options, grpcguard.ServerOptions(guard)...)...)
	register(server, unary, streaming)
	return dial(t, server)
}

// A recorder puts the record of a call into its context before any interceptor runs.
type recorder struct{ records *harness.Records }

func (r recorder) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return recorded(ctx, r.records)
}

func (recorder) HandleRPC(context.Context, stats.RPCStats) {}

func (recorder) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (recorder) HandleConn(context.Context, stats.ConnStats) {}

func recorded(ctx context.Context, records *harness.Records) context.Context {
	for _, id := range metadata.ValueFromIncomingContext(ctx, harness.Field) {
		if record := records.Find(id); record != nil {
			return harness.NewContext(ctx, record)
		}
	}
	return ctx
}

// dial serves over pipes in memory until the test is over, also in bubbles of testing/synctest.
func dial(t testing.TB, server *grpc.Server) *grpc.ClientConn {
	t.Helper()
	pipes := harness.NewPipes()
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(pipes) })
	client, err := grpc.NewClient("passthrough:///pipes", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipes.Dial(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		server.Stop()
		serving.Wait()
	})
	return client
}
