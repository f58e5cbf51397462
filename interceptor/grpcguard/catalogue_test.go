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

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
	"github.com/protoauthz/protoauthz/interceptor"
	"github.com/protoauthz/protoauthz/interceptor/grpcguard"
	"github.com/protoauthz/protoauthz/interceptor/internal/calltest"
	"github.com/protoauthz/protoauthz/interceptor/internal/rpctest"
	"github.com/protoauthz/protoauthz/interceptor/internal/tokentest"
)

// TestCatalogue makes every call with a client of grpc-go to a server of grpc-go.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	calltest.Run(t, func(t *testing.T, trust *rpctest.Trust) []calltest.Transport {
		t.Helper()
		records := new(calltest.Records)
		guard := interceptor.New(trust, calltest.Rules(t), interceptor.WithObserver(calltest.Observe))
		client := serve(t, records, guard)
		return []calltest.Transport{{
			Name:    "grpc-go",
			Records: records,
			Call: func(ctx context.Context, c *rpctest.Case, method rpctest.Method, header http.Header) (calltest.Answer, []string) {
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
	})
}

// travels reports whether grpc-go carries the header of a case.
func travels(c *rpctest.Case) bool {
	for _, values := range c.Header {
		for _, value := range values {
			if !(&rpctest.Case{Authorization: []string{value}}).Travels() {
				return false
			}
		}
	}
	return c.Travels()
}

func newMessage(m rpctest.Message) *message {
	made := &message{OrganizationId: m.Organization}
	if m.Document != nil {
		made.Document = &samplev1.Document{Name: *m.Document}
	}
	return made
}

// call makes one call over a connection.
func call(ctx context.Context, records *calltest.Records, conn *grpc.ClientConn, c *rpctest.Case, method rpctest.Method) (calltest.Answer, []string) {
	md, _ := metadata.FromOutgoingContext(ctx)
	record := records.Find(md.Get(calltest.Field)[0])
	var header, trailer metadata.MD
	texts, err := exchange(ctx, conn, c, method, &header, &trailer)
	record.Receive(header, trailer, err)
	return answerOf(err), texts
}

func exchange(ctx context.Context, conn *grpc.ClientConn, c *rpctest.Case, method rpctest.Method, header, trailer *metadata.MD) (texts []string, err error) {
	path := rpctest.Procedure(c.Service, method)
	if method == rpctest.Unary {
		response := new(answer)
		if err := conn.Invoke(ctx, path, newMessage(c.Messages[0]), response, grpc.Header(header), grpc.Trailer(trailer)); err != nil {
			return nil, err
		}
		return []string{response.GetDocument().GetText()}, nil
	}
	stream, err := conn.NewStream(ctx, streamDesc(method, nil), path, grpc.Header(header), grpc.Trailer(trailer))
	if err != nil {
		return nil, err
	}
	for _, m := range c.Messages {
		if stream.SendMsg(newMessage(m)) != nil {
			break // the answer says why
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
		if method == rpctest.Client {
			return texts, nil // what reads on is the client's own code
		}
	}
}

// answerOf takes an error apart.
func answerOf(err error) calltest.Answer {
	if err == nil {
		return calltest.Answer{}
	}
	refusal := status.Convert(err)
	got := calltest.Answer{
		Answer: rpctest.Answer{Code: int(refusal.Code()), Text: refusal.Message()},
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

// callInProcess gives the interceptors what no HTTP could carry.
func callInProcess(ctx context.Context, records *calltest.Records, guard *interceptor.Guard, c *rpctest.Case, method rpctest.Method) (calltest.Answer, []string) {
	ctx, path := recorded(ctx, records), rpctest.Procedure(c.Service, method)
	if method == rpctest.Unary {
		response, err := grpcguard.Unary(guard)(ctx, newMessage(c.Messages[0]), &grpc.UnaryServerInfo{FullMethod: path}, unary)
		if err != nil {
			return answerOf(err), nil
		}
		return answerOf(nil), []string{tokentest.As[*answer](response).GetDocument().GetText()}
	}
	stream := &fakeStream{ctx: ctx, messages: c.Messages}
	err := grpcguard.Stream(guard)(nil, stream, &grpc.StreamServerInfo{FullMethod: path}, streaming(method))
	return answerOf(err), stream.texts
}

// A fakeStream has all messages and keeps all answers.
type fakeStream struct {
	grpc.ServerStream
	ctx      context.Context //nolint:containedctx // as grpc has it
	messages []rpctest.Message
	texts    []string
}

func (s *fakeStream) Context() context.Context { return s.ctx }

func (s *fakeStream) RecvMsg(into any) error {
	if len(s.messages) == 0 {
		return io.EOF
	}
	proto.Merge(tokentest.As[*message](into), newMessage(s.messages[0]))
	s.messages = s.messages[1:]
	return nil
}

func (s *fakeStream) SendMsg(response any) error {
	s.texts = append(s.texts, tokentest.As[*answer](response).GetDocument().GetText())
	return nil
}

func (s *fakeStream) SetHeader(metadata.MD) error { return nil }

func (s *fakeStream) SetTrailer(metadata.MD) {}
