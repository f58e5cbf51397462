package main

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// naming is an interceptor that sets fields in every request, as a client would.
type naming map[protoreflect.Name]string

func (n naming) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		n.name(request.Any())
		return next(ctx, request)
	}
}

func (naming) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (n naming) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, &namingConn{conn, n})
	}
}

type namingConn struct {
	connect.StreamingHandlerConn

	naming naming
}

func (c *namingConn) Receive(request any) error {
	err := c.StreamingHandlerConn.Receive(request)
	if err == nil {
		c.naming.name(request)
	}
	return err
}

func (n naming) name(request any) {
	if dynamic, ok := request.(*dynamicpb.Message); ok {
		for field, value := range n {
			message{dynamic}.set(field, value)
		}
	}
}
