package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
)

const healthService = "grpc.health.v1.Health"

// checkHealth finds that a server answers everybody who asks for its health, which few servers list. A call of Check
// changes nothing. Other services get no call: the handler of an open service would run.
func (f *findings) checkHealth(ctx context.Context, server string, s *side) {
	u, err := url.Parse(server)
	if s.services[healthService] || slices.Contains(f.document.Public, healthService) || err != nil || u.User != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reflectionTimeout)
	defer cancel()
	transport := newTransport()
	defer transport.CloseIdleConnections()
	client := connect.NewClient[emptypb.Empty, emptypb.Empty]( // an empty request asks for the whole server
		&http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		strings.TrimSuffix(server, "/")+"/"+healthService+"/Check", connect.WithGRPC(), connect.WithReadMaxBytes(reflectionBytes))
	if _, err := client.CallUnary(ctx, connect.NewRequest(new(emptypb.Empty))); err == nil {
		f.addOpen(server, healthService)
	}
}

// addOpen adds that a server answers everybody who calls a service.
func (f *findings) addOpen(server, service string) {
	f.add(inputName(server), "it answers %s to everybody, and %s does not make it public: write it in public, or serve it behind the guard", service, f.file)
}
