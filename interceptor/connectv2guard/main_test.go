package connectv2guard_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"go.uber.org/goleak"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/leaks"
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

var streamTypes = map[string]connect.StreamType{
	catalogue.Unary.Name: connect.StreamTypeUnary, catalogue.Server.Name: connect.StreamTypeServer,
	catalogue.Client.Name: connect.StreamTypeClient, catalogue.Bidi.Name: connect.StreamTypeBidi,
}

func specOf(service string, method catalogue.Method) connect.Spec {
	return connect.Spec{
		Procedure: catalogue.Procedure(service, method), StreamType: streamTypes[method.Name],
		IdempotencyLevel: connect.IdempotencyNoSideEffects,
	}
}

// echo is the handler of all methods.
func echo(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
	service := catalogue.ServiceOf(spec.Procedure)
	if spec.StreamType&connect.StreamTypeClient == 0 {
		request := catalogue.NewRequest(service)
		if err := stream.Receive(request); err != nil {
			return err // as generated code does before it calls the handler
		}
		harness.Handled(ctx)
		harness.Saw(ctx, catalogue.Said(request))
		return stream.Send(text(catalogue.Said(request)))
	}
	harness.Handled(ctx)
	last := ""
	for {
		request := catalogue.NewRequest(service)
		err := stream.Receive(request)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || harness.Swallows(ctx):
			if spec.StreamType == connect.StreamTypeClient {
				return stream.Send(text(last))
			}
			return nil
		default:
			return err
		}
		last = catalogue.Said(request)
		harness.Saw(ctx, last)
		if spec.StreamType == connect.StreamTypeBidi {
			if err := stream.Send(text(last)); err != nil {
				return err
			}
		}
	}
}

// newServer serves all services behind a guard.
func newServer(guard *interceptor.Guard, handler connect.ServerFunc, outside ...connect.ServerInterceptor) *connect.Server {
	server := connect.NewServer(append(outside, connectv2guard.Interceptor(guard))...)
	for _, name := range append(slices.Collect(maps.Keys(catalogue.Services)), catalogue.Unruled, catalogue.Opened) {
		for _, method := range catalogue.Methods {
			server.Register(connect.Method{Spec: specOf(name, method), Handler: handler})
		}
	}
	return server
}

func mount(server *connect.Server) http.Handler {
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	return mux
}
