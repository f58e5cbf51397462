package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// newService makes the handlers of the suite's service. They respond as requests define, and tell what
// they have seen. Each handler first reports its call.
func newService(service protoreflect.ServiceDescriptor, report func(context.Context), options ...connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	methods := service.Methods()
	for n := range methods.Len() {
		m := &method{methods.Get(n), report}
		procedure := "/" + string(service.FullName()) + "/" + string(m.Name())
		mux.Handle(procedure, m.handler(procedure, options...))
	}
	return mux
}

// A method is a method of the suite's service.
type method struct {
	protoreflect.MethodDescriptor
	report func(context.Context)
}

func (m *method) handler(procedure string, options ...connect.HandlerOption) http.Handler {
	options = append(options, connect.WithSchema(m.MethodDescriptor), connect.WithRequestInitializer(initialize))
	described, ok := m.Options().(*descriptorpb.MethodOptions)
	if ok && described.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS {
		options = append(options, connect.WithIdempotency(connect.IdempotencyNoSideEffects))
	}
	switch {
	case m.IsStreamingClient() && m.IsStreamingServer():
		return connect.NewBidiStreamHandler(procedure, m.bidi, options...)
	case m.IsStreamingClient():
		return connect.NewClientStreamHandler(procedure, m.clientStream, options...)
	case m.IsStreamingServer():
		return connect.NewServerStreamHandler(procedure, m.serverStream, options...)
	case m.Name() == "Unimplemented":
		return connect.NewUnaryHandler(procedure, m.unimplemented, options...)
	default:
		return connect.NewUnaryHandler(procedure, m.unary, options...)
	}
}

// initialize makes an empty request of the method's type.
func initialize(spec connect.Spec, request any) error {
	method, ok := spec.Schema.(protoreflect.MethodDescriptor)
	dynamic, isDynamic := request.(*dynamicpb.Message)
	if !ok || !isDynamic {
		return errors.New("not a dynamic message")
	}
	*dynamic = *dynamicpb.NewMessage(method.Input())
	return nil
}

func (m *method) unimplemented(ctx context.Context, _ *connect.Request[dynamicpb.Message]) (*connect.Response[dynamicpb.Message], error) {
	m.report(ctx)
	return nil, connect.NewError(connect.CodeUnimplemented, errors.New("not implemented"))
}

func (m *method) unary(ctx context.Context, request *connect.Request[dynamicpb.Message]) (*connect.Response[dynamicpb.Message], error) {
	m.report(ctx)
	seen := &sight{header: request.Header(), query: request.Peer().Query}
	if err := seen.add(request.Msg); err != nil {
		return nil, err
	}
	return m.respond(ctx, definitionOf(request.Msg), seen)
}

func (m *method) clientStream(ctx context.Context, stream *connect.ClientStream[dynamicpb.Message]) (*connect.Response[dynamicpb.Message], error) {
	m.report(ctx)
	seen := &sight{header: stream.RequestHeader(), query: stream.Peer().Query}
	var d definition
	for first := true; stream.Receive(); first = false {
		if first {
			d = definitionOf(stream.Msg())
		}
		if err := seen.add(stream.Msg()); err != nil {
			return nil, err
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return m.respond(ctx, d, seen)
}

// respond answers with the response or the error of the definition.
func (m *method) respond(ctx context.Context, d definition, seen *sight) (*connect.Response[dynamicpb.Message], error) {
	info := seen.all(ctx)
	wait(d.delay)
	if d.failure != nil {
		failure := failed(*d.failure, &info)
		for _, metadata := range []http.Header{d.header, d.trailer} {
			merge(failure.Meta(), metadata)
		}
		return nil, failure
	}
	var data []byte
	if len(d.data) > 0 {
		data = d.data[0]
	}
	response := connect.NewResponse(m.response(data, &info))
	merge(response.Header(), d.header)
	merge(response.Trailer(), d.trailer)
	return response, nil
}

func (m *method) response(data []byte, info *message) *dynamicpb.Message {
	payload := newMessage("ConformancePayload")
	payload.set("data", data)
	if info != nil {
		payload.set("request_info", *info)
	}
	response := dynamicpb.NewMessage(m.Output())
	message{response}.set("payload", payload)
	return response
}

func (m *method) serverStream(ctx context.Context, request *connect.Request[dynamicpb.Message], stream *connect.ServerStream[dynamicpb.Message]) error {
	m.report(ctx)
	seen := &sight{header: request.Header(), query: request.Peer().Query}
	if err := seen.add(request.Msg); err != nil {
		return err
	}
	r := responder{method: m, definition: definitionOf(request.Msg), stream: stream}
	if err := r.start(); err != nil {
		return err
	}
	return r.finish(ctx, seen)
}

func (m *method) bidi(ctx context.Context, stream *connect.BidiStream[dynamicpb.Message, dynamicpb.Message]) error {
	m.report(ctx)
	seen := &sight{header: stream.RequestHeader(), query: stream.Peer().Query}
	r := responder{method: m, stream: stream}
	var duplex bool
	for first := true; ; first = false {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = seen.add(request)
		}
		if err != nil {
			return err
		}
		if first {
			r.definition, duplex = definitionOf(request), message{request}.get("full_duplex").Bool()
		}
		if !duplex {
			continue
		}
		if first {
			if err := r.start(); err != nil {
				return err
			}
		}
		if r.sent == len(r.data) {
			break
		}
		if err := r.next(ctx, seen); err != nil {
			return err
		}
	}
	if !duplex {
		if err := r.start(); err != nil {
			return err
		}
	}
	return r.finish(ctx, seen)
}
