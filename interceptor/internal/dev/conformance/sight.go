package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/protoauthz/protoauthz/interceptor"
)

// A sight holds the parts of a request that a handler has seen.
type sight struct {
	header   http.Header
	query    url.Values
	requests []*anypb.Any
}

// add adds a request, as the client has sent it.
func (s *sight) add(request *dynamicpb.Message) error {
	for _, field := range addedFields {
		message{request}.clear(field)
	}
	packed, err := anypb.New(request)
	s.requests = append(s.requests, packed)
	return err
}

// messages tells the requests that were added.
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
	// The guard gives streams the deadline of their token, an hour away. Deadlines of clients come sooner.
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
