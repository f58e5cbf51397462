package connectv2guard_test

import (
	"context"
	"io"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/protoauthz/protoauthz/interceptor/internal/test/catalogue"
	"github.com/protoauthz/protoauthz/interceptor/internal/test/tokens"
)

// A fakeStream is a call without a transport.
type fakeStream struct {
	in []string // the organizations that the client's messages name
}

func (s *fakeStream) Receive(into any) error {
	if len(s.in) == 0 {
		return io.EOF
	}
	proto.Merge(tokens.As[*message](into), &message{OrganizationId: s.in[0]})
	s.in = s.in[1:]
	return nil
}

func (*fakeStream) Send(any) error { return nil }

func (*fakeStream) SendHeaders() error { return nil }

// callHandler calls a handler behind interceptors, with a token and without a transport, and returns the CallInfo
// that a transport would read.
func callHandler(ctx context.Context, service string, method catalogue.Method, stream connect.ServerStream, handler connect.ServerFunc, interceptors ...connect.ServerInterceptor) (*connect.CallInfo, error) {
	server := connect.NewServer(interceptors...)
	server.Register(connect.Method{Spec: specOf(service, method), Handler: handler})
	info := new(connect.CallInfo)
	info.RequestHeader().Set("Authorization", "Bearer any")
	err := server.Call(ctx, catalogue.Procedure(service, method), info, stream)
	return info, err
}
