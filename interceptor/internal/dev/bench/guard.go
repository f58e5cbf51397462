package main

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	samplev1 "github.com/protoauthz/protoauthz/gen/sample/v1"
)

const guardTitle = "interceptor alone"

// A directRequest is a request to an interceptor without a handler around it.
type directRequest struct {
	*connect.Request[samplev1.ListDocumentsRequest]
}

func (directRequest) Spec() connect.Spec {
	return connect.Spec{Procedure: listDocuments, StreamType: connect.StreamTypeUnary}
}

// through makes an operation of an interceptor around a handler that does nothing.
func through(ctx context.Context, interceptor connect.Interceptor, raw string) operation {
	request := directRequest{connect.NewRequest(documentsRequest())}
	request.Header().Set("Authorization", "Bearer "+raw)
	request.Header().Set("Content-Type", "application/proto")
	reply := connect.NewResponse(documents())
	call := interceptor.WrapUnary(func(context.Context, connect.AnyRequest) (connect.AnyResponse, error) { return reply, nil })
	return repeat(func() error {
		response, err := call(ctx, request)
		if err == nil && response != connect.AnyResponse(reply) {
			err = errors.New("another response")
		}
		return err
	})
}

func guardGroup(ctx context.Context, b *bench) error {
	raw := b.issuer.token(usual)
	return b.compare(ctx, contest{
		title: guardTitle,
		note:  "The message names an organization. keyfunc's interceptor does not look at it. The gate, which an interceptor alone does not have, is part of the times in a handler below.",
		contenders: []contender{
			{nameOurs, through(ctx, b.guard.Interceptor(), raw)},
			{nameKeyfunc, through(ctx, b.keyfunc.interceptor(), raw)},
		},
	})
}
