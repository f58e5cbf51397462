package grpcguard_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/harness"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// TestCatalogue makes all calls of the catalogue with a client of grpc-go to a server of grpc-go.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	harness.Catalogue(t, routesTo)
}

// TestOpaqueCatalogue makes the calls whose claims decide with opaque tokens.
func TestOpaqueCatalogue(t *testing.T) {
	t.Parallel()
	harness.OpaqueCatalogue(t, routesTo)
}

// TestShadowCatalogue makes all calls while the rules are judged and not enforced.
func TestShadowCatalogue(t *testing.T) {
	t.Parallel()
	harness.ShadowCatalogue(t, routesTo)
}

func routesTo(t *testing.T, _ *catalogue.Trust, guard *interceptor.Guard) []harness.Route {
	t.Helper()
	records := new(harness.Records)
	client := serve(t, records, guard)
	return []harness.Route{{
		Name:    "grpc-go",
		Records: records,
		Call: func(ctx context.Context, c *catalogue.Case, method catalogue.Method, header http.Header) (harness.Answer, []string) {
			md := metadata.MD{}
			for name, values := range header {
				md[strings.ToLower(name)] = values
			}
			if !travels(c) {
				return callInProcess(metadata.NewIncomingContext(ctx, md), records, guard, c, method)
			}
			return call(metadata.NewOutgoingContext(ctx, md), records, client, c, method)
		},
	}}
}

// travels reports whether grpc-go carries the header of a case.
func travels(c *catalogue.Case) bool {
	for _, values := range c.Header {
		for _, value := range values {
			if !(&catalogue.Case{Authorization: []string{value}}).Travels() {
				return false
			}
		}
	}
	return c.Travels()
}

// call makes one call over a connection.
func call(ctx context.Context, records *harness.Records, conn *grpc.ClientConn, c *catalogue.Case, method catalogue.Method) (harness.Answer, []string) {
	md, _ := metadata.FromOutgoingContext(ctx)
	record := records.Find(md.Get(harness.Field)[0])
	var header, trailer metadata.MD
	texts, err := exchange(ctx, conn, c, method, &header, &trailer)
	record.Receive(header, trailer, err)
	return answerOf(err), texts
}

func exchange(ctx context.Context, conn *grpc.ClientConn, c *catalogue.Case, method catalogue.Method, header, trailer *metadata.MD) (texts []string, err error) {
	path := catalogue.Procedure(c.Service, method)
	if method == catalogue.Unary {
		response := new(answer)
		if err := conn.Invoke(ctx, path, c.Messages[0].Proto(c.Service), response, grpc.Header(header), grpc.Trailer(trailer)); err != nil {
			return nil, err
		}
		return []string{response.GetDocument().GetText()}, nil
	}
	stream, err := conn.NewStream(ctx, streamDesc(method, nil), path, grpc.Header(header), grpc.Trailer(trailer))
	if err != nil {
		return nil, err
	}
	for _, m := range c.Messages {
		if stream.SendMsg(m.Proto(c.Service)) != nil {
			break // RecvMsg returns the cause
		}
	}
	_ = stream.CloseSend()
	for {
		response := new(answer)
		switch err := stream.RecvMsg(response); {
		case errors.Is(err, io.EOF):
			return texts, nil
		case err != nil:
			return texts, err
		}
		texts = append(texts, response.GetDocument().GetText())
		if method == catalogue.Client {
			return texts, nil // generated code of a client reads one answer
		}
	}
}

// answerOf is the answer in an error.
func answerOf(err error) harness.Answer {
	if err == nil {
		return harness.Answer{}
	}
	refusal := status.Convert(err)
	got := harness.Answer{
		Answer: catalogue.Answer{Code: int(refusal.Code()), Text: refusal.Message()},
		More:   len(refusal.Details()), Error: err,
	}
	for _, detail := range refusal.Details() {
		info, ok := detail.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		got.Explain(info)
	}
	return got
}

// callInProcess calls the interceptors with a header that HTTP cannot carry.
func callInProcess(ctx context.Context, records *harness.Records, guard *interceptor.Guard, c *catalogue.Case, method catalogue.Method) (harness.Answer, []string) {
	ctx, path := recorded(ctx, records), catalogue.Procedure(c.Service, method)
	if method == catalogue.Unary {
		response, err := grpcguard.Unary(guard)(ctx, c.Messages[0].Proto(c.Service), &grpc.UnaryServerInfo{FullMethod: path}, unary)
		if err != nil {
			return answerOf(err), nil
		}
		return answerOf(nil), []string{tokens.As[*answer](response).GetDocument().GetText()}
	}
	stream := &fakeStream{ctx: ctx, service: c.Service, messages: c.Messages}
	err := grpcguard.Stream(guard)(nil, stream, &grpc.StreamServerInfo{FullMethod: path}, streaming(c.Service, method))
	return answerOf(err), stream.texts
}

// A fakeStream receives the messages of a case and keeps the answers.
type fakeStream struct {
	grpc.ServerStream
	ctx      context.Context //nolint:containedctx // as a stream of grpc-go does
	service  string
	messages []catalogue.Message
	texts    []string
}

func (s *fakeStream) Context() context.Context { return s.ctx }

func (s *fakeStream) RecvMsg(into any) error {
	if len(s.messages) == 0 {
		return io.EOF
	}
	proto.Merge(tokens.As[proto.Message](into), s.messages[0].Proto(s.service))
	s.messages = s.messages[1:]
	return nil
}

func (s *fakeStream) SendMsg(response any) error {
	s.texts = append(s.texts, tokens.As[*answer](response).GetDocument().GetText())
	return nil
}

func (s *fakeStream) SetHeader(metadata.MD) error { return nil }

func (s *fakeStream) SetTrailer(metadata.MD) {}
