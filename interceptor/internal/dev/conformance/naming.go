package main

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// naming is an interceptor that names the organization in every request, as a client would.
type naming struct{}

func (naming) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		name(request.Any())
		return next(ctx, request)
	}
}

func (naming) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (naming) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, &namingConn{conn})
	}
}

type namingConn struct{ connect.StreamingHandlerConn }

func (c *namingConn) Receive(request any) error {
	err := c.StreamingHandlerConn.Receive(request)
	if err == nil {
		name(request)
	}
	return err
}

func name(request any) {
	if dynamic, ok := request.(*dynamicpb.Message); ok {
		message{dynamic}.set(organizationField, organization)
	}
}
