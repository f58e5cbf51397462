package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// A responder sends the responses of a definition on a stream.
type responder struct {
	method *method
	definition
	stream interface {
		ResponseHeader() http.Header
		ResponseTrailer() http.Header
		Send(*dynamicpb.Message) error
	}
	sent int
}

// start sends the header, unless nothing follows.
func (r *responder) start() error {
	merge(r.stream.ResponseHeader(), r.header)
	merge(r.stream.ResponseTrailer(), r.trailer)
	if len(r.data) == 0 {
		return nil
	}
	return r.stream.Send(nil)
}

// next sends one response. The first response tells all that the handler has seen, each other response
// the requests since the response before.
func (r *responder) next(ctx context.Context, seen *sight) error {
	var info *message
	switch {
	case r.sent == 0:
		all := seen.all(ctx)
		info = &all
	case len(seen.requests) > 0:
		requests := seen.messages()
		info = &requests
	}
	wait(r.delay)
	err := r.stream.Send(r.method.response(r.data[r.sent], info))
	r.sent++
	seen.requests = nil
	return err
}

// finish sends the remaining responses, and returns the error of the definition.
func (r *responder) finish(ctx context.Context, seen *sight) error {
	for r.sent < len(r.data) {
		if err := r.next(ctx, seen); err != nil {
			return err
		}
	}
	if r.failure == nil {
		return nil
	}
	if r.sent > 0 {
		return failed(*r.failure, nil)
	}
	info := seen.all(ctx)
	return failed(*r.failure, &info)
}

// failed is the error that a definition asks for, with the information as one more detail.
func failed(definition message, info *message) *connect.Error {
	code := connect.Code(definition.get("code").Enum()) //nolint:gosec // it is none of the negative ones
	failure := connect.NewError(code, errors.New(definition.get("message").String()))
	list := definition.get("details").List()
	for n := range list.Len() {
		detail := message{list.Get(n).Message()}
		addDetail(failure, &anypb.Any{TypeUrl: detail.get("type_url").String(), Value: detail.get("value").Bytes()})
	}
	if info != nil {
		addDetail(failure, info.Interface())
	}
	return failure
}

func addDetail(failure *connect.Error, packed proto.Message) {
	detail, err := connect.NewErrorDetail(packed)
	if err != nil {
		panic(err) // it was unmarshaled
	}
	failure.AddDetail(detail)
}

func merge(header, more http.Header) {
	for name, values := range more {
		header[name] = append(header[name], values...)
	}
}

// wait lets a delay pass, even beyond the client's deadline: the client might receive an error, or half
// of it, that is sent at the moment of the deadline.
func wait(delay time.Duration) { <-time.After(delay) }
