package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
)

// newService makes the handlers of the suite's service: they do what requests tell them
// to, and say what they have seen. Each call that reaches one is reported first.
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

// A method is one of the suite's service.
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

// respond answers with the one response or the error that was asked for.
func (m *method) respond(ctx context.Context, d definition, seen *sight) (*connect.Response[dynamicpb.Message], error) {
	wait(d.delay)
	info := seen.all(ctx)
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
			err = r.start()
		}
		if r.sent == len(r.data) {
			break
		}
		if err == nil {
			err = r.next(ctx, seen)
		}
		if err != nil {
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

// A responder sends the responses on a stream that a definition asks for.
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

// start sends the header, if there is anything to follow it.
func (r *responder) start() error {
	merge(r.stream.ResponseHeader(), r.header)
	merge(r.stream.ResponseTrailer(), r.trailer)
	if len(r.data) == 0 {
		return nil
	}
	return r.stream.Send(nil)
}

// next sends one response. The first tells all that has been seen, others the requests
// since the one before.
func (r *responder) next(ctx context.Context, seen *sight) error {
	wait(r.delay)
	var info *message
	switch {
	case r.sent == 0:
		all := seen.all(ctx)
		info = &all
	case len(seen.requests) > 0:
		requests := seen.messages()
		info = &requests
	}
	err := r.stream.Send(r.method.response(r.data[r.sent], info))
	r.sent++
	seen.requests = nil
	return err
}

// finish sends the responses that are left, and returns the error that was asked for.
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

// A sight is what a handler has seen of a request.
type sight struct {
	header   http.Header
	query    url.Values
	requests []*anypb.Any
}

func (s *sight) add(request proto.Message) error {
	packed, err := anypb.New(request)
	s.requests = append(s.requests, packed)
	return err
}

// messages tells of the requests that were added.
func (s *sight) messages() message {
	info := newMessage("ConformancePayload.RequestInfo")
	for _, request := range s.requests {
		packed := info.add("requests")
		packed.set("type_url", request.GetTypeUrl())
		packed.set("value", request.GetValue())
	}
	return info
}

// all tells everything but the token.
func (s *sight) all(ctx context.Context) message {
	info := s.messages()
	header := s.header.Clone()
	header.Del("Authorization")
	info.addFields("request_headers", header)
	// The guard gives streams the deadline of their token, an hour away. Clients' come sooner.
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(interceptor.ClaimsFromContext(ctx).Expiry()) {
		info.set("timeout_ms", time.Until(deadline).Milliseconds())
	}
	if len(s.query) > 0 {
		get := newMessage("ConformancePayload.ConnectGetInfo")
		get.addFields("query_params", s.query)
		info.set("connect_get_info", get)
	}
	return info
}

// failed is the error that a request asks for, with the information as one more detail.
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

// wait lets a delay pass, also when the client's deadline comes first: an error that is sent
// at the very moment when the client gives up may reach it, or half of it.
func wait(delay time.Duration) { <-time.After(delay) }
