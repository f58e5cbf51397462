package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/protoauthz/protoauthz/interceptor/internal/dev/e2e"
)

// grpc-go, by what its generated code calls.
func TestGRPCGo(t *testing.T) {
	t.Parallel()
	check(t, []client{{name: "grpc", can: all, run: func(t *testing.T, s *e2e.Sample, calls []call) []answer {
		conn, err := grpc.NewClient(strings.TrimPrefix(s.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return one(func(t *testing.T, _ *e2e.Sample, c call) answer {
			ctx, cancel := context.WithTimeout(metadata.NewOutgoingContext(t.Context(), metadata.New(c.Header)), e2e.Patience)
			defer cancel()
			if unaryOnly(c.descriptor(t)) {
				return invoke(ctx, t, conn, c)
			}
			return stream(ctx, t, conn, c)
		})(t, s, calls)
	}}})
}

func invoke(ctx context.Context, t *testing.T, conn *grpc.ClientConn, c call) answer {
	t.Helper()
	method := c.descriptor(t)
	response := newMessage(t, method.Output(), nil)
	if err := conn.Invoke(ctx, "/"+c.procedure(), newMessage(t, method.Input(), c.Requests[0]), response); err != nil {
		return parseStatus(err)
	}
	return answer{Messages: raw(protojson.Format(response))}
}

func stream(ctx context.Context, t *testing.T, conn *grpc.ClientConn, c call) answer {
	t.Helper()
	method := c.descriptor(t)
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{
		StreamName: c.Method, ClientStreams: method.IsStreamingClient(), ServerStreams: method.IsStreamingServer(),
	}, "/"+c.procedure())
	if err != nil {
		return parseStatus(err)
	}
	for _, request := range c.Requests {
		// EOF: the call has been refused, and RecvMsg returns the reason.
		if err := stream.SendMsg(newMessage(t, method.Input(), request)); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var messages []json.RawMessage
	for c.Take == 0 || len(messages) < c.Take {
		response := newMessage(t, method.Output(), nil)
		if err := stream.RecvMsg(response); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			refusal := parseStatus(err)
			refusal.Messages = messages
			return refusal
		}
		messages = append(messages, raw(protojson.Format(response))...)
	}
	return answer{Messages: messages}
}

// newMessage makes a message of a registered type, with the content of a JSON document if one is
// given.
func newMessage(t *testing.T, of protoreflect.MessageDescriptor, document json.RawMessage) proto.Message {
	t.Helper()
	found, err := protoregistry.GlobalTypes.FindMessageByName(of.FullName())
	if err != nil {
		t.Fatal(err)
	}
	message := found.New().Interface()
	if document != nil {
		if err := protojson.Unmarshal(document, message); err != nil {
			t.Fatal(err)
		}
	}
	return message
}

func parseStatus(err error) answer {
	refusal := answer{Code: connect.Code(status.Code(err))}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			refusal.explain(info)
		}
	}
	return refusal
}
