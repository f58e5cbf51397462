package explain_test

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// The messages of services that are not catalogue.Rich.
type (
	message = samplev1.SyncDocumentsRequest
	reply   = samplev1.SyncDocumentsResponse
)

// echo returns the text of a message.
func echo[M any](ctx context.Context, m *M) *reply {
	text := catalogue.Said(tokens.As[proto.Message](m))
	harness.Saw(ctx, text)
	return &reply{Document: &samplev1.Document{Text: text}}
}

// services returns all services, with handlers that echo.
func services(options ...connect.HandlerOption) *http.ServeMux {
	mux := http.NewServeMux()
	names := []string{catalogue.Unruled, catalogue.Opened}
	for name := range catalogue.Services {
		names = append(names, name)
	}
	for _, name := range names {
		if catalogue.Rich(name) {
			handle[catalogue.Request](mux, name, options...)
		} else {
			handle[message](mux, name, options...)
		}
	}
	return mux
}

// handle serves a service whose requests are of a type.
func handle[M any](mux *http.ServeMux, service string, options ...connect.HandlerOption) {
	serve := func(method catalogue.Method, handler func(string) http.Handler) {
		path := catalogue.Procedure(service, method)
		mux.Handle(path, handler(path))
	}
	serve(catalogue.Unary, func(path string) http.Handler {
		return connect.NewUnaryHandler(path, func(ctx context.Context, request *connect.Request[M]) (*connect.Response[reply], error) {
			harness.Handled(ctx)
			return connect.NewResponse(echo(ctx, request.Msg)), nil
		}, options...)
	})
	serve(catalogue.Server, func(path string) http.Handler {
		return connect.NewServerStreamHandler(path, func(ctx context.Context, request *connect.Request[M], stream *connect.ServerStream[reply]) error {
			harness.Handled(ctx)
			return stream.Send(echo(ctx, request.Msg))
		}, options...)
	})
	serve(catalogue.Client, func(path string) http.Handler {
		return connect.NewClientStreamHandler(path, func(ctx context.Context, stream *connect.ClientStream[M]) (*connect.Response[reply], error) {
			harness.Handled(ctx)
			last := new(reply)
			for stream.Receive() {
				last = echo(ctx, stream.Msg())
			}
			if harness.Swallows(ctx) {
				return connect.NewResponse(last), nil
			}
			return connect.NewResponse(last), stream.Err()
		}, options...)
	})
	serve(catalogue.Bidi, func(path string) http.Handler {
		return connect.NewBidiStreamHandler(path, func(ctx context.Context, stream *connect.BidiStream[M, reply]) error {
			harness.Handled(ctx)
			for {
				m, err := stream.Receive()
				switch {
				case errors.Is(err, io.EOF), err != nil && harness.Swallows(ctx):
					return nil
				case err != nil:
					return err
				}
				if err := stream.Send(echo(ctx, m)); err != nil {
					return err
				}
			}
		}, options...)
	})
}

// call makes one call over gRPC, as a bidirectional stream: on the wire all calls are.
func call(ctx context.Context, to *harness.Server, c *catalogue.Case, method catalogue.Method, header http.Header) ([]string, error) {
	if catalogue.Rich(c.Service) {
		return callWith[catalogue.Request](ctx, to, c, method, header)
	}
	return callWith[message](ctx, to, c, method, header)
}

func callWith[M any](ctx context.Context, to *harness.Server, c *catalogue.Case, method catalogue.Method, header http.Header) (texts []string, err error) {
	client := connect.NewClient[M, reply](to.HTTP2, to.URL+catalogue.Procedure(c.Service, method), connect.WithGRPC())
	stream := client.CallBidiStream(ctx)
	defer func() { _ = stream.CloseResponse() }()
	for name, values := range header {
		stream.RequestHeader()[name] = values
	}
	for _, m := range c.Messages {
		if stream.Send(tokens.As[*M](m.Proto(c.Service))) != nil {
			break // the answer says why
		}
	}
	_ = stream.CloseRequest()
	for {
		response, err := stream.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return texts, err
		}
		texts = append(texts, response.GetDocument().GetText())
	}
}

// answerOf takes an error apart.
func answerOf(err error) harness.Answer {
	var coded *connect.Error
	if !errors.As(err, &coded) {
		return harness.Answer{Error: err}
	}
	got := harness.Answer{
		Answer: catalogue.Answer{Code: int(coded.Code()), Text: coded.Message()},
		More:   len(coded.Details()), Error: err,
	}
	for _, detail := range coded.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok {
				got.Explain(info)
			}
		}
	}
	return got
}
