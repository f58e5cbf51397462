package middleware_test

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
	connect2 "connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/connectv2guard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
)

// All methods have the same messages.
type (
	message = samplev1.SyncDocumentsRequest
	answer  = samplev1.SyncDocumentsResponse
)

var (
	unary  = catalogue.Procedure("Token", catalogue.Unary)
	client = catalogue.Procedure("Token", catalogue.Client)
)

// A framework serves both procedures behind a guard. A client stream waits for the client.
type framework struct {
	name  string
	mux   func(*interceptor.Guard) http.Handler
	gated bool // a unary call is refused before its body is read
}

var frameworks = []framework{
	{"connect v1", func(guard *interceptor.Guard) http.Handler { return mux1(guard.HandlerOption()) }, true},
	{"connect v1 without the gate", func(guard *interceptor.Guard) http.Handler {
		return mux1(connect.WithInterceptors(guard.Interceptor()))
	}, false},
	{"connect v2", mux2, true},
}

func mux1(option connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(unary, connect.NewUnaryHandler(unary, func(context.Context, *connect.Request[message]) (*connect.Response[answer], error) {
		return connect.NewResponse(new(answer)), nil
	}, option))
	mux.Handle(client, connect.NewClientStreamHandler(client, func(_ context.Context, stream *connect.ClientStream[message]) (*connect.Response[answer], error) {
		for stream.Receive() {
			continue
		}
		return connect.NewResponse(new(answer)), stream.Err()
	}, option))
	return mux
}

func mux2(guard *interceptor.Guard) http.Handler {
	server := connect2.NewServer(connectv2guard.Interceptor(guard))
	receive := func(_ context.Context, _ connect2.Spec, stream connect2.ServerStream) error {
		for {
			if err := stream.Receive(new(message)); err != nil {
				return err
			}
		}
	}
	server.Register(connect2.Method{Spec: connect2.Spec{Procedure: unary, StreamType: connect2.StreamTypeUnary}, Handler: receive})
	server.Register(connect2.Method{Spec: connect2.Spec{Procedure: client, StreamType: connect2.StreamTypeClient}, Handler: receive})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server)
	return mux
}

// returning tells when a handler of a POST has returned.
func returning(handler http.Handler) (http.Handler, <-chan struct{}) {
	returned := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			defer close(returned)
		}
		handler.ServeHTTP(w, r)
	}), returned
}
